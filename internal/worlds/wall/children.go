package harness

import (
	"bytes"
	"os"
	"strconv"
)

// residentMax returns the greatest resident memory of processes, in bytes; 0 if it is not known. It
// asks for what they hold now: the greatest ever, as the kernel keeps it, begins with what the
// parent held when it started them.
func residentMax(pids []int) int64 {
	var most int64
	for _, pid := range pids {
		statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
		if err != nil {
			continue // it has just ended
		}
		if fields := bytes.Fields(statm); len(fields) > 1 {
			pages, _ := strconv.ParseInt(string(fields[1]), 10, 64) // 0 if it is no number
			most = max(most, pages*int64(os.Getpagesize()))
		}
	}
	return most
}

// statFields returns what stands behind the name in a process's stat file: "pid (name) state parent
// ...". The name may hold anything, also brackets.
func statFields(stat []byte) [][]byte {
	_, rest, found := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	if !found {
		return nil
	}
	return bytes.Fields(rest)
}

// cpuMeter adds up the processor time of processes that come and go.
type cpuMeter struct{ last map[int]float64 }

// clockTicks is the kernel's unit of processor time, USER_HZ, which is 100 on every Linux.
const clockTicks = 100

// seconds returns the processor time used so far by these processes and by those that it was asked
// about before.
func (m *cpuMeter) seconds(pids []int) float64 {
	if m.last == nil {
		m.last = map[int]float64{}
	}
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil {
			continue // it has just ended; what it had used is known
		}
		const user, system = 11, 12 // behind the name
		if fields := statFields(stat); len(fields) > system {
			u, _ := strconv.ParseFloat(string(fields[user]), 64)
			s, _ := strconv.ParseFloat(string(fields[system]), 64)
			m.last[pid] = (u + s) / clockTicks
		}
	}
	sum := 0.0
	for _, used := range m.last {
		sum += used
	}
	return sum
}
