package instance

import (
	"bytes"
	"os"
	"strconv"
)

// Process is a process of a run that has not ended.
type Process struct {
	Pid, Parent int
	// Stopped is true while it is frozen by a signal.
	Stopped bool

	start string // when it was started, which tells it from a later one of the same number
}

// Scanner finds the processes of a run by asking the operating system, so that it also sees what
// everybody else has lost track of. It is not for several goroutines at a time.
type Scanner struct {
	mark []byte
	self int
	// known says of processes whether they have the mark. It is read once: a process keeps its
	// first environment.
	known map[int]known
}

type known struct {
	start  string
	marked bool
}

// NewScanner returns a scanner of the processes that have the mark, a KEY=VALUE, in their
// environment.
func NewScanner(mark string) *Scanner {
	return &Scanner{mark: []byte(mark), self: os.Getpid(), known: make(map[int]known)}
}

// Scan returns the processes that live, in no order: they all did at the moment of its return.
// Those of other users, and those that have just ended, are not there. ok is false on a system
// that cannot be asked.
func (s *Scanner) Scan() (list []Process, ok bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false
	}
	seen := make(map[int]known, len(s.known))
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		p, alive := look(pid)
		if !alive {
			continue
		}
		ok = ok || pid == s.self
		k, sure := s.ask(p)
		if sure {
			seen[pid] = k
		}
		if k.marked {
			list = append(list, p)
		}
	}
	s.known = seen
	// The list took its time, in which a process may have ended and its successor started. Only
	// those that are still there lived at the same time.
	alive := list[:0]
	for _, p := range list {
		if now, is := look(p.Pid); is && now.start == p.start {
			alive = append(alive, now)
		}
	}
	return alive, ok
}

// IsChild tells whether a process lives and has that parent. On a system that cannot be asked it is
// believed.
func IsChild(pid, parent int) bool {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return true
	}
	p, alive := look(pid)
	return alive && p.Parent == parent
}

// ask tells whether a process has the mark, and whether that can be relied on from now on.
func (s *Scanner) ask(p Process) (k known, sure bool) {
	k, is := s.known[p.Pid]
	if is && k.start == p.start {
		return k, true
	}
	const kernel = 2 // the parent of the kernel's own threads
	if p.Parent == kernel {
		return known{start: p.start}, true
	}
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(p.Pid) + "/environ")
	marked := bytes.HasPrefix(environment, append(bytes.Clone(s.mark), 0)) ||
		bytes.Contains(environment, append(append([]byte{0}, s.mark...), 0))
	// A process that is just being started shows its parent's environment, or none.
	sure = err == nil && len(environment) > 0 && (marked || p.Parent != s.self)
	return known{start: p.start, marked: marked}, sure
}

// look asks for one process; alive is false if it has ended.
func look(pid int) (p Process, alive bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Process{}, false
	}
	p, state, ok := parseStat(stat)
	p.Pid = pid
	return p, ok && state != 'Z' && state != 'X'
}

// parseStat reads a process from its stat file: "pid (name) state parent ...", and when it was
// started in the 22nd place. The name may hold anything, also brackets.
func parseStat(stat []byte) (p Process, state byte, ok bool) {
	_, rest, found := bytes.Cut(stat[max(bytes.LastIndexByte(stat, ')'), 0):], []byte(") "))
	fields := bytes.Fields(rest)
	const start = 19 // counted from the state
	if !found || len(fields) <= start || len(fields[0]) != 1 {
		return Process{}, 0, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	state = fields[0][0]
	p = Process{Parent: parent, Stopped: state == 'T', start: string(fields[start])}
	return p, state, err == nil
}
