package capacity

import (
	"context"
	"fmt"
	"math"
	"slices"

	"sluice/internal/judge"
	"sluice/internal/usl"
)

// Plan says which process counts are measured, in which order, and from where each search begins. The
// same answers of the runs give the same plan.
type Plan struct {
	// Counts are the process counts to measure. None: 1, 2, 4 and so on up to CountMax, as long as more
	// processes bring more; then those around the least count that carries Need; and more of them
	// until the law can be tested.
	Counts   []int
	CountMax int
	// Repeat is how often each is measured, Side how many runs may go on side by side, and Ahead at how
	// many rates a single search may look at a time: what it finds depends on that, and not on Side.
	Repeat, Side, Ahead int
	// Start is the first rate, Least and Most are the bounds, in spans per second. Precision is how near
	// the rate is to be found, as a share.
	Start, Least, Most, Precision float64
	// Need is the rate that is to be carried, with its headroom; 0 for none.
	Need float64
	// Run makes runs, side by side, and returns their probes in the order of the jobs. With an error,
	// those of runs that were not made have no rate.
	Run func(context.Context, []Job) ([]Probe, error)
	// Found hears of each point.
	Found func(Point)
}

// Job is a run that is to be made.
type Job struct {
	Processes, Repeat int
	// Rate is in spans per second.
	Rate float64
}

// Ended is the error that ended searches before they were over.
type Ended struct {
	error
	// Begun is what they had made by then. It fits no law, but what was not safe in it was not safe.
	Begun []Point
}

// Unwrap returns what ended them.
func (e *Ended) Unwrap() error { return e.error }

// Measure measures the points. What was found before an error comes with it, and in it if it is an *Ended.
func (p Plan) Measure(ctx context.Context) ([]Point, error) {
	var points []Point
	for {
		next := p.next(summarize(points))
		if next == 0 {
			return points, nil
		}
		found, err := p.count(ctx, next, points)
		points = append(points, found...)
		if err != nil {
			return points, err
		}
	}
}

// next returns the next process count to measure; 0 if it is enough.
func (p Plan) next(counts []Count) int {
	known := func(n int) bool {
		return slices.ContainsFunc(counts, func(c Count) bool { return c.Processes == n })
	}
	if len(p.Counts) > 0 {
		at := slices.IndexFunc(p.Counts, func(n int) bool { return !known(n) })
		if at < 0 {
			return 0
		}
		return p.Counts[at]
	}
	if len(counts) == 0 {
		return 1
	}
	last := counts[len(counts)-1]
	if last.Processes < p.CountMax && !last.Unbounded && !p.flat(counts) {
		return min(2*last.Processes, p.CountMax)
	}
	// The least count that carries is only known to be that if the one below does not.
	carries := slices.IndexFunc(counts, func(c Count) bool { return c.Median >= p.Need })
	if p.Need > 0 && carries > 0 {
		if gap := counts[carries].Processes - counts[carries-1].Processes; gap > 1 {
			return counts[carries].Processes - gap/2
		}
	}
	if len(counts) > usl.PointsMin || last.Unbounded {
		return 0
	}
	return widest(counts, max(carries, 0))
}

// flat tells whether the last two doublings brought nothing, as something limits that all processes
// share.
func (p Plan) flat(counts []Count) bool {
	const rows = 3
	if len(counts) < max(rows, usl.PointsMin) { // the law needs them all the same
		return false
	}
	for i := len(counts) - rows + 1; i < len(counts); i++ {
		shared := slices.Contains([]judge.Resource{RedisThread, Cores, Kafka, Network, Consumers}, counts[i].Limit)
		if !shared || counts[i].Median > counts[i-1].Median*(1+p.Precision) {
			return false
		}
	}
	return true
}

// widest returns a count in the widest gap, as a ratio; of equal ones, that which is nearest above the
// count at an index. 0 if there is none.
func widest(counts []Count, near int) int {
	best, ratio := 0, 1.0
	for step := range counts {
		i := (near + step) % len(counts)
		if i+1 == len(counts) || counts[i+1].Processes-counts[i].Processes < 2 {
			continue
		}
		if r := float64(counts[i+1].Processes) / float64(counts[i].Processes); r > ratio {
			best, ratio = (counts[i].Processes+counts[i+1].Processes)/2, r
		}
	}
	return best
}

