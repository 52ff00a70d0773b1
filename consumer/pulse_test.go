package consumer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
)

// TestPulses: which answers mean that a node has lost data, since when, and how many spans may be lost.
func TestPulses(t *testing.T) {
	const stored, meanwhile = 100, 50 // spans between two beats, and from the beat to its answer
	for name, test := range map[string]struct {
		beats []uint64 // as the node answers, a second apart
		// restarts are the answers that come from another server, or from one that was started anew.
		restarts []int
		want     []string // of each loss: which answer shows it, and how it is
	}{
		"all is well":                 {[]uint64{1, 2, 3, 4}, nil, nil},
		"answers were lost":           {[]uint64{1, 4, 5, 9}, nil, nil},
		"the count goes on elsewhere": {[]uint64{7, 8, 9}, nil, nil},
		"wiped":                       {[]uint64{1, 2, 3, 1, 2}, nil, []string{"3: empty since 0s, 350 spans"}},
		"wiped at once":               {[]uint64{1, 1}, nil, []string{"1: empty since 0s, 150 spans"}},
		"a beat was lost":             {[]uint64{1, 2, 3, 4, 4}, nil, []string{"4: since 2s, 250 spans"}},
		"a replica two behind":        {[]uint64{1, 2, 3, 4, 3, 4}, nil, []string{"4: since 1s, 350 spans"}},
		"behind, and answers lost":    {[]uint64{1, 2, 6, 7, 5}, nil, []string{"4: since 1s, 350 spans"}},
		"twice": {[]uint64{1, 2, 3, 3, 4, 1}, nil,
			[]string{"3: since 1s, 250 spans", "5: empty since 0s, 550 spans"}},
		"further back the second time": {[]uint64{1, 2, 3, 4, 4, 3}, nil,
			[]string{"4: since 2s, 250 spans", "5: since 1s, 450 spans"}},
		"more than is known": {[]uint64{10, 11, 3}, nil, []string{"2: since 0s, 250 spans"}},
		"restarted, and no beat is lost": {[]uint64{1, 2, 3, 4, 5}, []int{3},
			[]string{"3: possible since 2s, 150 spans"}},
		"restarted while answers were lost": {[]uint64{1, 2, 5, 6}, []int{2},
			[]string{"2: possible since 1s, 150 spans"}},
		"restarted, and a beat is lost": {[]uint64{1, 2, 3, 3, 4}, []int{3}, []string{"3: since 1s, 250 spans"}},
	} {
		t.Run(name, func(t *testing.T) {
			known, start := make(pulses), time.Unix(0, 0)
			var got []string
			server := "a"
			for i, beats := range test.beats {
				for _, at := range test.restarts {
					if at == i {
						server += "a"
					}
				}
				sent := moment{at: start.Add(time.Duration(i) * time.Second), stored: uint64(stored * i)}
				loss := known.note(buffer.Pulse{Marker: "m", Node: "n", Beats: beats, Server: server}, sent,
					sent.stored+meanwhile)
				other := known.note(buffer.Pulse{Marker: "other", Beats: uint64(i) + 1}, sent, sent.stored)
				if other != nil {
					t.Errorf("the loss of one node is another's: %v", other)
				}
				if loss == nil {
					continue
				}
				kind := ""
				if loss.Empty {
					kind = "empty "
				}
				if loss.Possible {
					kind += "possible "
				}
				got = append(got, fmt.Sprintf("%d: %ssince %v, %d spans", i, kind, loss.Since.Sub(start), loss.Spans))
				if last := sent.at.Add(-time.Second); loss.until != last || loss.Node != "n" {
					t.Errorf("well until %v on %s, want %v", loss.until, loss.Node, last)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("losses %q, want %q", got, test.want)
			}
		})
	}
}

// TestPulsesForget: what is remembered is bounded, the state of long ago is known less closely, and never
// taken for a later one.
// TestAMarkerThatMoves to a node that is there already, as slots do, is no restart; one that comes to a node
// that was not there is, though others move at the same time, and so is a restart of the node of two.
func TestAMarkerThatMoves(t *testing.T) {
	known, beats := make(pulses), uint64(0)
	beat := func(servers ...string) (possible []string) {
		beats++
		var answers []buffer.Pulse
		for i, server := range servers {
			answers = append(answers, buffer.Pulse{Marker: fmt.Sprint("m", i), Node: fmt.Sprint("n", i), Beats: beats,
				Server: server})
		}
		known.follow(answers)
		for _, pulse := range answers {
			if loss := known.note(pulse, moment{at: time.Unix(int64(beats), 0)}, 0); loss != nil && loss.Possible {
				possible = append(possible, loss.Node)
			}
		}
		return possible
	}
	for i, step := range []struct {
		servers []string
		want    string
	}{
		{[]string{"a", "b", "c"}, "[]"},
		{[]string{"b", "b", "c"}, "[]"},      // moved
		{[]string{"b", "c", "c"}, "[]"},      // another
		{[]string{"b", "c", "d"}, "[n2]"},    // started anew
		{[]string{"c", "e", "d"}, "[n0 n1]"}, // what was there before is there no more
		{[]string{"f", "f", "d"}, "[n0 n1]"}, // both in one new place
		{[]string{"f", "f", "f"}, "[]"},
		{[]string{"", "f", "f"}, "[n0]"},
	} {
		if got := fmt.Sprint(beat(step.servers...)); got != step.want {
			t.Errorf("step %d: %s may have lost data, want %s", i, got, step.want)
		}
	}
}

func TestPulsesForget(t *testing.T) {
	const all = 30 * momentsFine
	start := time.Unix(0, 0)
	for _, kept := range []int{1, 2, all / 2, all - momentsFine, all - 1} {
		known := make(pulses)
		var loss *Loss
		note := func(i int, beats uint64) {
			sent := moment{at: start.Add(time.Duration(i) * time.Second), stored: uint64(i)}
			loss = known.note(buffer.Pulse{Beats: beats}, sent, sent.stored)
		}
		for i := range all {
			note(i, uint64(i)+1)
		}
		if n := len(known[""].last); n < momentsFine || n > 12*momentsFine {
			t.Errorf("%d moments of %d are remembered, want %d or some more", n, all, momentsFine)
		}
		note(all, uint64(kept)+1)
		since := int(loss.Since.Sub(start) / time.Second)
		behind := all - kept
		if since > kept-1 || kept-1-since > 2+2*behind/momentsFine || loss.Spans != uint64(all-since) || loss.Empty {
			t.Errorf("%d beats kept of %d: %+v", kept, all, loss)
		}
		if text := loss.String(); !strings.Contains(text, "replica") {
			t.Errorf("%s", text)
		}
	}
}

// TestPaceOfSeveral: a node that was wiped has heard of one consumer only when it counts first, and others are
// there all the same; one that is gone is forgotten at the second count without it.
func TestPaceOfSeveral(t *testing.T) {
	a := &auditor{cfg: DefaultAudit(1), hasty: haste}
	for i, step := range []struct {
		counted []int // by each node
		want    time.Duration
	}{
		{nil, 20 * time.Millisecond}, {[]int{0, 0}, 20 * time.Millisecond}, {[]int{12, 11}, 240 * time.Millisecond},
		{[]int{0, 0}, 240 * time.Millisecond}, {[]int{1, 0}, 240 * time.Millisecond}, {[]int{2, 1}, 40 * time.Millisecond},
		{[]int{1, 1}, 40 * time.Millisecond}, {[]int{1, 1}, 20 * time.Millisecond}, {[]int{51}, time.Second},
	} {
		var answers []buffer.Pulse
		for _, n := range step.counted {
			answers = append(answers, buffer.Pulse{Witnesses: n})
		}
		if a.meetOthers(answers); a.pace() != step.want {
			t.Errorf("%d: after %v the pace is %v, want %v", i, step.counted, a.pace(), step.want)
		}
	}
	if a.hasty = 0; a.pace() != time.Second {
		t.Errorf("without haste the pace is %v", a.pace())
	}
}
