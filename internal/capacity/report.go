package capacity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"gonum.org/v1/gonum/stat"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
)

// Report is the answer. It is written as capacity.json, with every field: a reader need not ask whether it
// is there.
type Report struct {
	Scenario string `json:"scenario"`
	World    string `json:"world"`
	Conditions
	// Costs say where those of the virtual world are from; nil in another world. Compared is how far off
	// its predictions were; nil if no comparison was named.
	Costs    *CostsFrom `json:"costs"`
	Compared *Compared  `json:"compared"`
	// Headline is the answer in a sentence or two, Next what to do.
	Headline string   `json:"headline"`
	Next     []string `json:"next"`
	// Target is the rate that is wanted, in spans per second, Headroom the share on top of it.
	Target   float64 `json:"target"`
	Headroom float64 `json:"headroom"`
	// Recommended is nil if it is refused to name a count; Refused says why, and is empty otherwise.
	Recommended *Recommended `json:"recommended"`
	Refused     string       `json:"refused"`
	// Unsafe are the runs in which safety was violated, in words, whatever they were made for.
	Unsafe []string `json:"unsafe"`
	// Points are all that was measured, Counts what the repeats of each count have in common.
	Points []Point `json:"points"`
	Counts []Count `json:"limits"`
	// USL is the law that fits the points; nil with a reason in NoFit.
	USL   *Law   `json:"usl"`
	NoFit string `json:"no_fit"`
	// HeldOutError is the greatest error of the law at a count that it was fitted without, as a share;
	// nil if there are too few counts.
	HeldOutError *float64 `json:"held_out_error"`
	// Outlook is what happens when something fails; nil if no count carries the target. If it shows that
	// Redis may not hold what waits, the count that does is refused.
	Outlook *Outlook `json:"outlook"`
	// Stability is where the system no longer recovers; nil if that was not asked for.
	Stability *Stability `json:"stability"`
	// Cost is what it costs; nil without prices.
	Cost *Cost `json:"cost"`
	// Against is the report that this one is shown beside; nil if there is none.
	Against *Against `json:"against"`
	// Partitions is how many shards the processes share; 0 if that is not known.
	Partitions int `json:"partitions"`
	// Unfinished says why not every count was measured; empty if all were. Begun is what the searches had
	// made by then that were not over: it is no part of Points.
	Unfinished string  `json:"unfinished"`
	Begun      []Point `json:"begun"`

	other *Report // that this one is shown beside
}

// Recommended is how many processes carry the target with its headroom, and the least and the most
// that it can be with 95 %, by the repeats and by how near the rates were searched.
type Recommended struct {
	Processes int `json:"processes"`
	Low       int `json:"low"`
	High      int `json:"high"`
	// Beyond is true if it can also be more than the greatest count that was measured, which High is
	// then.
	Beyond bool `json:"beyond"`
	// Untried is the least count below Processes that is not known not to carry it, as none from there on
	// was measured; 0 if there is none.
	Untried int `json:"untried,omitempty"`
}

// Count is what the repeats with one process count have in common.
type Count struct {
	Processes int `json:"processes"`
	// Least, Median and Greatest of the highest sustained rates, in spans per second.
	Least    float64 `json:"least"`
	Median   float64 `json:"median"`
	Greatest float64 `json:"greatest"`
	// Failed is the highest of the rates of which it is known that they are not sustained; 0 if none
	// was tried.
	Failed float64 `json:"failed"`
	// Limit is what limits most repeats, and Limits what limits how many. Share is how busy it was in the
	// middle one of those that it limits; null if it is no resource. Busiest is the busiest resource there
	// in any case, with how busy it was; empty, and null, if none was measured.
	Limit        judge.Resource `json:"resource"`
	Limits       []LimitCount   `json:"resource_of_repeats"`
	Share        Number         `json:"utilisation"`
	Busiest      judge.Resource `json:"busiest"`
	BusiestShare Number         `json:"busiest_utilisation"`
	// Busy is how busy each resource was beyond the limit, in the same repeat.
	Busy []judge.Use `json:"busy"`
	// Unbounded is true if no rate was tried that was too high: the search's bound was the limit.
	Unbounded bool `json:"unbounded"`
}