// count measures a process count: its first repeat, from what the others say, and then all others
// side by side, each from the answer of the first.
func (p Plan) count(ctx context.Context, n int, points []Point) ([]Point, error) {
	first := p.search(p.begin(n, points))
	found, err := p.searches(ctx, n, 1, first)
	if err != nil || p.Repeat == 1 {
		return found, err
	}
	var others []*Search
	for range p.Repeat - 1 {
		start := []float64{first.low, first.high}
		if first.low == 0 || first.high == 0 {
			start = []float64{max(first.low, first.high)}
		}
		others = append(others, p.search(start))
	}
	more, err := p.searches(ctx, n, 2, others...)
	return append(found, more...), err
}

func (p Plan) search(start []float64) *Search {
	return &Search{Start: start, Least: p.Least, Most: p.Most, Precision: p.Precision, Need: p.Need}
}

// begin returns the first rates of a process count: what follows from the nearest count that is
// known, if throughput grows with the processes until something limits that all share.
func (p Plan) begin(n int, points []Point) []float64 {
	var near *Point
	for i := range points {
		if q := &points[i]; q.Throughput > 0 && (near == nil || q.Processes <= n &&
			(near.Processes > n || q.Processes > near.Processes)) {
			near = q
		}
	}
	if near == nil {
		return []float64{p.Start}
	}
	guess := math.Sqrt(near.Throughput*max(near.Failed, near.Throughput)) * float64(n) /
		float64(near.Processes)
	guess = min(guess, near.bound()/(1-growthMax)) // so much of it may pile up
	for i := range points {                        // more processes are seldom worse
		if q := &points[i]; q.Processes > n && q.Throughput > 0 {
			guess = min(guess, q.Throughput*(1+p.Precision))
		}
	}
	return Around(guess, p.Precision)
}

// searches runs searches of a process count to their end, side by side. Their repeats count from the
// given one.
func (p Plan) searches(ctx context.Context, n, repeat int, list ...*Search) ([]Point, error) {
	var found []Point
	over := make([]bool, len(list))
	ahead := 1
	if len(list) == 1 {
		ahead = max(1, p.Ahead)
	}
	for len(found) < len(list) {
		var jobs []Job
		var of []*Search
		for i, s := range list {
			if over[i] {
				continue
			}
			rates, err := s.Next(ahead)
			if err != nil {
				return found, ended(fmt.Errorf("with %s: %w", processes(n), err), n, repeat, list, over)
			}
			if len(rates) == 0 {
				over[i] = true
				point := s.pointOf(n, repeat+i)
				found = append(found, point)
				p.Found(point)
			}
			for _, rate := range rates {
				jobs, of = append(jobs, Job{n, repeat + i, rate}), append(of, s)
			}
		}
		for len(jobs) > 0 {
			some := min(max(1, p.Side), len(jobs))
			probes, err := p.Run(ctx, jobs[:some])
			for i, probe := range probes {
				if probe.Rate > 0 {
					of[i].Tell(probe)
				}
			}
			if err != nil {
				return found, ended(knownUntil(err, list, over), n, repeat, list, over)
			}
			jobs, of = jobs[some:], of[some:]
		}
	}
	return found, nil
}

// knownUntil adds to an error what the searches knew that it ended: those that were not over have no
// points.
func knownUntil(err error, list []*Search, over []bool) error {
	for i, s := range list {
		if known := s.known(); known != "" && !over[i] {
			err = fmt.Errorf("%w; until then, %s", err, known)
		}
	}
	return err
}

// ended is an error with what the searches had begun that were not over.
func ended(err error, n, repeat int, list []*Search, over []bool) error {
	e := &Ended{error: err}
	for i, s := range list {
		if !over[i] {
			e.Begun = append(e.Begun, s.pointOf(n, repeat+i))
		}
	}
	return e
}
