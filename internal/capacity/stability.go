package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// Stability is where the system no longer recovers: trials with several loads and outages.
type Stability struct {
	// Capacity is what the processes sustain, in spans per second. Unbounded is true if that is only the
	// highest rate that was tried, as none was too high.
	Processes int     `json:"processes"`
	Capacity  float64 `json:"capacity"`
	Unbounded bool    `json:"unbounded,omitempty"`
	Cells     []Cell  `json:"cells"`
	// Planned is how many cells there would be, had all been tried.
	Planned int `json:"planned"`
}

// Cell is a trial of the map.
type Cell struct {
	// Load is its rate as a share of the capacity.
	Load float64 `json:"load"`
	Trial
}

// The loads of the map, as shares of what is sustained, and the outages. One load more is that which
// is not sustained.
var (
	mapLoads   = []float64{0.5, 0.7, 0.85, 0.95}
	mapOutages = []time.Duration{time.Second, 3 * time.Second, 9 * time.Second}
)

// MapPlans are the trials of the map for a measured count. Each is watched for a while only; what is
// not over then is estimated.
func MapPlans(s scenarios.Scenario, c Count) []TrialPlan {
	const watched = 12 * time.Second
	rates := make([]float64, 0, len(mapLoads)+1)
	for _, load := range mapLoads {
		rates = append(rates, load*c.Median)
	}
	if c.Failed > 0 {
		rates = append(rates, c.Failed)
	}
	var plans []TrialPlan
	for _, rate := range rates {
		for _, outage := range mapOutages {
			p := Outage(s, c.Processes, rate, c.Median, outage)
			p.Watched = watched
			plans = append(plans, p)
		}
	}
	return plans
}

// Doubtful are the plans whose trials, in the same order, seem to recover very late or never though the
// load is sustained. They are to be watched for longer before that is said.
func Doubtful(plans []TrialPlan, trials []Trial) (at []int, longer []TrialPlan) {
	for i, t := range trials {
		if took, seen := t.estimate(); !seen && !(took <= watchedMax.Seconds()) {
			p := plans[i]
			p.Watched = watchedMax
			at, longer = append(at, i), append(longer, p)
		}
	}
	return at, longer
}

// Map adds to the report the trials of the map that were made, of so many that were planned.
func (r *Report) Map(c Count, trials []Trial, planned int) {
	m := &Stability{Processes: c.Processes, Capacity: c.Median, Unbounded: c.Unbounded, Planned: planned}
	for _, t := range trials {
		m.Cells = append(m.Cells, Cell{t.Rate / c.Median, t})
	}
	r.Stability = m
	r.say()
}

// estimate is how long the recovery takes, in seconds: as it was seen, or by how fast what waits
// falls at the end of what was seen. +Inf if it does not fall; NaN, which is not known, if it was not
// watched for long enough to say that. What was seen comes before what the load would say: a rate may not
// be sustained for what is required of it, as of the freshness, though all of it is carried.
func (t *Trial) estimate() (took float64, seen bool) {
	if t.Recovered() {
		return float64(t.RecoverySeconds), true
	}
	const tail = 6 // seconds
	var list secondly
	for _, p := range t.Path[max(0, len(t.Path)-tail):] {
		list = append(list, second{t: p.T, waiting: p.Unread + p.Stored})
	}
	switch falls := -list.growth(second.of); {
	case falls > growthMax*t.Rate:
		return t.WatchedSeconds + (list[len(list)-1].waiting-t.Waiting)/falls, false
	case !t.sustained():
		return math.Inf(1), true // more waits from the begin on
	case len(list) < 2 || t.WatchedSeconds < watchedMax.Seconds():
		return math.NaN(), false
	}
	return math.Inf(1), false
}

// words say where it does not recover, and what makes more of an outage than it is.
func (m *Stability) words() []string {
	worst, lowest, unknown, watched := &m.Cells[0], math.Inf(1), 0, 0.0
	always := true // from the lowest load on that does not recover, all of them do not
	for i := range m.Cells {
		c := &m.Cells[i]
		took, seen := c.estimate()
		switch {
		case math.IsInf(took, 1):
			lowest = min(lowest, c.Load)
			if !seen {
				watched = max(watched, c.WatchedSeconds)
			}
		case c.Load >= 1:
			always = false
		}
		if math.IsNaN(took) {
			unknown++
		}
		_, most := worst.strongest()
		if _, g := c.strongest(); g > most {
			worst = c
		}
	}
	every := "every outage that was tried"
	if unknown > 0 {
		every = "every outage of which that is known"
	}
	text := fmt.Sprintf("Up to %s of %s, it recovers from %s.",
		percent(m.Cells[len(m.Cells)-1].Load), m.capacity(), every)
	switch {
	case lowest < 1:
		text = fmt.Sprintf("From %s of %s, it does not recover from some outages in the %.0f s that "+
			"were watched, nor come nearer to it, although it carried that load before: it is metastable there.",
			percent(lowest), m.capacity(), watched)
	case !math.IsInf(lowest, 1):
		never := "it does not from some"
		if always {
			never = "it never does"
		}
		text = fmt.Sprintf("It recovers from %s, as long as the load is below %s; "+
			"from %s of that on, %s.", every, m.capacity(), percent(lowest), never)
	}
	if m.Unbounded {
		text += fmt.Sprintf(" What %s at the most was not found, so how it recovers near its limit is not known: raise --most.",
			sustain(m.Processes))
	}
	if made := len(m.Cells); made < m.Planned {
		text += fmt.Sprintf(" Only %d of %d trials were made.", made, m.Planned)
	}
	if unknown > 0 {
		text += fmt.Sprintf(" Of %s it is not known whether it recovers: that was not watched for long enough.",
			options.FormatCount(unknown, "trial"))
	}
	amplifier := m.unamplified()
	if name, gain := worst.strongest(); name != "" {
		amplifier = fmt.Sprintf("The strongest amplifier is %s, by a factor of %.2f: at %s spans/s, when %s, %s.", name, gain,
			grouped(worst.Rate), worst.What, worst.amplifiers())
	}
	lines := []string{text, amplifier}
	for i := range m.Cells {
		if c := &m.Cells[i]; c.Why != "" {
			lines = append(lines, fmt.Sprintf("At %s spans/s, when %s, it violated %s.", grouped(c.Rate), c.What, c.Why))
		}
	}
	return lines
}

