package main

import (
	"math"
	"runtime/debug"
	"testing"
)

// TestCollectLess: virtual runs let garbage gather, unless the environment says how much.
func TestCollectLess(t *testing.T) {
	percent, most := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(most)
	})
	for _, c := range []struct {
		gogc, limit string
		percent     int
		most        int64
	}{
		{"", "", garbagePercent, garbageMax(machineMemory())},
		{"150", "1GiB", 100, math.MaxInt64},
	} {
		t.Setenv("GOGC", c.gogc)
		t.Setenv("GOMEMLIMIT", c.limit)
		collectLess()
		percent, most := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
		if percent != c.percent || most != c.most {
			t.Errorf("GOGC=%s GOMEMLIMIT=%s: %d%% and at most %d bytes, want %d%% and %d", c.gogc, c.limit,
				percent, most, c.percent, c.most)
		}
	}
}

// TestGarbageMax: a large machine has room for two runs of 200,000 spans/s at a time, which a small one
// collects for.
func TestGarbageMax(t *testing.T) {
	for memory, want := range map[uint64]int64{0: 2 << 30, 4 << 30: 2 << 30, 24 << 30: 6 << 30} {
		if got := garbageMax(memory); got != want {
			t.Errorf("of %d bytes, garbage may have %d, want %d", memory, got, want)
		}
	}
	if machineMemory() < 128<<20 {
		t.Errorf("the machine is said to have %d bytes", machineMemory())
	}
}
