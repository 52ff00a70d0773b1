package explore

import "testing"
import "os"
import "fmt"
import "sluice/internal/defects"
import "syscall"

func cpu() float64 {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return float64(r.Utime.Sec) + float64(r.Utime.Usec)/1e6
}
func TestProf(t *testing.T) {
	sz := DefaultSize()
	fmt.Sscan(os.Getenv("SZ"), &sz.Workers, &sz.Traces, &sz.Spans, &sz.Faults, &sz.Lease, &sz.Scattered)
	{
		k := allKinds
		c := cpu()
		ind := os.Getenv("NOIND") == ""
		w := newProtocol(newSystem(sz, defects.Defect{}), k, true, ind)
		f := &search{world: w, seen: map[uint64]struct{}{}}
		f.run(t.Context(), bounds{states: 20e6}, func(f *search) {})
		var r syscall.Rusage
		syscall.Getrusage(0, &r)
		t.Logf("%+v %v: gen %d distinct %d orbits %d depth %d %v cpu %.2f nodes %d stores %d boxes %d outs %d rss %d", sz, k, f.generated, len(f.from), f.orbits, f.depth, f.exhausted, cpu()-c, len(w.machines.nodes), len(w.stores.all), len(w.boxes.values), len(w.outputs.all), r.Maxrss)
		if f.wrong != "" {
			t.Log(f.wrong)
			for _, s := range f.way() {
				t.Log(s)
			}
		}
	}
}
