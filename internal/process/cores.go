package process

import (
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/prometheus/procfs"
)

// Cores is how many cores there are for the programs here: those that this process may run on, or as many
// as its control group or one above it may use at a time, such as a container's of 2 CPUs, a part of one
// counting as a whole. It has nothing to do with GOMAXPROCS, which is about one program, and which a
// calibration changes.
var Cores = sync.OnceValue(func() int { return coresAt("/", runtime.NumCPU()) })

// coresAt is Cores with a root for /proc and /sys, and so many cores without any limit.
func coresAt(root string, cores int) int {
	limit := float64(cores)
	for dir, version := range Groups(root, "cpu") {
		quota, period := "max", ""
		if version == 1 {
			quota, period = textOf(dir, "cpu.cfs_quota_us"), textOf(dir, "cpu.cfs_period_us")
		} else if fields := strings.Fields(textOf(dir, "cpu.max")); len(fields) == 2 {
			quota, period = fields[0], fields[1]
		}
		q, bad := strconv.ParseFloat(quota, 64) // "max" and -1 are no limit
		p, worse := strconv.ParseFloat(period, 64)
		if bad == nil && worse == nil && q > 0 && p > 0 {
			limit = min(limit, q/p)
		}
	}
	return max(1, int(math.Ceil(limit)))
}

func textOf(dir, file string) string {
	text, _ := os.ReadFile(filepath.Join(dir, file)) // a file that is not there says nothing
	return strings.TrimSpace(string(text))
}

// Groups yields the directories of this process's control group and of those above it in which a
// controller has its files, with the version of control groups that they are of, 1 or 2; with a root for
// /proc and /sys. None where nobody can tell.
func Groups(root, controller string) iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		fs, err := procfs.NewFS(filepath.Join(root, procfs.DefaultMountPoint))
		if err != nil {
			return
		}
		self, err := fs.Self()
		if err != nil {
			return
		}
		groups, err := self.Cgroups()
		if err != nil {
			return
		}
		for _, g := range groups {
			mount, version := "sys/fs/cgroup", 2
			switch {
			case slices.Contains(g.Controllers, controller):
				mount, version = filepath.Join(mount, controller), 1
			case g.HierarchyID != 0:
				continue
			}
			// In a container, the path may be one of the machine, which is not there: its own group is the top.
			for path := filepath.Clean("/" + g.Path); ; path = filepath.Dir(path) {
				if !yield(filepath.Join(root, mount, path), version) {
					return
				}
				if path == "/" {
					break
				}
			}
		}
	}
}
