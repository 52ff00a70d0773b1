package process

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Identity names a process among those of all machines.
type Identity struct {
	Host string `json:"host"`
	Pid  int    `json:"pid"`
	// Start tells it from another process of the same number.
	Start uint64 `json:"start"`
	// Space is where the number means this process: one start of one machine, and a namespace of
	// processes on it. Empty where there is no /proc.
	Space string `json:"space"`
}

// Self is the identity of this process.
func Self() Identity {
	i := Identity{Pid: os.Getpid()}
	i.Host, _ = os.Hostname() // for a reader only
	boot, err1 := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, err2 := os.Readlink("/proc/self/ns/pid")
	if errors.Join(err1, err2) == nil {
		i.Space = strings.TrimSpace(string(boot)) + " " + namespace
	}
	now, _ := Look(i.Pid)
	i.Start = now.start
	return i
}

// Ended tells whether the process has ended for sure: false where nobody can know that from here.
func (i Identity) Ended() bool {
	if i.Space == "" || i.Space != Self().Space {
		return false
	}
	if errors.Is(unix.Kill(i.Pid, 0), unix.ESRCH) {
		return true
	}
	now, alive := Look(i.Pid) // of a process that it may not see it says nothing
	return now.Pid != 0 && (!alive || now.start != i.Start)
}
