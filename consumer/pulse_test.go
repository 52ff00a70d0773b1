package consumer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
)

// TestPulses: which answers mean that a node has lost data, since when, and what may be lost.
func TestPulses(t *testing.T) {
	const stored = 100 // spans between two beats
	for name, test := range map[string]struct {
		beats []uint64 // as the node answers, a second apart
		want  []string // of each loss: which answer shows it, and how it is
	}{
		"all is well":                 {[]uint64{1, 2, 3, 4}, nil},
		"answers were lost":           {[]uint64{1, 4, 5, 9}, nil},
		"the count goes on elsewhere": {[]uint64{7, 8, 9}, nil},
		"wiped":                       {[]uint64{1, 2, 3, 1, 2}, []string{"3: empty since 0s, 300 spans"}},
		"wiped at once":               {[]uint64{1, 1}, []string{"1: empty since 0s, 100 spans"}},
		"a beat was lost":             {[]uint64{1, 2, 3, 4, 4}, []string{"4: since 2s, 200 spans"}},
		"a replica two behind":        {[]uint64{1, 2, 3, 4, 3, 4}, []string{"4: since 1s, 300 spans"}},
		"twice": {[]uint64{1, 2, 3, 3, 4, 1},
			[]string{"3: since 1s, 200 spans", "5: empty since 3s, 200 spans"}},
		"more than is known": {[]uint64{10, 11, 3}, []string{"2: since 0s, 200 spans"}},
	} {
		t.Run(name, func(t *testing.T) {
			known, start := make(pulses), time.Unix(0, 0)
			var got []string
			for i, beats := range test.beats {
				now := moment{start.Add(time.Duration(i) * time.Second), uint64(stored * i), 0}
				loss := known.note(buffer.Pulse{Marker: "m", Node: "n", Beats: beats}, now)
				other := known.note(buffer.Pulse{Marker: "other", Beats: uint64(i) + 1}, now)
				if other != nil {
					t.Errorf("the loss of one node is another's: %v", other)
				}
				if loss == nil {
					continue
				}
				empty := ""
				if loss.Empty {
					empty = "empty "
				}
				got = append(got, fmt.Sprintf("%d: %ssince %v, %d spans", i, empty, loss.Since.Sub(start), loss.Spans))
				if last := now.at.Add(-time.Second); loss.until != last || loss.Node != "n" {
					t.Errorf("well until %v on %s, want %v", loss.until, loss.Node, last)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("losses %q, want %q", got, test.want)
			}
		})
	}
}

// TestLostSpansAreBounded: what an empty node has lost was not flushed when it was last well. Of a node
// that was set back, what was flushed says nothing: it may be what had been there for long.
func TestLostSpansAreBounded(t *testing.T) {
	for _, c := range []struct {
		kept    uint64    // by the node; 1 is the beat that shows it
		flushed [4]uint64 // up to each beat; 400 spans are stored by the last, 100 more by each
		want    uint64
	}{
		{1, [4]uint64{0, 0, 0, 0}, 300}, // all that came since
		{1, [4]uint64{0, 100, 180, 180}, 220},
		{1, [4]uint64{0, 100, 180, 400}, 220},
		{3, [4]uint64{0, 100, 180, 400}, 200},
		{3, [4]uint64{900, 900, 900, 900}, 200},
	} {
		known := make(pulses)
		var loss *Loss
		for i, beats := range []uint64{1, 2, 3, c.kept} {
			loss = known.note(buffer.Pulse{Beats: beats},
				moment{time.Unix(int64(i), 0), uint64(100 * (i + 1)), c.flushed[i]})
		}
		if loss == nil || loss.Spans != c.want {
			t.Errorf("%d kept, flushed %d: %+v, want %d spans", c.kept, c.flushed, loss, c.want)
		}
	}
}

// TestPulsesForget: what is remembered is bounded, and a loss beyond it counts from the oldest.
func TestPulsesForget(t *testing.T) {
	known, start := make(pulses), time.Unix(0, 0)
	note := func(i int, beats uint64) *Loss {
		return known.note(buffer.Pulse{Beats: beats}, moment{start.Add(time.Duration(i) * time.Second), 0, 0})
	}
	const all = 5 * momentsMax
	for i := range all {
		note(i, uint64(i)+1)
	}
	if n := len(known[""].last); n < momentsMax || n > 2*momentsMax {
		t.Errorf("%d moments are remembered, want %d or some more", n, momentsMax)
	}
	loss := note(all, 2)
	if since := loss.Since.Sub(start); loss.Empty || since < time.Second || since > (all-momentsMax)*time.Second {
		t.Errorf("lost since %v, want what is the oldest", since)
	}
	if text := loss.String(); !strings.Contains(text, "replica") {
		t.Errorf("%s", text)
	}
}
