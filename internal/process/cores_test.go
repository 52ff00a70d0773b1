package process

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestCoresOfAContainer: what a container may compute at a time is what there is, however its quota is written.
func TestCoresOfAContainer(t *testing.T) {
	const machine = 16
	for name, c := range map[string]struct {
		group string // of /proc/self/cgroup
		files map[string]string
		want  int
	}{
		"no quota":           {"0::/", map[string]string{"cpu.max": "max 100000"}, machine},
		"no groups":          {"", nil, machine},
		"a container":        {"0::/", map[string]string{"cpu.max": "200000 100000"}, 2},
		"one core":           {"0::/", map[string]string{"cpu.max": "100000 100000"}, 1},
		"part of a core":     {"0::/", map[string]string{"cpu.max": "150000 100000"}, 2},
		"hardly any":         {"0::/", map[string]string{"cpu.max": "1000 100000"}, 1},
		"more than there is": {"0::/", map[string]string{"cpu.max": "6400000 100000"}, machine},
		"the machine's path": {"0::/docker/abc", map[string]string{"cpu.max": "300000 100000"}, 3},
		"a group above": {"0::/user.slice/run", map[string]string{"user.slice/cpu.max": "400000 100000",
			"user.slice/run/cpu.max": "max 100000"}, 4},
		"version 1": {"5:cpu,cpuacct:/run\n4:memory:/\n0::/", map[string]string{"cpu/cpu.cfs_quota_us": "-1",
			"cpu/cpu.cfs_period_us": "100000", "cpu/run/cpu.cfs_quota_us": "500000", "cpu/run/cpu.cfs_period_us": "100000"}, 5},
		"of something else": {"5:memory:/run\n", map[string]string{"run/cpu.max": "100000 100000"}, machine},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			files := map[string]string{"proc/7/cgroup": c.group}
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
			if got := coresAt(root, machine); got != c.want {
				t.Errorf("%d cores, want %d", got, c.want)
			}
		})
	}
}

// TestCores: what one program is told to use, or sets for itself, makes no core less.
func TestCores(t *testing.T) {
	want := coresAt("/", runtime.NumCPU())
	before := runtime.GOMAXPROCS(1 + runtime.NumCPU())
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	if got := Cores(); got != want || got < 1 || got > runtime.NumCPU() {
		t.Errorf("%d cores, want %d of %d", got, want, runtime.NumCPU())
	}
}
