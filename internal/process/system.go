package process

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// Info is what the operating system says of a process.
type Info struct {
	Pid, Parent int
	// Stopped is true while it is frozen by a signal.
	Stopped bool
	Usage

	start uint64 // when it was started, which tells it from a later one of the same number
}

// Usage is what a process uses of the machine.
type Usage struct {
	// CPU is the user and system time that it has used so far.
	CPU time.Duration `json:"cpu"`
	// RSS is the resident memory that it holds now, in bytes; 0 where there is no /proc. (The most
	// ever, as the kernel keeps it, begins with what the parent held when it started the process.)
	RSS int64 `json:"rss"`
}

var system = sync.OnceValues(procfs.NewDefaultFS)

// Look asks for one process; alive is false if it has ended, and on a system that cannot be asked.
// One that has ended and was not waited for yet still tells its CPU.
func Look(pid int) (i Info, alive bool) {
	fs, err := system()
	if err != nil {
		return Info{}, false
	}
	p, err := fs.Proc(pid)
	if err != nil {
		return Info{}, false
	}
	stat, err := p.Stat()
	if err != nil {
		return Info{}, false
	}
	return Info{
		Pid:     pid,
		Parent:  stat.PPID,
		Stopped: stat.State == "T",
		Usage: Usage{
			CPU: time.Duration(stat.CPUTime() * float64(time.Second)),
			RSS: int64(stat.ResidentMemory()),
		},
		start: stat.Starttime,
	}, stat.State != "Z" && stat.State != "X"
}

// Own returns what this process uses, its CPU more finely than Look has it. It costs a tenth of that, since
// workers report it many times a second.
func Own() (u Usage) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) == nil {
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		u.RSS = residentIn(string(text)) * int64(os.Getpagesize())
	}
	return u
}

// residentIn is the second number of /proc/PID/statm: how many pages are resident.
func residentIn(statm string) int64 {
	fields := strings.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages
}

// IsChild tells whether a process lives and has that parent. On a system that cannot be asked it is
// believed.
func IsChild(pid, parent int) bool {
	if _, ok := Look(os.Getpid()); !ok {
		return true
	}
	i, alive := Look(pid)
	return alive && i.Parent == parent
}

// Scanner finds the processes of a run by asking the operating system, so that it also sees what
// everybody else has lost track of. It is not for several goroutines at a time.
type Scanner struct {
	mark string
	self int
	// known says of processes whether they have the mark. It is read once: a process keeps its
	// first environment.
	known map[int]known
}

type known struct {
	// folder is that in /proc, which tells the process from a later one of the same number, and
	// costs a tenth of what a look at the process does.
	folder os.FileInfo
	marked bool
}

// NewScanner returns a scanner of the processes that have the mark, a KEY=VALUE, in their
// environment.
func NewScanner(mark string) *Scanner {
	return &Scanner{mark: mark, self: os.Getpid(), known: make(map[int]known)}
}

// Scan returns the processes that live, in no order: they all did at the moment of its return.
// Those of other users, and those that have just ended, are not there. ok is false on a system
// that cannot be asked.
func (s *Scanner) Scan() (list []Info, ok bool) {
	if _, ok := Look(s.self); !ok {
		return nil, false
	}
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
		folder, err := entry.Info()
		if err != nil {
			continue // it has just ended
		}
		k, sure := s.known[pid]
		if !sure || !os.SameFile(k.folder, folder) {
			k.folder = folder
			k.marked, sure = s.ask(pid)
		}
		if sure {
			seen[pid] = k
		}
		if !k.marked {
			continue
		}
		if p, alive := Look(pid); alive {
			list = append(list, p)
		}
	}
	s.known = seen
	// The list took its time, in which a process may have ended and its successor started. Only
	// those that are still there lived at the same time.
	alive := list[:0]
	for _, p := range list {
		if now, is := Look(p.Pid); is && now.start == p.start {
			alive = append(alive, now)
		}
	}
	return alive, true
}

// ask tells whether a process has the mark, and whether that can be relied on from now on.
func (s *Scanner) ask(pid int) (marked, sure bool) {
	i, alive := Look(pid)
	if !alive {
		return false, false
	}
	const kernel = 2 // the parent of the kernel's own threads
	if i.Parent == kernel {
		return false, true
	}
	p, err := procfs.NewProc(pid)
	if err != nil {
		return false, false
	}
	environment, err := p.Environ()
	marked = slices.Contains(environment, s.mark)
	// A process that is just being started shows its parent's environment, or none.
	return marked, err == nil && len(environment) > 0 && (marked || i.Parent != s.self)
}
