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
		{"", "", garbagePercent, garbageMax},
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
