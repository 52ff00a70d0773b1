package calibrate

import (
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
)

// TestRestartsTellCostsApart: with what Redis is restarted with, it is found again what a process, a trace
// and 1,000 bytes take, each time a few milliseconds more or less.
func TestRestartsTellCostsApart(t *testing.T) {
	const process, trace, kb = 20 * time.Millisecond, 3 * time.Microsecond, 4 * time.Microsecond
	r := &rig{codec: codec.New(buffer.DefaultOptions().MaxSegmentBytes)}
	list := []equation{says(process, 1, 0, 0)}
	for i, s := range stored() {
		h, err := r.hoard(s, storedTimes*int(DefaultSpans*s.share))
		if err != nil {
			t.Fatal(err)
		}
		spans := 0
		for _, traces := range h.batches {
			for _, one := range traces {
				for _, subtree := range one.Subtrees {
					spans += len(subtree.Spans)
				}
			}
		}
		if spans < h.traces || h.kb < spans/2 || h.kb > 3*spans {
			t.Errorf("%s: %d spans of %d traces are %d kB", s.name, spans, h.traces, h.kb)
		}
		noise := time.Duration(i%2*2-1) * 2 * time.Millisecond
		list = append(list, says(process+time.Duration(h.traces)*trace+time.Duration(h.kb)*kb+noise,
			1, h.traces, h.kb))
	}
	got, err := solve(list)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []time.Duration{process, trace, kb} {
		if off := float64(got[k])/float64(want) - 1; off < -0.25 || off > 0.25 {
			t.Errorf("%v, want %v, %v, %v", got, process, trace, kb)
			break
		}
	}
}

// TestWarmUpOf: what all runs took more than warm ones.
func TestWarmUpOf(t *testing.T) {
	for _, c := range []struct {
		runs []warming
		want time.Duration
	}{
		{nil, 0},
		{[]warming{{300, 320}}, 0},
		{[]warming{{900, 300}, {1200, 1000}, {1020, 1000}, {990, 1000}}, 600 + 200 + 20 - 10},
	} {
		if got := warmUpOf(c.runs); got != c.want {
			t.Errorf("%v: %d, want %d", c.runs, got, c.want)
		}
	}
}
