package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
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
		{"", "", garbagePercent, garbageMax(memoryAt("/"))},
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
// collects for, and in a small container something is left for all else.
func TestGarbageMax(t *testing.T) {
	for memory, want := range map[uint64]int64{0: 2 << 30, 1 << 30: 768 << 20, 4 << 30: 2 << 30, 24 << 30: 6 << 30} {
		if got := garbageMax(memory); got != want {
			t.Errorf("of %d bytes, garbage may have %d, want %d", memory, got, want)
		}
	}
	if memoryAt("/") < 128<<20 {
		t.Errorf("the machine is said to have %d bytes", memoryAt("/"))
	}
}

// TestAtOnce: no more virtual runs go on side by side than there is memory for.
func TestAtOnce(t *testing.T) {
	most, cores := debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(3)
	t.Cleanup(func() {
		debug.SetMemoryLimit(most)
		runtime.GOMAXPROCS(cores)
	})
	for limit, want := range map[int64]int{math.MaxInt64: 3, 5 << 30: 3, 3 << 30: 2, 3<<30 - 1: 1, 1 << 20: 1} {
		if debug.SetMemoryLimit(limit); parallelMax() != want {
			t.Errorf("with %d bytes there are %d runs at once, want %d", limit, parallelMax(), want)
		}
	}
}

// TestMemoryOfAContainer: what a container may have is what there is, however its limit is written.
func TestMemoryOfAContainer(t *testing.T) {
	const machine = 24 << 30
	for name, c := range map[string]struct {
		group string // of /proc/self/cgroup
		files map[string]string
		want  uint64
	}{
		"no limit":           {"0::/", map[string]string{"memory.max": "max"}, machine},
		"no groups":          {"", nil, machine},
		"a container":        {"0::/", map[string]string{"memory.max": "1073741824"}, 1 << 30},
		"the machine's path": {"0::/docker/abc", map[string]string{"memory.max": "1073741824"}, 1 << 30},
		"a group above": {"0::/user.slice/run", map[string]string{"user.slice/memory.max": "2147483648",
			"user.slice/run/memory.max": "max"}, 2 << 30},
		"version 1": {"5:cpu:/\n4:memory:/run\n0::/", map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712",
			"memory/run/memory.limit_in_bytes": "3221225472"}, 3 << 30},
		"more than there is": {"0::/", map[string]string{"memory.max": "68719476736"}, machine},
		"of something else":  {"5:cpu:/run\n", map[string]string{"run/memory.max": "1"}, machine},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{"proc/meminfo": "MemTotal: 25165824 kB\n", "proc/7/cgroup": c.group}
			for file, text := range c.files { //order-free: each is a file
				files["sys/fs/cgroup/"+file] = text + "\n"
			}
			for file, text := range files { //order-free: each is a file
				path := filepath.Join(root, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Symlink("7", filepath.Join(root, "proc/self")); err != nil {
				t.Fatal(err)
			}
			if got := memoryAt(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}
