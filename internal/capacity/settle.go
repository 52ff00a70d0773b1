package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"sluice/internal/harness"
	"sluice/scenarios"
)

// Needs is how long a run of a constant rate must be to tell whether that is sustained, in seconds.
type Needs struct {
	// Warmup is how long it is not steady, Steady how long the part after it must be for the load's own
	// ups and downs not to be taken for growth.
	Warmup, Steady float64
	// Wanders is by how much what waits would seem to grow in a part of so many seconds, though all is
	// carried: the standard deviation, in spans per second.
	Wanders func(seconds float64) float64
}

const (
	// moment is how long after the first deadline a run counts as steady, in seconds.
	moment = 1.0
	// steadyLeast is the least that the steady part of a probe has, in seconds.
	steadyLeast = 5.0
	// settled is the growth, as a share of the rate, from which on what the start of the load still
	// adds counts as nothing; and wandering that of what its chance adds, one standard deviation.
	settled, wandering = growthMax / 4, growthMax / 3
	// longestProbe bounds a probe whose duration is not given, in seconds.
	longestProbe = 900
)

// NeedsOf returns what a run of a scenario needs, at the rate of its load.
func NeedsOf(s scenarios.Scenario) Needs {
	t := tracesOf(s)
	n := Needs{Wanders: t.wanders, Steady: steadyLeast}
	for n.Steady < longestProbe && t.wanders(n.Steady) > wandering*t.rate {
		n.Steady++
	}
	settles := t.settles()
	from := settles(n.Steady)
	// What goes up and down in step at the start is mistaken for growth in a short part only.
	for steady := n.Steady; steady < n.Steady+from; {
		steady = math.Ceil(1.25 * steady)
		if at := settles(steady); at+steady < from+n.Steady {
			from, n.Steady = at, steady
		}
	}
	n.Warmup = due(s) + moment + from
	if age := s.Pipeline.MaxSegmentAge.Seconds(); age > 0 { // no span waits longer
		n.Warmup = min(n.Warmup, 2*age+s.Workload.Late.By.Seconds()+moment)
	}
	return n
}

// Warmup returns how long a run of a scenario is not steady, in seconds: until as much is due as
// comes in.
func Warmup(s scenarios.Scenario) float64 { return NeedsOf(s).Warmup }

// due is how long after the last span of its trace a segment is due at the latest, in seconds, but for
// its age. Without a root, that takes the longer time-out: for traces that never have one, and for spans
// that come when theirs has been flushed.
func due(s scenarios.Scenario) float64 {
	p, w := s.Pipeline, s.Workload
	wait, late := p.RootTimeout, time.Duration(0)
	if w.Late.Share > 0 {
		late = w.Late.By
	}
	if w.Headless > 0 || late >= p.RootTimeout || apart(s, p.RootTimeout)*w.SpansPerTrace.Mean > rare {
		wait = max(p.RootTimeout, p.Timeout)
	}
	return (late + wait).Seconds()
}

// rare is of how many of its traces a load is taken to have none.
const rare = 0.01

// apart is how likely it is that the next span of a trace comes so much later than the one before that
// it comes apart: its place is one of many.
func apart(s scenarios.Scenario, timeout time.Duration) float64 {
	return math.Exp(-timeout.Seconds() / (float64(s.Workload.TracesAtOnce) / rateOf(s)))
}

// rateOf is how many spans a load has per second, but for those that are sent twice.
func rateOf(s scenarios.Scenario) float64 {
	rate := float64(s.Pacer().Total()) / s.Duration.Seconds()
	if s.Workload.Rate.Shape == scenarios.ShapeConstant {
		rate = float64(s.Workload.Rate.From)
	}
	return rate / (1 + s.Workload.Duplicates) // which come in the load's rate
}

// Duration is how long a run lasts that tells whether its rate is sustained: tenths of a second, of which
// two are for samples that come late.
func (n Needs) Duration() time.Duration {
	const tenths, late = 10, 2
	return time.Duration(math.Ceil(tenths*(n.Warmup+n.Steady))+late) * time.Second / tenths
}

// Unjudged says that a rate cannot be judged, and what to set.
type Unjudged struct {
	// Rate is in spans per second.
	Rate float64
	Needs
	// Given is how long the run may be, Asked whether somebody said so.
	Given time.Duration
	Asked bool
}

