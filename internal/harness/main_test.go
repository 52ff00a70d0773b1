package harness

import (
	"os"
	"testing"

	"sluice/internal/spawn"
)

func TestMain(m *testing.M) {
	// The workers are this test binary, started again.
	spawn.MaybeWorker()
	os.Exit(m.Run())
}
