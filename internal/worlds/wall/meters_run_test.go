package wall_test

import (
	"os"
	"testing"
	"time"

	"sluice/internal/process"
	"sluice/internal/worlds/wall/fakes"
)

// TestARunBeginsWithNothingUsed: what this process computed before a run is none of that.
func TestARunBeginsWithNothingUsed(t *testing.T) {
	used := func() time.Duration {
		p, alive := process.Look(os.Getpid())
		if !alive {
			t.Fatal("this process is not seen")
		}
		return p.CPU
	}
	for used() < time.Second { // far more than it takes to open a run
		if t.Context().Err() != nil {
			t.Fatal("this process gets no time")
		}
	}
	before := used()
	b := openBench(t, fakes.World{}, false, nil)
	if _, sample := b.s.Look(); sample.CPUHarness >= before.Seconds() {
		t.Errorf("%v s were used before the run, and %v s in it when it begins", before.Seconds(), sample.CPUHarness)
	}
}