// Error says what to set.
func (u *Unjudged) Error() string {
	text := fmt.Sprintf("%s spans/s cannot be judged: ", grouped(u.Rate))
	if u.Asked {
		return text + fmt.Sprintf("a run is only steady after %.0f s at that rate, and lasts %v: set --duration %v or "+
			"more, leave it out, or lower workload.traces_at_once", u.Warmup, u.Given, u.Duration())
	}
	need := fmt.Sprint(u.Duration())
	if u.Steady >= longestProbe {
		need = "even more"
	}
	return text + fmt.Sprintf("the traces go on for so long at that rate that a run takes %s to tell, more than %v: "+
		"lower workload.traces_at_once or spans_per_trace, or set --duration", need, u.Given)
}

// Timed returns the scenario with the duration that it needs to be judged at its rate; or as it is, if
// its duration is one that somebody asked for. The error, an *Unjudged, says that it is too short, or
// would be too long.
func Timed(s scenarios.Scenario, asked bool) (scenarios.Scenario, error) {
	u := &Unjudged{Rate: float64(s.Workload.Rate.From), Needs: NeedsOf(s), Given: s.Duration, Asked: asked}
	if asked {
		if s.Duration < lasting(u.Warmup+steadyMin+1) {
			return s, u
		}
		return s, nil
	}
	u.Given = longestProbe * time.Second
	s.Duration = u.Duration()
	if s.Duration > u.Given {
		return s, u
	}
	return s, nil
}

