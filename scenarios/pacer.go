package scenarios

import (
	"math"
	"sort"
	"time"
)

// Pacer is a load shape over a duration: a pure function from time to the number of spans due.
//
// With t in seconds since the start and T the duration, the rate r(t) in spans per second and the
// hits H(t), its integral from 0 to t, are
//
//	constant  r = a                          H = a t
//	ramp      r = a + (b-a) t/T              H = a t + (b-a) t^2/(2T)
//	step      r = a_i from t_i on            H = sum of a_i times the part of [0,t] in step i
//	sine      r = a + s sin(2 pi t/P)        H = a t + s P/(2 pi) (1 - cos(2 pi t/P))
//	burst     r = b in the last F of each    H = n (a (P-F) + b F) + a min(u, P-F) + b max(0, u+F-P)
//	          period P, else a               with n whole periods before t, and u = t - n P
//
// Before 0 and after T nothing is due.
type Pacer struct {
	shape Rate
	over  time.Duration
}

// Pacer returns the load shape over the scenario's duration.
func (s Scenario) Pacer() Pacer { return Pacer{s.Workload.Rate, s.Duration} }

// tailRate is how many spans per second the open traces are finished with at least, once the load
// is over.
const tailRate = 1000

// Beyond returns when the n-th span after the load is due: it goes on at its last rate until the
// traces that are open are whole.
func (p Pacer) Beyond(n int64) time.Duration {
	rate := max(p.Rate(p.over), tailRate)
	return p.over + time.Duration(float64(n)/rate*float64(time.Second))
}

// Rate returns r(t) in spans per second.
func (p Pacer) Rate(t time.Duration) float64 { return p.rate(t) }

func (p *Pacer) rate(t time.Duration) float64 {
	if t < 0 || t > p.over {
		return 0
	}
	s := &p.shape
	a, b := float64(s.From), float64(s.To)
	switch s.Shape {
	case ShapeRamp:
		return a + (b-a)*t.Seconds()/p.over.Seconds()
	case ShapeStep:
		for _, step := range s.Steps {
			if t >= step.At {
				a = float64(step.Rate)
			}
		}
	case ShapeSine:
		return a + float64(s.Swing)*math.Sin(2*math.Pi*t.Seconds()/s.Every.Seconds())
	case ShapeBurst:
		if t%s.Every >= s.Every-s.For {
			return b
		}
	}
	return a
}

// Hits returns H(t), the number of spans due by t; it never falls.
func (p Pacer) Hits(t time.Duration) float64 { return p.hits(t) }

// hits is Hits; it copies no shape, for Near asks often.
func (p *Pacer) hits(t time.Duration) float64 {
	t = min(max(t, 0), p.over)
	s, x := &p.shape, t.Seconds()
	a, b := float64(s.From), float64(s.To)
	switch s.Shape {
	case ShapeRamp:
		return a*x + (b-a)*x*x/(2*p.over.Seconds())
	case ShapeStep:
		hits, since := 0.0, time.Duration(0)
		for _, step := range s.Steps {
			if step.At >= t {
				break
			}
			hits += a * (step.At - since).Seconds()
			a, since = float64(step.Rate), step.At
		}
		return hits + a*(t-since).Seconds()
	case ShapeSine:
		turn := s.Every.Seconds() / (2 * math.Pi)
		return a*x + float64(s.Swing)*turn*(1-math.Cos(x/turn))
	case ShapeBurst:
		rest := (s.Every - s.For).Seconds()
		whole := float64(t / s.Every)
		u := (t % s.Every).Seconds()
		return whole*(a*rest+b*s.For.Seconds()) + a*min(u, rest) + b*max(0, u-rest)
	}
	return a * x
}

// Total returns how many spans are due in all.
func (p Pacer) Total() int64 { return int64(p.Hits(p.over)) }

// At returns the first time, to the microsecond, at which n spans are due: the inverse of Hits.
// For more than Total it is the duration.
func (p Pacer) At(n int64) time.Duration {
	return p.Near(0, n)
}

// Near is At, sooner found the closer the answer is to where the rate at a time leads from there: it
// looks around that in steps that grow, and then in between.
func (p Pacer) Near(from time.Duration, n int64) time.Duration { return p.near(from, n) }

func (p *Pacer) near(from time.Duration, n int64) time.Duration {
	if n > int64(p.hits(p.over)) {
		return p.over
	}
	due := func(us int) bool { return p.hits(time.Duration(us)*time.Microsecond) >= float64(n) }
	least, most := 0, int(p.over.Microseconds()) // the answer is one of them, or in between
	guess := from.Microseconds()
	if rate := p.rate(from); rate > 0 {
		ahead := math.Ceil((float64(n) - p.hits(from)) / rate * 1e6)
		guess += int64(min(max(ahead, -float64(most)), float64(most)))
	}
	at := int(max(0, min(guess, int64(most)-1)))
	if due(at) {
		most = at
		for step := 1; least < most; step *= 4 {
			if at = max(0, most-step); !due(at) {
				least = at + 1
				break
			}
			most = at
		}
	} else {
		least = at + 1
		for step := 1; least < most; step *= 4 {
			if at = min(least+step, most) - 1; due(at) {
				most = at
				break
			}
			least = at + 1
		}
	}
	least += sort.Search(most-least, func(i int) bool { return due(least + i) })
	return time.Duration(least) * time.Microsecond
}
