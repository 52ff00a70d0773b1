package servers_test

import (
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/servers"
)

// TestPrepareThatFailsLeavesNothing: the jars of this Kafka are missing.
func TestPrepareThatFailsLeavesNothing(t *testing.T) {
	libs := t.TempDir()
	check(t, os.WriteFile(filepath.Join(libs, ".complete-none"), nil, 0o600))
	t.Setenv(servers.EnvKafkaLibs, libs)
	if err := servers.PrepareKafka(t.Context()); err == nil {
		t.Error("a Kafka without jars was prepared")
	}
	entries, err := os.ReadDir(libs)
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

// TestPreparedOnce: what is prepared is not made again.
func TestPreparedOnce(t *testing.T) {
	libs := t.TempDir()
	check(t, os.WriteFile(filepath.Join(libs, ".complete-none"), nil, 0o600))
	check(t, os.Mkdir(filepath.Join(libs, ".prepared"), 0o700))
	t.Setenv(servers.EnvKafkaLibs, libs)
	check(t, servers.PrepareKafka(t.Context()))
}
