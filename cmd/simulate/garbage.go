package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"sluice/internal/process"
)

// A virtual run lets go of nearly all that it allocates within seconds of virtual time, and what it
// holds is small: collecting less often costs memory and saves time. Beyond a bound the collector
// works as hard as it must: a quarter of the memory that there is, but not less than garbageMin, unless
// that is more than three quarters of it. What GOGC and GOMEMLIMIT say comes first.
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
		debug.SetMemoryLimit(garbageMax(memoryAt("/")))
	}
}

// runBytes is what a run of 200,000 spans/s needs: it holds two thirds of that.
const runBytes = 3 << 29

// parallelMax is how many virtual runs may go on side by side: as there are cores, and memory that they may
// have.
func parallelMax() int {
	return int(min(int64(runtime.GOMAXPROCS(0)), max(1, debug.SetMemoryLimit(-1)/runBytes)))
}

// garbageMax is the bound where there are so many bytes; 0 if nobody can tell.
func garbageMax(memory uint64) int64 {
	if memory == 0 {
		return garbageMin
	}
	return int64(min(max(garbageMin, memory/garbageShare), memory/4*3))
}

// memoryAt returns how many bytes this process may have, with a root for /proc and /sys: those of the
// machine, or those of its control group or of one above it, such as a container's; 0 where nobody can
// tell.
func memoryAt(root string) uint64 {
	fs, err := procfs.NewFS(filepath.Join(root, procfs.DefaultMountPoint))
	if err != nil {
		return 0
	}
	info, err := fs.Meminfo()
	if err != nil || info.MemTotalBytes == nil {
		return 0
	}
	memory := *info.MemTotalBytes
	for dir, version := range process.Groups(root, "memory") {
		file := "memory.max"
		if version == 1 {
			file = "memory.limit_in_bytes"
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if limit, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil && bad == nil {
			memory = min(memory, limit)
		}
	}
	return memory
}
