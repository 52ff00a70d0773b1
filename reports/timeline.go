package reports

// Timeline is a run over time, ready to be drawn. Times are seconds since the start of the load.
type Timeline struct {
	// Title and Subtitle stand above the charts; without a title neither does.
	Title, Subtitle string
	// From and To bound the time axis.
	From, To float64
	// LoadEnds is when the load ended; 0 if it did not.
	LoadEnds float64
	// Rates in spans per second.
	Rates []RatePoint
	// CPU in cores used.
	CPU []CPUPoint
	// Samples as they were recorded, for what is drawn as it is.
	Samples []Sample
	// Faults in the order of their begin. Where a chart has no room for a fault's text, it has its
	// number: 1 is the first.
	Faults []FaultBar
	// Lanes, one per worker, ordered by consumer and worker; above them, in a run in which something
	// happened to a consumer, one for it.
	Lanes []Lane
}

// NewTimeline derives the timeline from what was recorded.
func NewTimeline(events []Event, samples []Sample) Timeline {
	t := Timeline{Rates: rates(samples), CPU: cores(samples), Samples: samples}
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

// The phases of a run, as the texts of their events. The load lasts from PhaseLoad to PhaseDrain.
const (
	PhaseStart = "start"
	PhaseLoad  = "load"
	PhaseDrain = "drain"
	PhaseStop  = "stop"
)

// several says whether the run had more than one consumer.
func (t Timeline) several() bool {
	for _, lane := range t.Lanes {
		if lane.Consumer > 0 || lane.Worker == NoWorker {
			return true
		}
	}
	return false
}

// chartPointsMax is how many points the curves of a page's charts have: more than there are dots from
// left to right.
const chartPointsMax = 1500

// sparse is the timeline with no more points than a page's charts can show.
func (t Timeline) sparse() Timeline {
	t.Rates, t.CPU = sparse(t.Rates, chartPointsMax), sparse(t.CPU, chartPointsMax)
	t.Samples = sparse(t.Samples, chartPointsMax)
	return t
}
