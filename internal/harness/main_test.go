package harness_test

import (
	"os"
	"testing"

	"sluice/internal/process"
)

func TestMain(m *testing.M) {
	// The consumers are this test binary, started again, and so are their workers.
	process.MaybeChild()
	os.Exit(m.Run())
}
