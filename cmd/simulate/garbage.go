package main

import (
	"os"
	"runtime/debug"

	"github.com/prometheus/procfs"
)

// A virtual run lets go of nearly all that it allocates within seconds of virtual time, and what it
// holds is small: collecting less often costs memory and saves time. Beyond a bound the collector
// works as hard as it must: a quarter of the machine's memory, but not less than garbageMin. What GOGC
// and GOMEMLIMIT say comes first.
const (
	garbagePercent = 400
	garbageMin     = 2 << 30 // bytes of the heap
	garbageShare   = 4
)

// collectLess sets the garbage collector for virtual runs.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(garbageMax(machineMemory()))
	}
}

// garbageMax is the bound on a machine of so many bytes.
func garbageMax(memory uint64) int64 { return int64(max(garbageMin, memory/garbageShare)) }

// machineMemory returns how many bytes the machine has; 0 where nobody can tell.
func machineMemory() uint64 {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0
	}
	info, err := fs.Meminfo()
	if err != nil || info.MemTotalBytes == nil {
		return 0
	}
	return *info.MemTotalBytes
}
