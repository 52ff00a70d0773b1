package main

import (
	"os"
	"runtime/debug"
)

// A virtual run lets go of nearly all that it allocates within seconds of virtual time, and what it
// holds is small: collecting less often costs memory and saves time. Beyond a bound the collector
// works as hard as it must. What GOGC and GOMEMLIMIT say comes first.
const (
	garbagePercent = 400
	garbageMax     = 2 << 30 // bytes of the heap
)

// collectLess sets the garbage collector for virtual runs.
func collectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(garbageMax)
	}
}
