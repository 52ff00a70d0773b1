package harness

import (
	"bytes"
	"os"
	"strconv"
)

// children returns this process's children that have not ended, by asking the operating system, so
// that it also sees a worker that the supervisor has lost track of. Servers that the harness started
// are no children here: they have sessions of their own, workers have not. ok is false on a system that
// cannot be asked.
func children() (pids map[int]bool, ok bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false
	}
	self := os.Getpid()
	own, _ := os.ReadFile("/proc/self/stat")
	pids = map[int]bool{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it has just ended
		}
		ok = ok || pid == self
		parent, state, is := parseStat(stat)
		if is && parent == self && state != 'Z' && state != 'X' && session(stat) == session(own) {
			pids[pid] = true
		}
	}
	return pids, ok
}

// census counts the children that came after it was made: the workers.
type census struct{ before map[int]bool }

func newCensus() census {
	before, _ := children()
	return census{before}
}

// count returns how many workers live, or processesUnknown.
func (c census) count() int {
	pids, ok := children()
	if !ok {
		return processesUnknown
	}
	live := 0
	for pid := range pids {
		if !c.before[pid] {
			live++
		}
	}
	return live
}

// residentMax returns the greatest resident memory of processes, in bytes; 0 if it is not known. It
// asks for what they hold now: the greatest ever, as the kernel keeps it, begins with what the
// parent held when it started them.
func residentMax(pids map[int]int) int64 {
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
	_, rest, found := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	fields := bytes.Fields(rest)
	if !found || len(fields) < 2 || len(fields[0]) != 1 {
		return 0, 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	return parent, fields[0][0], err == nil
}

// session reads the session of a process from its stat file, the fourth field after the name; "" if
// it is none.
func session(stat []byte) string {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 4 {
		return ""
	}
	return string(fields[3])
}
