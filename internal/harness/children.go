package harness

import (
	"time"

	"sluice/internal/process"
)

// residentMax returns the greatest resident memory of processes, in bytes; 0 if it is not known.
func residentMax(pids []int) int64 {
	var most int64
	for _, pid := range pids {
		p, _ := process.Look(pid) // nothing of one that has just ended
		most = max(most, p.RSS)
	}
	return most
}

// cpuMeter adds up the processor time of processes that come and go.
type cpuMeter struct{ last map[int]time.Duration }

// seconds returns the processor time used so far by these processes and by those that it was asked
// about before.
func (m *cpuMeter) seconds(pids []int) float64 {
	if m.last == nil {
		m.last = map[int]time.Duration{}
	}
	for _, pid := range pids {
		p, _ := process.Look(pid)
		m.last[pid] = max(m.last[pid], p.CPU) // what one that has just ended had used is known
	}
	var sum time.Duration
	for _, used := range m.last {
		sum += used
	}
	return sum.Seconds()
}