// LimitCount is how many repeats had a limit.
type LimitCount struct {
	Limit   judge.Resource `json:"resource"`
	Repeats int            `json:"repeats"`
}

// NewReport derives the answer from the points.
func NewReport(scenario, world string, target, headroom float64, points []Point) *Report {
	r := &Report{Scenario: scenario, World: world, Target: target, Headroom: headroom, Points: points,
		Counts: summarize(points)}
	r.fit()
	r.recommend()
	r.say()
	return r
}

func summarize(points []Point) []Count {
	by := map[int][]Point{}
	for _, p := range points {
		by[p.Processes] = append(by[p.Processes], p)
	}
	var counts []Count
	for processes, repeats := range by { //order-free: sorted below
		slices.SortFunc(repeats, func(a, b Point) int { return cmp.Compare(a.Throughput, b.Throughput) })
		c := Count{Processes: processes, Least: repeats[0].Throughput, Median: repeats[len(repeats)/2].Throughput,
			Greatest: repeats[len(repeats)-1].Throughput, Limits: limitsOf(repeats)}
		if n := len(repeats); n%2 == 0 {
			c.Median = (c.Median + repeats[n/2-1].Throughput) / 2
		}
		unbounded := 0
		for _, p := range repeats {
			c.Failed = max(c.Failed, p.Failed)
			if p.Failed == 0 {
				unbounded++
			}
		}
		c.Unbounded = 2*unbounded > len(repeats) // one that was lucky at the bound says nothing against the others
		c.limitedAs(repeats)
		counts = append(counts, c)
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Compare(a.Processes, b.Processes) })
	return counts
}

// limitsOf counts the limits of repeats, which are in the order of what they sustain, the most frequent
// first; of equally frequent ones first that of the middle repeat. Repeats without one, whose search ended
// at its greatest rate, count only if all are.
func limitsOf(repeats []Point) (list []LimitCount) {
	has := func(p Point) bool { return p.Limit != "" }
	for i := range repeats {
		limit := repeats[(len(repeats)/2+i)%len(repeats)].Limit
		if limit == "" && slices.ContainsFunc(repeats, has) {
			continue
		}
		at := slices.IndexFunc(list, func(c LimitCount) bool { return c.Limit == limit })
		if at < 0 {
			at, list = len(list), append(list, LimitCount{Limit: limit})
		}
		list[at].Repeats++
	}
	slices.SortStableFunc(list, func(a, b LimitCount) int { return b.Repeats - a.Repeats })
	return list
}

// limitedAs takes the limit of most repeats, and how busy what was in the middle one of those.
func (c *Count) limitedAs(repeats []Point) {
	c.Limit = c.Limits[0].Limit
	var so []Point
	for _, p := range repeats {
		if p.Limit == c.Limit {
			so = append(so, p)
		}
	}
	p := so[len(so)/2]
	none := Number(math.NaN())
	c.Share, c.Busiest, c.BusiestShare = none, p.Busiest, none
	if p.Busiest != "" {
		c.BusiestShare = Number(p.Share)
	}
	if isResource(c.Limit) {
		c.Share = Number(p.Share)
	}
	for _, probe := range p.Probes {
		if probe.Rate == cmp.Or(p.Failed, p.Throughput) {
			c.Busy = probe.Busy
		}
	}
}

