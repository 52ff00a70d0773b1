package calibrate

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"sluice/internal/process"
	"sluice/sim"
)

// yardstickRepeats is how often the yardstick is laid on.
const yardstickRepeats = 5

// Yardstick measures how fast the machine is: the processor time that a fixed piece of work takes. The
// work is the standard library's, so that it is the same in every version of this program: JSON is
// parsed and written, bytes are hashed, maps are filled.
func Yardstick() (sim.Spread, error) {
	var took []time.Duration
	for range yardstickRepeats {
		before := process.Own().CPU
		if err := fixedWork(); err != nil {
			return sim.Spread{}, err
		}
		took = append(took, process.Own().CPU-before)
	}
	return sim.SpreadOf(took), nil
}

func fixedWork() error {
	const rounds = 4000
	text := []byte(`{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331",` +
		`"start_timestamp":1700000000.125,"attributes":{"a":{"type":"string","value":"some text"}}}`)
	sum := [sha256.Size]byte{}
	for i := range rounds {
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			return err
		}
		fields["span_id"] = fmt.Sprintf("%016x", i)
		again, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		for range 4 {
			sum = sha256.Sum256(append(again, sum[:]...))
		}
	}
	return nil
}

// cpuOf returns the processor time that a process has used so far, in nanoseconds and not in the
// hundredths of a second that /proc has. The error says that it has ended, or that this system does
// not tell.
func cpuOf(pid int) (time.Duration, error) {
	var at unix.Timespec
	const schedClock = 2 // what clock_getcpuclockid(3) makes of a process: its scheduler's clock
	if err := unix.ClockGettime(int32(^pid<<3|schedClock), &at); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(at.Nano()), nil
}
