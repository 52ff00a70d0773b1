package bench

import (
	"fmt"
	"runtime"
	"time"

	"github.com/prometheus/procfs"

	"sluice/internal/process"
)

// cpuOf returns what processes have used of all cores so far, user and system.
func cpuOf(pids ...int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		p, alive := process.Look(pid)
		if !alive {
			return 0, fmt.Errorf("processor time of %d: it has ended", pid)
		}
		sum += p.CPU
	}
	return sum, nil
}

// busy returns what everything on the machine has used of all cores so far.
func busy() (time.Duration, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, err
	}
	stat, err := fs.Stat()
	if err != nil {
		return 0, err
	}
	cpu := stat.CPUTotal
	used := cpu.User + cpu.Nice + cpu.System + cpu.IRQ + cpu.SoftIRQ + cpu.Steal
	return time.Duration(used * float64(time.Second)), nil
}

// residentMost returns the most memory that a process has held so far, in bytes.
func residentMost(pid int) (int64, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, err
	}
	status, err := p.NewStatus()
	return int64(status.VmHWM), err
}

// resident returns the memory that a process holds, in bytes.
func resident(pid int) (int64, error) {
	p, alive := process.Look(pid)
	if !alive {
		return 0, fmt.Errorf("memory of %d: it has ended", pid)
	}
	return p.RSS, nil
}

// children returns the processes whose parent is pid.
func children(pid int) ([]int, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	var found []int
	for _, one := range all {
		if p, alive := process.Look(one.PID); alive && p.Parent == pid {
			found = append(found, p.Pid)
		}
	}
	return found, nil
}

// cores is how many processors there are.
var cores = float64(runtime.NumCPU())
