package harness

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// runProcess is one that the run started: a consumer or a worker.
type runProcess struct {
	pid, parent int
	// frozen by SIGSTOP: it can do nothing, not even end.
	frozen bool
}

// marked returns the processes that have a variable in their environment, and have not ended, by
// asking the operating system: so it also sees one that everybody has lost track of. ok is false on
// a system that cannot be asked.
func marked(mark string) (list []runProcess, ok bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false
	}
	self := os.Getpid()
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		ok = ok || pid == self
		environment, err := os.ReadFile("/proc/" + entry.Name() + "/environ")
		if err != nil || !slices.Contains(strings.Split(string(environment), "\x00"), mark) {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it has just ended
		}
		if parent, state, is := parseStat(stat); is && state != 'Z' && state != 'X' {
			list = append(list, runProcess{pid, parent, state == 'T'})
		}
	}
	return list, ok
}

// end kills what is left of a run, frozen or not.
func endAll(mark string) (killed int) {
	list, _ := marked(mark)
	for _, p := range list {
		if syscall.Kill(p.pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	return killed
}

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

// parseStat reads the state and the parent of a process from its stat file: "pid (name) state
// parent ...". The name may hold anything, also brackets.
func parseStat(stat []byte) (parent int, state byte, ok bool) {
	fields := statFields(stat)
	if len(fields) < 2 || len(fields[0]) != 1 {
		return 0, 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return parent, fields[0][0], err == nil
}

// statFields returns what stands behind the name.
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