// capacity is what the loads are shares of, in words.
func (m *Stability) capacity() string {
	if m.Unbounded {
		return fmt.Sprintf("the highest rate that was tried with %s", processes(m.Processes))
	}
	return "what " + sustain(m.Processes)
}

// unamplified says that nothing made more of an outage, as far as that is known.
func (m *Stability) unamplified() string {
	known := func(of func(c *Cell) Number) bool {
		return slices.ContainsFunc(m.Cells, func(c Cell) bool { return finite(of(&c)) })
	}
	text := fmt.Sprintf("No work of a span became more by more than %.0f %%: no amplifier was seen", 100*(amplifies-1))
	redis, repeats := known(func(c *Cell) Number { return c.Gain }), known(func(c *Cell) Number { return c.RepeatGain })
	switch {
	case !redis && !repeats:
		text = "What a span took of Redis, and how many came out again, is not known, so no amplifier was seen"
	case !redis:
		text = "What a span took of Redis is not known; hardly any came out again, so no amplifier was seen"
	}
	most := slices.MaxFunc(m.Cells, func(a, b Cell) int { return a.Restarts + a.Pauses - b.Restarts - b.Pauses })
	if most.Restarts+most.Pauses > 0 {
		text += fmt.Sprintf("; there were %s and %s at the most", options.FormatCount(most.Restarts, "restart"),
			options.FormatCount(most.Pauses, "pause"))
	}
	return text + "."
}

func (m *Stability) section(bytes float64) reports.Section {
	s := reports.Section{Heading: "Where it no longer recovers", Text: m.words()}
	view := reports.RecoveryMap{}
	for i := range m.Cells {
		c := &m.Cells[i]
		if n := len(view.Loads); n == 0 || view.Loads[n-1] != c.Rate {
			view.Loads = append(view.Loads, c.Rate)
			view.Names = append(view.Names, percent(c.Load))
			view.Seconds, view.Estimated = append(view.Seconds, nil), append(view.Estimated, nil)
		}
		row := len(view.Loads) - 1
		if row == 0 {
			view.Outages = append(view.Outages, c.OutageSeconds)
		}
		took, seen := c.estimate()
		view.Seconds[row] = append(view.Seconds[row], took)
		view.Estimated[row] = append(view.Estimated[row], !seen)
	}
	s.Figures = append(s.Figures, view.Figure(chartMap, "Time to recover from an outage of Redis"))
	portrait := reports.Portrait{}
	for i := range m.Cells {
		if c := &m.Cells[i]; c.OutageSeconds == view.Outages[len(view.Outages)-1] {
			portrait.Paths = append(portrait.Paths, c.path(percent(c.Load), bytes))
		}
	}
	s.Figures = append(s.Figures, portrait.Figure(chartPortrait, "Where it goes after the longest outage"))
	s.Notes = []string{"Never: at the end of what was watched, as many spans wait as before or more. About: its end " +
		"was not seen, and follows from how fast they become fewer. Arrows are a second each."}
	return s
}

// path is the trial's in a portrait. It begins at rest, and its end is a fixed point if it recovered.
func (t *Trial) path(name string, bytes float64) reports.Path {
	p := reports.Path{Name: name}
	for _, at := range t.Path {
		p.Unread, p.Bytes = append(p.Unread, at.Unread), append(p.Bytes, at.Stored*bytes)
	}
	if n := len(p.Unread); n > 0 && (t.sustained() || t.Recovered()) {
		p.Begin = &[2]float64{p.Unread[0], p.Bytes[0]}
		if t.Recovered() {
			p.End = &[2]float64{p.Unread[n-1], p.Bytes[n-1]}
		}
	}
	return p
}

// PathPoint is where a trial was in a second: spans unread in Kafka, and in Redis.
type PathPoint struct {
	T      float64 `json:"t"`
	Unread float64 `json:"unread"`
	Stored float64 `json:"stored"`
}

func pathOf(list secondly) []PathPoint {
	path := make([]PathPoint, len(list))
	for i, s := range list {
		path[i] = PathPoint{s.t, s.backlog, max(0, s.waiting-s.backlog)}
	}
	return path
}
