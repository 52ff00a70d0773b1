package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Story is a run, or the steps of a search, as the timeline of a page shows it: what one can move
// on. It is bounded in size, whatever the run's length; Notes say what was left out.
type Story struct {
	// Unit is what the axis counts: UnitSeconds since the start of the load, or UnitSteps.
	Unit string `json:"unit"`
	// From and To bound the axis; LoadEnds is 0 if the load did not end.
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	LoadEnds float64 `json:"loadEnds,omitempty"`
	// Faults in the order of their begin.
	Faults []StoryFault `json:"faults,omitempty"`
	// Lanes have one state at a time: workers, shards.
	Lanes []StoryLane `json:"lanes"`
	// Curves share an axis with those of the same Panel.
	Curves []StoryCurve `json:"curves,omitempty"`
	// Moments are what one steps along, in order.
	Moments []StoryMoment `json:"moments"`
	// Spans tells where spans were; nil if nothing is known of them.
	Spans *StorySpans `json:"spans,omitempty"`
	// Certainty is the chance that the run still fails, from points of it on; nil if nobody asked.
	Certainty *Certainty `json:"certainty,omitempty"`
	// Notes say what was thinned, and what the world cannot know.
	Notes []string `json:"notes,omitempty"`
}

// The units of a story.
const (
	UnitSeconds = "s"
	UnitSteps   = "step"
)

// StoryFault is a fault and its time.
type StoryFault struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	Text     string  `json:"text"`
	Consumer int     `json:"consumer"`
	Worker   int     `json:"worker"`
}

// StoryLane is a worker, a shard, or another thing that is in one state at a time.
type StoryLane struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	// Consumer, Worker and Shard that it is about; NoWorker or NoShard for none.
	Consumer int `json:"consumer"`
	Worker   int `json:"worker"`
	Shard    int `json:"shard"`
	// Bars are its states, Under what is drawn below them: stages of a worker, pauses of a shard.
	Bars  []StoryBar `json:"bars"`
	Under []StoryBar `json:"under,omitempty"`
}

// NoShard is the Shard of what concerns none or all.
const NoShard = -1

// StoryBar is a state and its time.
type StoryBar struct {
	From float64 `json:"f"`
	To   float64 `json:"t"`
	// Class is its colour, Text its words.
	Class string `json:"c"`
	Text  string `json:"x"`
}

// StoryCurve is a number over time. Both lists are as long; a value that is not known is null.
type StoryCurve struct {
	Panel string `json:"panel"`
	Name  string `json:"name"`
	// Class is its colour.
	Class string     `json:"class"`
	Xs    []float64  `json:"xs"`
	Ys    []*float64 `json:"ys"`
}

// StoryMoment is something that happened.
type StoryMoment struct {
	T    float64 `json:"t"`
	Kind string  `json:"kind"`
	Text string  `json:"text"`
	// Consumer and Worker that it concerns, NoWorker for none or all; Shards if any are named.
	Consumer int   `json:"consumer"`
	Worker   int   `json:"worker"`
	Shards   []int `json:"shards,omitempty"`
	// Bad is true for a violation.
	Bad bool `json:"bad,omitempty"`
	// Open are the choices that were open, of a search, Taken the one that was made: an index, or
	// -1. Changed says what is another in the state then.
	Open    []string      `json:"open,omitempty"`
	Taken   int           `json:"taken"`
	Changed []StoryChange `json:"changed,omitempty"`
}

