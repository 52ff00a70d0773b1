package capacity

import (
	"fmt"
	"math"

	"sluice/internal/judge"
)

// Point is the highest rate that a process count sustains.
type Point struct {
	Processes int `json:"processes"`
	Repeat    int `json:"repeat"`
	// Throughput is that rate in spans per second, which is no more than Failed below the true one: the
	// lowest rate that was not sustained. Failed is 0 if none was tried.
	Throughput float64 `json:"throughput"`
	Failed     float64 `json:"failed"`
	// Limit is what was the limit beyond. Busiest is the resource that was busiest there, which is another
	// where the limit is no resource, and Share how busy that was; empty and 0 if none was measured.
	Limit   judge.Resource `json:"limit"`
	Busiest judge.Resource `json:"busiest"`
	Share   float64        `json:"busiest_share"`
	Probes  []Probe        `json:"probes"`
}

// at is the probe of the highest rate that is sustained, or nil.
func (p *Point) at() *Probe {
	for i := range p.Probes {
		if p.Probes[i].Sustained && p.Probes[i].Rate == p.Throughput {
			return &p.Probes[i]
		}
	}
	return nil
}

// bound is what the resources allow that all processes share, by what was sustained: at the highest
// rate, and at the lowest if that says more.
func (p *Point) bound() float64 {
	at := p.at()
	if at == nil {
		return math.Inf(1)
	}
	var least *Probe
	for i := range p.Probes {
		if q := &p.Probes[i]; q.Sustained && q.Rate < at.Rate && (least == nil || q.Rate < least.Rate) {
			least = q
		}
	}
	return at.boundWith(least)
}

// Search is the search for the highest sustained rate of a process count. It takes turns with whoever
// makes the runs: Next says at which rates, which may run side by side, and Tell takes what came of
// one.
type Search struct {
	// Start are the first rates: one that is only a begin, or two that are thought to be on both sides
	// of the answer. Least and Most are the bounds, in spans per second.
	Start       []float64
	Least, Most float64
	// Precision is how far the rate that was not sustained may be above the one that was, as a share.
	Precision float64
	// Need is a rate of which it must be known whether it is sustained; 0 for none.
	Need float64

	point  Point
	low    float64 // the highest rate that is sustained
	high   float64 // the lowest that is not; 0 if none was tried
	failed Probe   // the latest that was not
	floor  Probe   // of the highest rate that could not be judged
	begun  bool
}

// CannotJudge ends a search that would have to go on at a rate which cannot be judged. It says what to
// set.
type CannotJudge string

// Error is what to set.
func (c CannotJudge) Error() string { return string(c) }

// probesMax bounds a search.
const probesMax = 24

// Around are two rates on both sides of a guess, as near as the precision lets them.
func Around(guess, precision float64) []float64 {
	apart := math.Sqrt(1 + precision)
	return []float64{guess / apart, guess * apart}
}

// Next returns the next rates, at most that many; none if the search is over. The error says that it
// takes too long.
func (s *Search) Next(most int) ([]float64, error) {
	step := 1 + s.Precision
	low, high := s.low, s.high
	var rates []float64
	switch {
	case !s.begun:
		s.begun = true
		rates = s.Start
	case low >= s.Most, high > 0 && high <= s.Least:
		return nil, nil
	case high > 0 && high <= low*step*(1+1e-9):
		if !(low < s.Need && s.Need < high) {
			return nil, nil
		}
		rates = []float64{s.Need}
	case high == 0 && low == 0:
		if s.floor.Rate >= s.Most {
			return nil, CannotJudge(s.floor.Why)
		}
		rates = []float64{far * s.floor.Rate} // the higher a rate, the shorter its traces
	case high == 0:
		rates = s.up(step)
	case low == 0 && s.failed.Missed != "":
		if s.vain() {
			return nil, nil
		}
		rates = []float64{high / far / far, high / far}[2-min(2, most):]
	case low == 0 && high <= s.floor.Rate*step*(1+1e-9):
		return nil, CannotJudge(s.known() + ", and " + s.floor.Why)
	case low == 0:
		guess := min(s.failed.guess(), high/step)
		if most == 1 {
			guess /= step
		}
		rates = []float64{guess / step, guess}[2-min(2, most):]
	default:
		rates = s.within(step, most)
	}
	if len(s.point.Probes) >= probesMax {
		return nil, fmt.Errorf("not found after %d runs: %s", probesMax, s.known())
	}
	var next []float64
	for _, rate := range rates {
		rate = min(max(rate, s.Least, s.floor.Rate*step), s.Most)
		if len(next) < most && (len(next) == 0 || rate > next[len(next)-1]) {
			next = append(next, rate)
		}
	}
	return next, nil
}