// lasting is a time in seconds as a duration.
func lasting(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// Cycle returns by how much what waits can differ between two seconds of a steady run at a rate, in
// seconds of the load: the moments at which batches are full and workers look at their queues move
// against the whole seconds of deadlines.
func Cycle(s scenarios.Scenario, rate float64) float64 {
	full := float64(s.Pipeline.MaxBatch) * float64(s.Topology.Partitions) / rate
	return min(s.Pipeline.BatchWait().Seconds(), full) + harness.Settings(s).Bounded().Worker.IdleSleep.Seconds()
}

// traces are how the load's traces follow one another. It has so many places for open ones; each span
// is that of a random place, and a trace that is whole makes room for the next. So the spans of a place
// come at random times, unit seconds apart on average, and a trace of n spans lasts n units, give or
// take sqrt(n). Of the spans that wait, those of open traces are what begins with nothing, and what
// chance moves: how old the trace of a place is, in spans, is the age of a renewal process.
type traces struct {
	rate, unit, places float64
	// sizes have so many spans, each as likely as the others, or as its weight says.
	sizes []pieces
}

// pieces are traces of a size, or what is cut off them: size spans at a time, weight of them.
type pieces struct{ size, weight float64 }

func tracesOf(s scenarios.Scenario) traces {
	w := s.Workload
	t := traces{places: float64(w.TracesAtOnce), rate: rateOf(s)}
	t.unit = t.places / t.rate
	const draws = 2048
	most, bytes := math.Inf(1), 0.0
	for i := range draws {
		bytes += float64(w.SpanBytes.At((float64(i)+0.5)/draws)) / draws
	}
	if s.Pipeline.MaxSegmentBytes > 0 {
		most = max(1, math.Ceil(float64(s.Pipeline.MaxSegmentBytes)/bytes))
	}
	const never = 1e-9
	comesApart := scenarios.Spread{Kind: scenarios.SpreadGeometric, Low: 1, High: math.MaxInt32,
		Mean: 1 / max(never, apart(s, max(s.Pipeline.RootTimeout, s.Pipeline.Timeout)))}
	for i := range draws {
		_, u := math.Modf(float64(i) * math.Phi)
		most := min(most, float64(comesApart.At(u)))
		size := float64(w.SpansPerTrace.At((float64(i) + 0.5) / draws))
		if whole := math.Floor(size / most); whole > 0 {
			t.sizes = append(t.sizes, pieces{most, whole})
			size -= whole * most
		}
		if size > 0 {
			t.sizes = append(t.sizes, pieces{size, 1})
		}
	}
	return t
}

// moment returns the mean of a power of the sizes.
func (t traces) moment(power float64) float64 {
	sum, all := 0.0, 0.0
	for _, p := range t.sizes {
		sum, all = sum+p.weight*math.Pow(p.size, power), all+p.weight
	}
	return sum / all
}

// wanders is Needs.Wanders. The age of a stationary renewal process has the mean E n²/2E n and the
// variance E n³/3E n less its square (D. R. Cox, Renewal Theory, 1962); it forgets in about as long as
// it is old. The slope of a line through what is like that at random has the variance 24 v c/L³ over
// L seconds, much more than c in which it forgets, and 12 v/5cL over less.
func (t traces) wanders(seconds float64) float64 {
	age, variance := t.waits()
	forgets := age * t.unit
	long := 24 * variance * forgets / (seconds * seconds * seconds)
	return math.Sqrt(min(long, 12*variance/(5*forgets*seconds)))
}

// waits are the mean age of a place's trace, in spans, and the variance of how many spans all of them have.
func (t traces) waits() (age, variance float64) {
	first := t.moment(1)
	age = t.moment(2) / (2 * first)
	return age, t.places * max(0, t.moment(3)/(3*first)-age*age)
}

// settles returns a function that says from when on the spans of open traces seem to grow by no more
// than settled, on average over chance, by the difference between the halves of a part of so many
// seconds.
func (t traces) settles() func(seconds float64) float64 {
	step, ages := t.ages()
	const most = 0.9 // of the spans that are open in the end, and so of what is flushed
	begun := slices.IndexFunc(ages, func(age float64) bool { return age >= most*ages[len(ages)-1] })
	sums := make([]float64, len(ages)+1)
	for i, age := range ages {
		sums[i+1] = sums[i] + age
	}
	return func(seconds float64) float64 {
		half := max(1, int(seconds/2/(step*t.unit)))
		level := func(from int) float64 { // the mean from there on; its last is that of all time
			last := len(ages)
			inside := sums[min(from+half, last)] - sums[min(from, last)]
			beyond := float64(half - max(0, min(from+half, last)-min(from, last)))
			return (inside + beyond*ages[last-1]) / float64(half)
		}
		for at := len(ages) - 1; at >= begun; at-- {
			// An age is in spans of a place, of which one comes in a unit.
			if grows := (level(at+half) - level(at)) / (float64(half) * step); math.Abs(grows) > settled {
				return float64(at+1) * step * t.unit
			}
		}
		return float64(begun) * step * t.unit
	}
}

// ages returns how old the trace of a place is on average, in spans, after each step of so many units
// from the start of the load: what has come, less what was whole by then.
func (t traces) ages() (step float64, ages []float64) {
	largest := 0.0
	for _, p := range t.sizes {
		largest = max(largest, p.size)
	}
	// The first traces of all places end together, the less so the more their sizes differ, and after some
	// of them one another no more at all.
	first := t.moment(1)
	differ := (t.moment(2)-first*first+first)/(first*first) + 1e-9
	const points = 3000
	waves := min(max(4, 0.5/differ), 20)
	step = max(1, largest*waves/points)
	// How likely it is that a trace is whole after so many steps, and how many spans that are.
	density := make([]float64, int(waves*max(largest/step, 8)))
	sized := map[float64]float64{}
	all := 0.0
	for _, p := range t.sizes {
		sized[max(1, math.Round(p.size/step))] += p.weight
		all += p.weight
	}
	spans := make([]float64, len(density))
	for steps := 1.0; steps <= math.Round(largest/step)+1; steps++ {
		share := sized[steps] / all
		if share == 0 {
			continue
		}
		// A sum of that many times between spans; sd is in steps.
		lasts := distuv.Normal{Mu: steps, Sigma: math.Sqrt(steps / step)}
		before := lasts.CDF(0.5)
		for i := 1; i < len(density); i++ {
			below := lasts.CDF(float64(i) + 0.5)
			if i == 1 {
				before = 0
			}
			density[i] += share * (below - before)
			spans[i] += share * (below - before) * float64(i) * step
			before = below
		}
	}
	renewed := make([]float64, len(density)) // how likely it is that a trace begins then
	renewed[0] = 1
	ages = make([]float64, len(density))
	age := 0.0
	for i := 1; i < len(density); i++ {
		whole := 0.0
		for j := 1; j <= i; j++ {
			renewed[i] += density[j] * renewed[i-j]
			whole += spans[j] * renewed[i-j]
		}
		age += step - whole
		ages[i] = age
	}
	return step, ages
}
