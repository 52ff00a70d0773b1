package wall

import (
	"errors"
	"io/fs"
	"os"

	"sluice/internal/judge"
	"sluice/scenarios"
)

// Grants are those of the wall clock: what a loaded machine can draw out, what the system says of
// itself only so often, and what cannot be measured on this system.
func Grants(s scenarios.Scenario) (judge.Slacks, map[judge.Measure]string) {
	slacks := judge.Slacks{
		Gate:     2, // some turns of the supervisor
		Told:     2, // its tasks may wait for a processor between doing and saying
		Handover: 3,
		// The group waits 6 s for a member that fell silent (see config); then all is started.
		Uncovered: 20,
		Silence:   1,
		Orphan:    5,
		Reading:   1,
		Behind:    5,
		Rereads:   true, // on a busy machine
	}
	why := map[judge.Measure]string{
		judge.VirtualTime: "its time is that of the wall clock",
		judge.StoreCalls:  "the calls go from processes to servers, and nobody sees them on their way",
	}
	if _, err := os.Stat("/proc/self/stat"); errors.Is(err, fs.ErrNotExist) {
		for _, m := range []judge.Measure{judge.Processes, judge.WorkerMemory, judge.ProcessorTime} {
			why[m] = "this system does not tell about its processes"
		}
	}
	if s.Topology.FlusherMode == scenarios.ModeGoroutine {
		why[judge.WorkerMemory] = "workers are goroutines: there is no process to bound"
	}
	return slacks, why
}
