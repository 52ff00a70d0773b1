package reports

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Faults with the same text are ended one after the other, and by the end of whom they hit.
func TestFaultsArePairedInOrder(t *testing.T) {
	begin := func(t float64, worker int, text string) Event {
		return Event{T: t, Kind: EventFaultBegin, Worker: worker, Fault: text}
	}
	end := func(t float64, worker int, text string) Event {
		return Event{T: t, Kind: EventFaultEnd, Worker: worker, Fault: text}
	}
	events := []Event{
		begin(1, NoWorker, "slow"), end(2, NoWorker, "slow"),
		begin(3, NoWorker, "slow"), begin(4, NoWorker, "slow"), end(6, NoWorker, "slow"),
		begin(5, 1, "all"), begin(5, 2, "all"), end(7, 2, "all"), end(9, 1, "all"),
		end(9.5, NoWorker, "never begun"), {T: 10, Kind: EventNote, Worker: NoWorker},
	}
	want := []FaultSummary{{"slow", NoWorker, 1, 2, true}, {"slow", NoWorker, 3, 6, true},
		{"slow", NoWorker, 4, 10, true},
		{"all", 1, 5, 9, true}, {"all", 2, 5, 7, true}}
	if diff := cmp.Diff(want, FaultsOf(events)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var open []bool
	for _, bar := range NewTimeline(events, nil).Faults {
		open = append(open, bar.Open)
	}
	if want := []bool{false, false, true, false, false}; !slices.Equal(open, want) {
		t.Errorf("open are %v, want %v", open, want)
	}
	if got := FaultsOf(nil); got == nil || len(got) > 0 {
		t.Errorf("no events have faults %#v, want an empty list", got)
	}
}

// A lane belongs to a worker of a consumer; consumers have lanes where something became of one.
func TestLanes(t *testing.T) {
	worker := func(consumer, worker int) Event {
		return Event{Kind: EventWorker, Consumer: consumer, Worker: worker, State: StateHealthy}
	}
	consumer := func(consumer int, states ...State) []Event {
		var list []Event
		for i, state := range states {
			list = append(list, Event{T: float64(i), Kind: EventConsumer, Consumer: consumer,
				Worker: NoWorker, State: state})
		}
		return list
	}
	calm := consumer(0, StateStarting, StateHealthy, StateStopped)
	for name, c := range map[string]struct {
		events []Event
		want   string
	}{
		"one consumer":       {[]Event{worker(0, 1), worker(0, 0)}, "worker 0, worker 1"},
		"one that only ran":  {append(calm, worker(0, 0)), "worker 0"},
		"two without events": {[]Event{worker(1, 0), worker(0, 0)}, "c0 worker 0, c1 worker 0"},
		"a second one joined": {append(consumer(1, StateStarting), worker(0, 0), worker(1, 0)),
			"c0 worker 0, consumer 1, c1 worker 0"},
		"the only one died": {append(consumer(0, StateStarting, StateDead), worker(0, 3)),
			"consumer 0, c0 worker 3"},
	} {
		timeline := NewTimeline(append(c.events, Event{T: 9, Kind: EventNote}), nil)
		var labels []string
		for _, lane := range timeline.Lanes {
			labels = append(labels, who(lane.Consumer, lane.Worker, timeline.several()))
			if len(lane.Bars) == 0 || lane.Bars[len(lane.Bars)-1].To != 9 {
				t.Errorf("%s: lane %+v does not reach to the end", name, lane)
			}
		}
		if got := strings.Join(labels, ", "); got != c.want {
			t.Errorf("%s: lanes are %s, want %s", name, got, c.want)
		}
	}
}

// What is not known is said in words; what is partly known is drawn, and the rest is named.
func TestPanelsSayWhatIsNotKnown(t *testing.T) {
	var nothing, some []Sample
	for i := range 50 {
		at := float64(i) / 10
		nothing = append(nothing, Sample{T: at})
		some = append(some, Sample{T: at, Sent: int64(i * 10), Backlog: 5, RedisBytes: 1000,
			RedisBytesMax: 5000, FreshP99: 0.1, CPUWorkers: at})
	}
	strips := func(samples []Sample) []strip {
		t := NewTimeline(nil, samples)
		return []strip{t.ratesStrip(), t.bufferedStrip(), t.backlogStrip(), t.memoryStrip(),
			t.freshnessStrip(), t.cpuStrip(), t.lanesStrip()}
	}
	for _, s := range strips(nothing) {
		if s.paint != nil || s.note == "" || s.height > 0 {
			t.Errorf("%s of nothing is drawn, or without words: %q", s.name, s.note)
		}
	}
	for _, s := range strips(some)[:6] {
		if s.paint == nil {
			t.Errorf("%s is not drawn: %q", s.name, s.note)
		}
	}
	if got, want := NewTimeline(nil, some).cpuStrip().note,
		"not known: consumer, Redis, Kafka, harness"; got != want {
		t.Errorf("cpu has note %q, want %q", got, want)
	}
	for limit, want := range map[int64]string{
		0: "no limit", 1500: "dashed: limit 1.5k", 5000: "limit 5k, off the chart",
	} {
		for i := range some {
			some[i].RedisBytesMax = limit
		}
		if got := NewTimeline(nil, some).memoryStrip().note; got != want {
			t.Errorf("with limit %d the note is %q, want %q", limit, got, want)
		}
	}
}

// A counter that starts again is not negative use.
func TestCoresOfACounterThatStartsAgain(t *testing.T) {
	var samples []Sample
	for i := range 40 {
		s := Sample{T: float64(i) / 10, CPURedis: float64(i) / 10}
		if i >= 20 {
			s.CPURedis -= 2
		}
		samples = append(samples, s)
	}
	for _, p := range NewTimeline(nil, samples).CPU {
		if p.Redis < 0 || p.Redis > 1.001 {
			t.Errorf("at %v s Redis uses %v cores", p.T, p.Redis)
		}
	}
}

// No label covers another or the line from another, however many faults there are, and all that
// have room are there.
func TestFaultLabelsLeaveEachOtherRoom(t *testing.T) {
	for _, count := range []int{1, 3, 25, 400} {
		for _, width := range []int{narrowWidth, wideWidth} {
			var faults []FaultBar
			for i := range count {
				faults = append(faults, FaultBar{From: 300 * float64(i) / float64(count), Worker: NoWorker,
					Fault: fmt.Sprintf("at %ds kafka slow 20ms for 3s", i)})
			}
			p := stack{Timeline: Timeline{To: 300}, width: vgLength(width)}.base()
			marks := placeMarks(faults, p)
			for i, a := range marks {
				if a.row < 0 || a.row >= markRows || a.x1 > p.right+0.01 {
					t.Errorf("%d faults, width %d: %+v is outside", count, width, a)
				}
				for _, b := range marks[:i] {
					if a.hides(b) || b.hides(a) {
						t.Errorf("%d faults, width %d: %+v and %+v meet", count, width, a, b)
					}
				}
			}
			if want := min(count, 15); len(marks) < want {
				t.Errorf("%d faults, width %d: only %d labels", count, width, len(marks))
			}
			if numbered := strings.HasPrefix(marks[0].text, "1 "); numbered != (count > 3) {
				t.Errorf("%d faults, width %d: the first is %q", count, width, marks[0].text)
			}
		}
	}
}

// One fault that hits all workers has one label, with the number of the first.
func TestFaultOnManyHasOneLabel(t *testing.T) {
	var faults []FaultBar
	for worker := range 3 {
		faults = append(faults,
			FaultBar{From: 5, To: 6, Worker: worker, Fault: "at 5s crash all workers"})
	}
	marks := placeMarks(faults, stack{Timeline: Timeline{To: 10}, width: wideWidth}.base())
	if len(marks) != 1 || marks[0].text != "at 5s crash all workers (3 hit)" {
		t.Errorf("labels are %+v", marks)
	}
}
