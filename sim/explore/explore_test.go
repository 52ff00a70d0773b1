package explore

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/defects"
)

var allKinds = kinds{
	readers: []act{actCrash, actLost}, workers: []act{actCrash, actFreeze, actLost},
}

func TestThin(t *testing.T) {
	for _, c := range []struct {
		size     Size
		defect   string
		sym, ind bool
	}{
		{Size{Workers: 1, Traces: 1, Spans: 1, Faults: 0, Lease: 1}, "", false, false},
		{Size{Workers: 1, Traces: 1, Spans: 2, Faults: 1, Lease: 1}, "", false, false},
		{Size{Workers: 1, Traces: 1, Spans: 2, Faults: 1, Lease: 1}, "", true, true},
		{Size{Workers: 1, Traces: 2, Spans: 4, Faults: 1, Lease: 1}, "", false, false},
		{Size{Workers: 1, Traces: 2, Spans: 4, Faults: 1, Lease: 1}, "", true, true},
		{Size{Workers: 1, Traces: 1, Spans: 1, Faults: 1, Lease: 1}, "ack-first", true, true},
		{Size{Workers: 1, Traces: 1, Spans: 1, Faults: 1, Lease: 1}, "delete-before-queue", true, true},
		{Size{Workers: 1, Traces: 1, Spans: 1, Faults: 1, Lease: 1}, "commit-first", true, true},
		{Size{Workers: 2, Traces: 2, Spans: 4, Faults: 1, Lease: 1}, "", false, false},
		{Size{Workers: 2, Traces: 2, Spans: 4, Faults: 1, Lease: 1}, "", true, true},
		{Size{Workers: 2, Traces: 2, Spans: 4, Faults: 2, Lease: 1}, "", true, true},
	} {
		d, err := defects.Find(c.defect)
		if err != nil {
			t.Fatal(err)
		}
		w := newProtocol(newSystem(c.size, d), allKinds, c.sym, c.ind)
		f := &search{world: w, seen: map[uint64]struct{}{}}
		began := time.Now()
		f.run(t.Context(), bounds{states: 3e6}, func(*search) {})
		took := time.Since(began).Seconds()
		t.Logf("%+v %s sym %v ind %v: generated %d distinct %d orbits %d depth %d exhausted %v in %.2fs, %.0f/s; nodes %d executed %d stores %d executed %d",
			c.size, c.defect, c.sym, c.ind, f.generated, len(f.from), f.orbits, f.depth, f.exhausted, took, float64(len(f.from))/took,
			len(w.machines.nodes), w.machines.executed, len(w.stores.all), w.stores.executed)
		if f.wrong != "" {
			t.Logf("WRONG %s\n%s", f.wrong, strings.Join(f.way(), "\n"))
		}
	}
}
