package capacity

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
)

func sortUses(list []Use) {
	slices.SortStableFunc(list, func(a, b Use) int { return cmp.Compare(b.Share, a.Share) })
}

// Point is the highest rate that a process count sustains.
type Point struct {
	Processes int `json:"processes"`
	Repeat    int `json:"repeat"`
	// Throughput is that rate in spans per second, which is no more than Failed below the true one: the
	// lowest rate that was not sustained. Failed is 0 if none was tried.
	Throughput float64 `json:"throughput"`
	Failed     float64 `json:"failed"`
	// Limit is what was the limit beyond, and Share how busy it was.
	Limit  Resource `json:"limit"`
	Share  float64  `json:"share"`
	Probes []Probe  `json:"probes"`
}

// Search is the search for the highest sustained rate.
type Search struct {
	// Start is the first rate, Least and Most are the bounds, in spans per second.
	Start, Least, Most float64
	// Precision is how far the rate that was not sustained may be above the one that was, as a share.
	Precision float64
	// Probe runs at a rate.
	Probe func(ctx context.Context, rate float64) (Probe, error)
}

// probesMax bounds a search.
const probesMax = 24

// Run searches. What is known so far comes with an error of a probe.
func (s Search) Run(ctx context.Context) (Point, error) {
	var p Point
	high := math.Inf(1)
	rate := min(max(s.Start, s.Least), s.Most)
	for range probesMax {
		probe, err := s.Probe(ctx, rate)
		if err != nil {
			return p, err
		}
		p.Probes = append(p.Probes, probe)
		if probe.Sustained {
			p.Throughput = rate
		} else {
			high = rate
			p.limitedBy(probe)
		}
		switch {
		case p.Throughput >= s.Most, high <= s.Least, high <= p.Throughput*(1+s.Precision):
			p.Failed = finite(high)
			return p, nil
		case math.IsInf(high, 1):
			rate = min(rate*2, s.Most)
		case p.Throughput == 0:
			rate = max(s.Least, min(high/2, 0.97*cmp.Or(probe.Throughput, high)))
		default:
			rate = between(p.Throughput, high, probe)
		}
	}
	p.Failed = finite(high)
	return p, fmt.Errorf("not found after %d runs: %.0f spans/s is sustained, %.0f is not", probesMax,
		p.Throughput, high)
}

func finite(v float64) float64 {
	if math.IsInf(v, 0) {
		return 0
	}
	return v
}

// between returns the next rate between one that is sustained and one that is not. What came out of a
// system under too much load is about what it can do.
func between(low, high float64, last Probe) float64 {
	const near = 0.98
	if guess := near * last.Throughput; !last.Sustained && guess > low*1.02 && guess < high*near {
		return guess
	}
	return math.Sqrt(low * high)
}

// limitedBy names the limit that a probe met.
func (p *Point) limitedBy(probe Probe) {
	p.Limit, p.Share = WorkerCycle, 0
	if len(probe.Busy) > 0 {
		p.Share = probe.Busy[0].Share
		if p.Share >= busyMin {
			p.Limit = probe.Busy[0].Resource
		}
	}
}