// recommend names the least measured count that carries the target. Nothing is said of counts that
// were not measured: a law that fits the first points can be wrong behind them.
func (r *Report) recommend() {
	if r.Target <= 0 {
		return
	}
	need := r.need()
	at := slices.IndexFunc(r.Counts, func(c Count) bool { return c.Median >= need })
	if at < 0 {
		best := r.best()
		if best.Greatest == 0 {
			r.Refused = r.nothing(best.Processes)
			return
		}
		r.Refused = fmt.Sprintf("no measured count carries %s spans/s: the best is %s with %s, limited by %s",
			grouped(need), grouped(best.Median), processes(best.Processes), cmp.Or(best.Limit, "the bound of "+
				"the search"))
		return
	}
	least := r.leastCarrying(need)
	rec := &Recommended{Processes: r.Counts[at].Processes}
	low, high := quantile(least, 0.025), quantile(least, 0.975)
	rec.Low = min(int(low), rec.Processes)
	rec.High = r.Counts[len(r.Counts)-1].Processes
	if rec.Beyond = math.IsInf(high, 1); !rec.Beyond {
		rec.High = max(int(high), rec.Processes)
	}
	below := 0
	if at > 0 {
		below = r.Counts[at-1].Processes
	}
	if below+1 < rec.Processes {
		rec.Untried = below + 1
	}
	r.Recommended = rec
}

func (r *Report) need() float64 { return r.Target * (1 + r.Headroom) }

func (r *Report) best() Count {
	return slices.MaxFunc(r.Counts, func(a, b Count) int { return cmp.Compare(a.Median, b.Median) })
}

// bootstraps is how many times the points are drawn, and bootstrapSeed from what.
const (
	bootstraps    = 1000
	bootstrapSeed = 1
)

// leastCarrying draws the repeats of each count with replacement, and for each where it lies between
// the rate that was sustained and the one that was not; and returns the least counts whose median then
// carries a rate, in their order, +Inf where none does.
func (r *Report) leastCarrying(need float64) []float64 {
	random := rand.New(newSource())
	by := map[int][]Point{}
	for _, p := range r.Points {
		by[p.Processes] = append(by[p.Processes], p)
	}
	draw := func(c Count) float64 {
		repeats := by[c.Processes]
		var drawn []float64
		for range repeats {
			p := repeats[random.IntN(len(repeats))]
			above := max(p.Failed, p.Throughput) - p.Throughput
			drawn = append(drawn, p.Throughput+random.Float64()*above)
		}
		return reports.Median(drawn)
	}
	least := make([]float64, 0, bootstraps)
	for range bootstraps {
		found := math.Inf(1)
		for _, c := range r.Counts {
			if draw(c) >= need {
				found = float64(c.Processes)
				break
			}
		}
		least = append(least, found)
	}
	slices.Sort(least)
	return least
}

func quantile(sorted []float64, p float64) float64 {
	return stat.Quantile(p, stat.Empirical, sorted, nil)
}

func grouped(v float64) string { return options.FormatRate(v) }

// figure writes a figure of any size, with that many digits if it is small.
func figure(v float64, digits int) string {
	const large, whole = 1000, 1e15 // beyond that, not each digit is known
	if math.Abs(v) >= large && math.Abs(v) < whole {
		return grouped(v)
	}
	return strconv.FormatFloat(v, 'g', digits, 64)
}

func processes(n int) string { return options.FormatCount(n, "process") }

// sustain says that so many processes do: "1 process sustains", "2 processes sustain".
func sustain(n int) string {
	if n == 1 {
		return processes(n) + " sustains"
	}
	return processes(n) + " sustain"
}

// Number is one that may have no bound, which is null in JSON.
type Number float64

// UnmarshalJSON reads null as no finite number.
func (n *Number) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*n = Number(math.Inf(1))
		return nil
	}
	return json.Unmarshal(text, (*float64)(n))
}

// MarshalJSON writes null for what is no finite number.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(n), 0) || math.IsNaN(float64(n)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// Count returns what was measured of a process count; the zero Count if nothing was.
func (r *Report) Count(processes int) Count {
	for _, c := range r.Counts {
		if c.Processes == processes {
			return c
		}
	}
	return Count{}
}
