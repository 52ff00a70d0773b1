package diff

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/reports"
)

func TestFirstOf(t *testing.T) {
	story := []reports.Event{
		{T: 0, Kind: reports.EventPhase, Worker: reports.NoWorker, Text: "load"},
		{T: 1, Kind: reports.EventWorker, Worker: 1, State: reports.StateHung},
		{T: 2, Kind: reports.EventWorker, Worker: 1, State: reports.StateDead, Text: "killed"},
		{T: 3, Kind: reports.EventRestart, Worker: 1, Text: "hang"},
		{T: 4, Kind: reports.EventWorker, Worker: 1, State: reports.StateHealthy},
		{T: 5, Kind: reports.EventFaultEnd, Worker: 1, Fault: "at 1s hang worker 1"},
	}
	later := append([]reports.Event(nil), story...)
	later[4].T = 4.5
	elsewhere := append([]reports.Event(nil), story...)
	elsewhere[5].Worker = 2
	samples := []reports.Sample{{T: 0.1, Sent: 5}, {T: 0.2, Sent: 9}}
	slower := []reports.Sample{{T: 0.1, Sent: 5}, {T: 0.2, Sent: 9, CPURedis: 1, Backlog: 2}}
	for name, c := range map[string]struct {
		a, b          []reports.Event
		samplesA      []reports.Sample
		samplesB      []reports.Sample
		brief, sample string
		lines         []string
	}{
		"none": {a: story, b: story, samplesA: samples, samplesB: samples,
			brief: "what is recorded is the same, and yet the digests differ"},
		"another time": {a: story, b: later, brief: "the first difference is event 4: " +
			"at 4.00000 s worker 1 is healthy; and in the other: at 4.50000 s worker 1 is healthy",
			lines: []string{
				"    1.00000 s  worker 1 is hung",
				"    2.00000 s  worker 1 is dead: killed",
				"    3.00000 s  replacing worker 1: hang",
				"-   4.00000 s  worker 1 is healthy",
				"-   5.00000 s  fault ended: at 1s hang worker 1",
				"+   4.50000 s  worker 1 is healthy",
				"+   5.00000 s  fault ended: at 1s hang worker 1",
			}},
		"one has more": {a: story[:2], b: story,
			brief: "the first difference is event 2: no more event; and in the other: " +
				"at 2.00000 s worker 1 is dead: killed",
			lines: []string{
				"    0.00000 s  phase load",
				"    1.00000 s  worker 1 is hung",
				"-              no more event",
				"+   2.00000 s  worker 1 is dead: killed",
				"+   3.00000 s  replacing worker 1: hang",
				"+   4.00000 s  worker 1 is healthy",
				"+   5.00000 s  fault ended: at 1s hang worker 1",
			}},
		"the other has none": {a: story, b: nil,
			brief: "the first difference is event 0: at 0.00000 s phase load; and in the other: no more event"},
		"only figures": {a: story, b: story, samplesA: samples, samplesB: slower,
			brief:  "the events are the same, and the figures differ from 0.200 s on: backlog, cpu_redis",
			sample: "the figures differ from 0.200 s on: backlog, cpu_redis"},
		"fewer samples": {a: story, b: story, samplesA: samples, samplesB: samples[:1],
			brief:  "the events are the same, and the figures differ from 0.200 s on",
			sample: "the figures differ from 0.200 s on"},
	} {
		t.Run(name, func(t *testing.T) {
			d := FirstOf(c.a, c.b, c.samplesA, c.samplesB)
			if d.Brief() != c.brief || d.sampleText() != c.sample {
				t.Errorf("%q, %q, want %q, %q", d.Brief(), d.sampleText(), c.brief, c.sample)
			}
			if c.lines != nil {
				if diff := cmp.Diff(c.lines, d.lines()); diff != "" {
					t.Errorf("lines: -want +got:\n%s", diff)
				}
			}
		})
	}
	if text := FirstOf(story, elsewhere, nil, nil).Brief(); !strings.Contains(text, "Worker:1") ||
		!strings.Contains(text, "Worker:2") {
		t.Errorf("two events that read alike are told apart by nothing: %s", text)
	}
}
