package harness

import (
	"errors"
	"io/fs"
	"os"

	"sluice/internal/judge"
	"sluice/scenarios"
)

// WallSlacks are those of the wall clock: what a loaded machine can draw out, and what the system
// says of itself only so often.
func WallSlacks() judge.Slacks {
	return judge.Slacks{
		Gate:     2, // some turns of the supervisor
		Handover: 3,
		// The group waits 6 s for a member that fell silent (see run.config); then all is started.
		Uncovered: 20,
		Silence:   1,
		Orphan:    5,
		Behind:    5,
	}
}

// WallUnmeasured says what cannot be measured on the wall clock and this system, and why.
func WallUnmeasured(s scenarios.Scenario) map[judge.Measure]string {
	why := map[judge.Measure]string{judge.VirtualTime: "its time is that of the wall clock"}
	if _, err := os.Stat("/proc/self/stat"); errors.Is(err, fs.ErrNotExist) {
		for _, m := range []judge.Measure{judge.Processes, judge.WorkerMemory, judge.ProcessorTime} {
			why[m] = "this system does not tell about its processes"
		}
	}
	if s.Topology.FlusherMode == scenarios.ModeGoroutine {
		why[judge.WorkerMemory] = "workers are goroutines: there is no process to bound"
	}
	return why
}