// StoryChange is a part of a state before and after a step.
type StoryChange struct {
	What   string `json:"what"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Glance is what was seen of all workers at one time.
type Glance struct {
	T       float64
	Workers []WorkerGlance
}

// WorkerGlance is what one worker was doing.
type WorkerGlance struct {
	Consumer, Worker int
	// Stage is what it does, in the words of the flusher; Up is false if it neither is healthy nor
	// under backpressure.
	Stage string
	Up    bool
	// Shards that are its own.
	Shards []int
}

// What a story has at most: what does not matter to the eye is thinned.
const (
	pointsMax  = 800  // of a curve
	glancesMax = 1200 // that lanes are made of
	momentsMax = 3000
	barsMax    = 2000 // of a lane, about
)

// NewStory tells the story of a run: the timeline of its charts, what its workers did, its events,
// where its spans were, and what was violated.
func NewStory(t Timeline, events []Event, seen Watched, result Result) *Story {
	s := &Story{Unit: UnitSeconds, From: round(t.From), To: round(t.To), LoadEnds: round(t.LoadEnds),
		Lanes: []StoryLane{}, Moments: []StoryMoment{}, Spans: seen.Spans, Certainty: seen.Certainty}
	glances := seen.Glances
	for _, bar := range t.Faults {
		s.Faults = append(s.Faults, StoryFault{round(bar.From), round(bar.To), bar.Fault, bar.Consumer,
			bar.Worker})
	}
	if every := step(len(glances), glancesMax); every > 1 {
		s.note("Owners of shards, and stages as far as they were looked at: every %dth of %d looks is shown.",
			every, len(glances))
		glances = sparse(glances, glancesMax)
	}
	s.workers(t, glances, seen)
	s.shards(events, glances, t.To)
	s.shortBars()
	s.curves(t.Samples)
	s.moments(t, events, result)
	if s.Spans != nil {
		s.Notes = append(s.Notes, s.Spans.notes()...)
	}
	return s
}

func (s *Story) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

// workers has a lane for each worker: its states, and below them its stages.
func (s *Story) workers(t Timeline, glances []Glance, seen Watched) {
	several := t.several()
	exactUntil := s.From // until when the world saw every stage
	if n := len(seen.Stages); n > 0 {
		exactUntil = s.To
		if seen.StagesMissed > 0 {
			exactUntil = seen.Stages[n-1].At.Sub(seen.Start).Seconds()
			s.note("Every stage of the workers is shown until %.1f s; after that, what they were seen doing "+
				"ten times a second.", exactUntil)
		}
	}
	for _, l := range t.Lanes {
		lane := StoryLane{Group: "workers", Name: who(l.Consumer, l.Worker, several),
			Consumer: l.Consumer, Worker: l.Worker, Shard: NoShard}
		for _, bar := range l.Bars {
			lane.Bars = append(lane.Bars, StoryBar{round(bar.From), round(bar.To), string(bar.State),
				string(bar.State)})
		}
		lane.stages(seen, exactUntil)
		for i, g := range glances {
			for _, w := range g.Workers {
				if w.Consumer == l.Consumer && w.Worker == l.Worker && w.Up && g.T >= exactUntil {
					lane.Under = extend(lane.Under, g.T, until(glances, i, s.To), "stage-"+w.Stage, w.Stage)
				}
			}
		}
		s.Lanes = append(s.Lanes, lane)
	}
	if len(glances) > 1 && exactUntil == s.From {
		s.note("A worker's stage is what it was seen doing every %.1f s, not all that it did.",
			glances[1].T-glances[0].T)
	}
}

// stages adds those that the world saw to a worker's lane, as far as it was up.
func (l *StoryLane) stages(seen Watched, until float64) {
	var last *StageChange
	add := func(to float64) {
		if last == nil {
			return
		}
		for _, bar := range l.Bars { // what hangs or is dead is in no stage
			from, to := max(last.At.Sub(seen.Start).Seconds(), bar.From), min(to, bar.To)
			up := State(bar.Class) == StateHealthy || State(bar.Class) == StateBackpressure
			if up && from < to {
				l.Under = extend(l.Under, from, to, "stage-"+last.Stage, last.Stage)
			}
		}
	}
	for i, change := range seen.Stages {
		if change.Consumer == l.Consumer && change.Worker == l.Worker {
			add(change.At.Sub(seen.Start).Seconds())
			last = &seen.Stages[i]
		}
	}
	add(until)
}

// shortBars leaves out the shortest bars of lanes that have too many.
func (s *Story) shortBars() {
	least, left := (s.To-s.From)/barsMax, 0
	for i := range s.Lanes {
		for _, bars := range []*[]StoryBar{&s.Lanes[i].Bars, &s.Lanes[i].Under} {
			if n := len(*bars); n > 2*barsMax {
				*bars = slices.DeleteFunc(*bars, func(b StoryBar) bool { return b.To-b.From < least })
				left += n - len(*bars)
			}
		}
	}
	if left > 0 {
		s.note("%d states and stages that were shorter than %.2f s are left out of the lanes.", left, least)
	}
}

// until is how long what a look saw is taken to last: to the next one.
func until(glances []Glance, i int, end float64) float64 {
	if i+1 < len(glances) {
		return glances[i+1].T
	}
	return max(end, glances[i].T)
}

// extend lengthens the last bar if it says the same and touches, or adds one.
func extend(bars []StoryBar, from, to float64, class, text string) []StoryBar {
	from, to = round(from), round(to)
	if n := len(bars); n > 0 && bars[n-1].Text == text && bars[n-1].To >= from {
		bars[n-1].To = to
		return bars
	}
	return append(bars, StoryBar{from, to, class, text})
}

// shards has a lane for each shard: who owned it, and below that when its input was paused.
func (s *Story) shards(events []Event, glances []Glance, end float64) {
	lanes := map[int]*StoryLane{}
	lane := func(shard int) *StoryLane {
		if lanes[shard] == nil {
			lanes[shard] = &StoryLane{Group: "shards", Name: fmt.Sprintf("shard %d", shard),
				Worker: NoWorker, Shard: shard}
		}
		return lanes[shard]
	}
	for i, g := range glances {
		for _, w := range g.Workers {
			for _, shard := range w.Shards {
				l, name := lane(shard), who(w.Consumer, w.Worker, w.Consumer > 0)
				class := fmt.Sprintf("owner-%d", (w.Worker+4*w.Consumer)%owners)
				if !w.Up {
					class, name = "owner-none", name+", down"
				}
				l.Bars = extend(l.Bars, g.T, until(glances, i, s.To), class, name)
			}
		}
	}
	type gate struct{ consumer, shard int }
	closed := map[gate]Event{}
	pause := func(at gate, to float64) {
		if e, was := closed[at]; was {
			l := lane(at.shard)
			l.Under = append(l.Under, StoryBar{round(e.T), round(to), "paused", "input paused: " + e.Text})
			delete(closed, at)
		}
	}
	for _, e := range events {
		for _, shard := range e.Shards {
			at := gate{e.Consumer, shard}
			switch e.Kind {
			case EventGateClosed:
				pause(at, e.T)
				closed[at] = e
			case EventGateOpened:
				pause(at, e.T)
			}
		}
	}
	for at := range closed { //order-free: each by itself, sorted below
		pause(at, end)
	}
	var numbers []int
	for shard, l := range lanes { //order-free: sorted below
		numbers = append(numbers, shard)
		slices.SortFunc(l.Under, func(a, b StoryBar) int { return cmp.Compare(a.From, b.From) })
	}
	slices.Sort(numbers)
	for _, shard := range numbers {
		s.Lanes = append(s.Lanes, *lanes[shard])
	}
}

// owners is how many colours owners of shards have.
const owners = 8

func (s *Story) curves(all []Sample) {
	if every := step(len(all), pointsMax); every > 1 {
		s.note("Curves: every %dth of %d samples is shown.", every, len(all))
	}
	samples := sparse(all, pointsMax)
	xs := column(samples, func(p Sample) float64 { return round(p.T) })
	add := func(panel, name, class string, value func(Sample) float64) {
		c := StoryCurve{Panel: panel, Name: name, Class: class, Xs: xs}
		any := false
		for _, p := range samples {
			y := round(value(p))
			if math.IsNaN(y) {
				c.Ys = append(c.Ys, nil)
				continue
			}
			any = any || y != 0
			c.Ys = append(c.Ys, &y)
		}
		if any {
			s.Curves = append(s.Curves, c)
		} else if panel == panelMemory {
			s.note("%s: not known in this world.", name)
		}
	}
	add("queue depth", "spans buffered", "buffered",
		func(p Sample) float64 { return float64(p.Buffered()) })
	add("queue depth", "messages not committed", "backlog",
		func(p Sample) float64 { return float64(p.Backlog) })
	add(panelMemory, "bytes in the fullest Redis", "redis",
		func(p Sample) float64 { return known(float64(p.RedisBytes)) })
	add(panelMemory, "bytes of the largest worker", "worker",
		func(p Sample) float64 { return known(float64(p.WorkerBytesMax)) })
}

const panelMemory = "memory"

// moments are the events within the drawn time, and what was violated.
func (s *Story) moments(t Timeline, events []Event, result Result) {
	several := t.several()
	for _, e := range events {
		if e.T >= t.From {
			s.Moments = append(s.Moments, StoryMoment{T: round(e.T), Kind: string(e.Kind),
				Text: e.inFull(several), Consumer: e.Consumer, Worker: e.Worker, Shards: e.Shards, Taken: -1})
		}
	}
	if n := len(s.Moments); n > momentsMax {
		// How workers fare is in their lanes, too.
		minor := func(m StoryMoment) bool { return m.Kind == string(EventWorker) }
		s.Moments = slices.DeleteFunc(s.Moments, minor)
		s.Moments = sparse(s.Moments, momentsMax)
		s.note("Events: %d of %d can be stepped along; the table below has all.", len(s.Moments), n)
	}
	for _, list := range [][]Judgement{result.Invariants, result.Expectations} {
		for _, j := range list {
			if j.Verdict == Violated {
				at := t.To
				if j.At != nil {
					at = *j.At
				}
				s.Moments = append(s.Moments, StoryMoment{T: round(at), Kind: "violation", Worker: NoWorker,
					Text: fmt.Sprintf("%s is violated: %s", j.Name, j.Detail), Bad: true, Taken: -1})
			}
		}
	}
	slices.SortStableFunc(s.Moments, func(a, b StoryMoment) int { return cmp.Compare(a.T, b.T) })
}

// inFull is the event in words, whatever it is.
func (e Event) inFull(several bool) string {
	switch text := e.Says(); {
	case e.Kind == EventPhase:
		return "phase: " + e.Text
	case e.Kind == EventWorker:
		text = fmt.Sprintf("%s is %s", who(e.Consumer, e.Worker, several), e.State)
		if e.Text != "" {
			text += ": " + e.Text
		}
		return text
	default:
		return text
	}
}

// step is which of so many are kept so that there are at most most.
func step(n, most int) int { return max(1, (n+most-1)/most) }

// sparse keeps every so many, so that there are at most most.
func sparse[T any](list []T, most int) []T {
	every := step(len(list), most)
	if every == 1 {
		return list
	}
	var kept []T
	for i := 0; i < len(list); i += every {
		kept = append(kept, list[i])
	}
	return kept
}

// round cuts a number to milliseconds, or to a thousandth: more only makes the page larger.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
