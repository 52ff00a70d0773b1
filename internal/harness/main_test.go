package harness

import (
	"os"
	"testing"

	"sluice/internal/instance"
	"sluice/internal/spawn"
)

func TestMain(m *testing.M) {
	// The consumers are this test binary, started again, and so are their workers.
	instance.MaybeRun()
	spawn.MaybeWorker()
	os.Exit(m.Run())
}