// far is the ratio of rates that are not near each other.
const far = 4

// vain tells whether less load is of no use: what a run failed of, it also fails of far above; or there
// is no lower rate that can be judged.
func (s *Search) vain() bool {
	for _, p := range s.point.Probes {
		if p.Missed == s.failed.Missed && p.Rate > s.high*far*far*(1-1e-9) {
			return true
		}
	}
	return s.high/far <= s.floor.Rate
}

// up is what to try when nothing was too much: what the resources that were measured allow, or far
// more.
func (s *Search) up(step float64) []float64 {
	bound := math.Inf(1)
	for i := range s.point.Probes {
		if p := &s.point.Probes[i]; p.Rate == s.low {
			bound = p.bound()
		}
	}
	if guess := 0.98 * bound; guess < far*s.low && len(s.Start) == 1 {
		around := Around(max(guess, s.low*step), s.Precision)
		around[0] = max(around[0], s.low*math.Sqrt(step))
		return around
	}
	if len(s.Start) > 1 { // which were thought to be near
		near := s.low * math.Pow(step, float64(max(1, len(s.point.Probes)-1)))
		if bound*math.Sqrt(step) < near { // what is higher still is surely too much
			return []float64{near}
		}
		return []float64{near, near * step}
	}
	if math.IsInf(bound, 1) {
		return []float64{2 * s.low, 4 * s.low}
	}
	return []float64{far * s.low}
}

// within is what to try between a rate that is sustained and one that is not.
func (s *Search) within(step float64, most int) []float64 {
	parts := int(math.Ceil(math.Log(s.high/s.low)/math.Log(step) - 1e-9))
	if parts-1 <= most { // it is over after these
		var rates []float64
		for i := 1; i < parts; i++ {
			rates = append(rates, s.low*math.Pow(s.high/s.low, float64(i)/float64(parts)))
		}
		return rates
	}
	guess := math.Sqrt(s.low * s.high)
	if failed := s.failed.guess(); s.failed.Rate == s.high && failed > s.low && failed < s.high {
		guess = failed
	}
	around := Around(guess, s.Precision)
	near := math.Sqrt(step)
	switch {
	case most == 1:
		return []float64{min(max(guess, s.low*step), s.high/step)}
	case around[0] < s.low*near:
		return []float64{s.low * step, s.low * step * step}
	case around[1] > s.high/near:
		return []float64{s.high / step / step, s.high / step}
	}
	return around
}

// Tell takes what a run showed.
func (s *Search) Tell(p Probe) {
	s.point.Probes = append(s.point.Probes, p)
	if p.Unjudged {
		if p.Rate > s.floor.Rate {
			s.floor = p
		}
		return
	}
	if !p.Sustained {
		if s.high == 0 || p.Rate < s.high {
			s.high, s.failed = p.Rate, p
		}
		if s.low >= s.high { // what passed above was luck
			s.low = 0
			for _, other := range s.point.Probes {
				if other.Sustained && other.Rate < s.high {
					s.low = max(s.low, other.Rate)
				}
			}
		}
		return
	}
	if s.high == 0 || p.Rate < s.high {
		s.low = max(s.low, p.Rate)
	}
}

// known is what is known so far, in words; "" if nothing is.
func (s *Search) known() string {
	switch {
	case s.low == 0 && s.high == 0:
		return ""
	case s.high == 0:
		return grouped(s.low) + " spans/s are sustained"
	case s.low == 0:
		return grouped(s.high) + " spans/s are not sustained"
	}
	return fmt.Sprintf("%s spans/s are sustained, %s are not", grouped(s.low), grouped(s.high))
}

// pointOf is what is known so far of a repeat of a process count.
func (s *Search) pointOf(n, repeat int) Point {
	p := s.Point()
	p.Processes, p.Repeat = n, repeat
	return p
}

// Point is what is known so far.
func (s *Search) Point() Point {
	p := s.point
	p.Throughput, p.Failed = s.low, s.high
	if s.high > 0 {
		p.Limit, p.Share = WorkerCycle, 0
		if busiest, ok := judge.Limiting(s.failed.Busy); ok {
			p.Limit = busiest.Resource
		} else if s.failed.Missed != "" {
			p.Limit = required(s.failed.Missed)
		} else if s.failed.Unread {
			p.Limit = Consumers
		}
		if len(s.failed.Busy) > 0 {
			p.Busiest, p.Share = s.failed.Busy[0].Resource, s.failed.Busy[0].Share
		}
	}
	return p
}
