package reports

import (
	"math"
	"slices"
)

// Timeline is a run over time, ready to be drawn. Times are seconds since the start of the load.
type Timeline struct {
	// Title and Subtitle stand above the chart.
	Title, Subtitle string
	// From and To bound the time axis.
	From, To float64
	// LoadEnds is when the load ended; 0 if it did not.
	LoadEnds float64
	// Rates in spans per second, and the buffered spans.
	Rates []RatePoint
	// Faults in the order of their begin.
	Faults []FaultBar
	// Lanes, one per worker, ordered by worker.
	Lanes []Lane
}

// RatePoint is the rates around one time.
type RatePoint struct {
	T        float64 `json:"t"`
	In       float64 `json:"in_spans_per_second"`
	Out      float64 `json:"out_spans_per_second"`
	Buffered float64 `json:"buffered_spans"`
	Paused   int     `json:"paused_shards"`
}

// FaultBar is a fault and how long its direct effect lasted.
type FaultBar struct {
	From, To float64
	Worker   int
	Fault    string
}

// Lane is the life of one worker.
type Lane struct {
	Worker int
	Bars   []StateBar
}

// StateBar is a time that a worker spent in one state.
type StateBar struct {
	From, To float64
	State    State
}

// rateWindow is the time over which a rate is taken, in seconds: deadlines are whole seconds of the
// input's clock, so what comes out comes in pulses a second apart.
const rateWindow = 1.0

// NewTimeline derives the timeline from what was recorded.
func NewTimeline(events []Event, samples []Sample) Timeline {
	t := Timeline{Rates: rates(samples)}
	if len(samples) > 0 {
		t.From, t.To = samples[0].T, samples[len(samples)-1].T
	}
	for _, e := range events {
		t.From, t.To = min(t.From, e.T), max(t.To, e.T)
		if e.Kind == EventPhase && e.Text == PhaseDrain {
			t.LoadEnds = e.T
		}
	}
	t.From = max(t.From, -leadIn)
	t.Faults = faultBars(events, t.To)
	t.Lanes = lanes(events, t.From, t.To)
	return t
}

// leadIn is how much of the time before the load is drawn at most, in seconds.
const leadIn = 2

// PhaseDrain is the text of the phase event at which the load ends.
const PhaseDrain = "drain"

// rates takes for each sample the growth over the window before it.
func rates(samples []Sample) []RatePoint {
	points := make([]RatePoint, 0, len(samples))
	first := 0
	for i, s := range samples {
		for first < i && samples[first+1].T <= s.T-rateWindow {
			first++
		}
		p := RatePoint{T: s.T, Buffered: float64(s.Buffered()), Paused: s.Paused}
		if past := samples[first]; s.T > past.T {
			p.In = float64(s.Sent-past.Sent) / (s.T - past.T)
			p.Out = float64(s.Flushed-past.Flushed) / (s.T - past.T)
		}
		points = append(points, p)
	}
	return points
}

func faultBars(events []Event, end float64) []FaultBar {
	var bars []FaultBar
	for _, e := range events {
		switch e.Kind {
		case EventFaultBegin:
			bars = append(bars, FaultBar{From: e.T, To: end, Worker: e.Worker, Fault: e.Fault})
		case EventFaultEnd:
			for i := range bars {
				if bars[i].Fault == e.Fault {
					bars[i].To = e.T
				}
			}
		}
	}
	return bars
}

func lanes(events []Event, from, end float64) []Lane {
	byWorker := map[int]*Lane{}
	var workers []int
	for _, e := range events {
		if e.Kind != EventWorker {
			continue
		}
		lane := byWorker[e.Worker]
		if lane == nil {
			lane = &Lane{Worker: e.Worker}
			byWorker[e.Worker] = lane
			workers = append(workers, e.Worker)
		}
		at := max(e.T, from)
		if n := len(lane.Bars); n > 0 {
			lane.Bars[n-1].To = at
		}
		lane.Bars = append(lane.Bars, StateBar{From: at, To: math.Max(end, at), State: e.State})
	}
	slices.Sort(workers)
	list := make([]Lane, 0, len(workers))
	for _, worker := range workers {
		lane := byWorker[worker]
		lane.Bars = slices.DeleteFunc(lane.Bars, func(b StateBar) bool { return b.To <= b.From })
		list = append(list, *lane)
	}
	return list
}
