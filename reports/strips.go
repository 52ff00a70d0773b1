package reports

import (
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Heights of the panels, in points.
const (
	tallPanel = 170
	lowPanel  = 80
)

// series is one curve of a panel. A value that is not known is NaN.
type series struct {
	// name in the legend; without one the curve explains itself.
	name  string
	style draw.LineStyle
	ys    []float64
	// fill is the colour of what is below the curve, or nil.
	fill color.Color
}

// silent is a strip that says in words why there is nothing to draw.
func silent(name, why string) strip { return strip{name: name, note: why} }

// column takes one value of each point.
func column[P, V any](points []P, value func(P) V) []V {
	list := make([]V, len(points))
	for i, p := range points {
		list[i] = value(p)
	}
	return list
}

// known turns values that are 0 because nothing is known into NaN.
func known(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

// greatest of the values, and 0.
func greatest(ys []float64) float64 {
	top := 0.0
	for _, y := range ys {
		if y > top { // never true for NaN
			top = y
		}
	}
	return top
}

// curves is a strip with some curves over the same times, the y axis reaching to least at least. It
// is silent if all of them are 0 or not known, for the reason none.
func curves(
	name, none string, height vg.Length, least float64, xs []float64, list ...series,
) strip {
	s := strip{name: name, height: height}
	top := 0.0
	for _, one := range list {
		top = max(top, greatest(one.ys))
		if one.name != "" {
			s.legend = append(s.legend, legendEntry{one.style.Color, one.name})
		}
	}
	if top == 0 {
		return silent(name, none)
	}
	s.paint = func(p panel) {
		p.fitY(top, least)
		for _, one := range list {
			if one.fill != nil {
				p.area(one.fill, xs, one.ys)
			}
		}
		p.gridY()
		for _, one := range list {
			p.curve(one.style, xs, one.ys)
		}
	}
	return s
}

func (t Timeline) ratesStrip() strip {
	column := func(value func(RatePoint) float64) []float64 { return column(t.Rates, value) }
	return curves("spans per second", "none came in or out", tallPanel, 1,
		column(func(r RatePoint) float64 { return r.T }),
		series{"in", line(rateIn, 1.6), column(func(r RatePoint) float64 { return r.In }), nil},
		series{"out", line(rateOut, 1.6), column(func(r RatePoint) float64 { return r.Out }), nil})
}

// sampled takes one value of each sample.
func (t Timeline) sampled(value func(Sample) float64) []float64 { return column(t.Samples, value) }

func (t Timeline) times() []float64 { return t.sampled(func(s Sample) float64 { return s.T }) }

func (t Timeline) bufferedStrip() strip {
	xs, ys := t.times(), t.sampled(func(s Sample) float64 { return float64(s.Buffered()) })
	s := curves("spans buffered", "none seen", lowPanel, 1, xs,
		series{style: line(bufferInk, 1.4), ys: ys, fill: bufferSet})
	paint := s.paint
	if paint == nil || !slices.ContainsFunc(t.Samples, func(s Sample) bool { return s.Paused > 0 }) {
		return s
	}
	s.legend = legend{{pauseSet, "input of some shard paused"}}
	s.paint = func(p panel) {
		paint(p)
		for i := 1; i < len(xs); i++ {
			if t.Samples[i].Paused > 0 {
				p.rectangle(pauseSet, p.x(xs[i-1]), p.x(xs[i]), p.low, p.low+4)
			}
		}
	}
	return s
}

func (t Timeline) backlogStrip() strip {
	return curves("messages not committed", "none seen", lowPanel, 1, t.times(), series{
		style: line(rateIn, 1.4), fill: backlogSet,
		ys: t.sampled(func(s Sample) float64 { return float64(s.Backlog) }),
	})
}

// limitReach is how many times the greatest use a limit may be and still be drawn.
const limitReach = 4

func (t Timeline) memoryStrip() strip {
	used := t.sampled(func(s Sample) float64 { return known(float64(s.RedisBytes)) })
	limit := t.sampled(func(s Sample) float64 { return known(float64(s.RedisBytesMax)) })
	list := []series{{"used", line(memoryInk, 1.4), used, memorySet}}
	note, most := "no limit", greatest(limit)
	switch {
	case most > limitReach*greatest(used):
		note = "limit " + short(most) + ", off the chart"
	case most > 0:
		note = "dashed: limit " + short(most)
		list = append(list, series{style: line(ink, 1.2, 6, 3), ys: limit})
	}
	s := curves("bytes in the fullest Redis", "not known in this world", lowPanel, 1, t.times(),
		list...)
	if s.paint != nil {
		s.note = note
	}
	return s
}

func (t Timeline) freshnessStrip() strip {
	// Where nothing was flushed all three are 0; otherwise a 0 is a value.
	quantile := func(value func(Sample) float64) []float64 {
		return t.sampled(func(s Sample) float64 {
			if s.FreshP50 == 0 && s.FreshP90 == 0 && s.FreshP99 == 0 {
				return math.NaN()
			}
			return value(s)
		})
	}
	return curves("freshness in seconds", "not known, or nothing was flushed", tallPanel, 0.1,
		t.times(),
		series{"p99", line(freshP99, 1.6), quantile(func(s Sample) float64 { return s.FreshP99 }), nil},
		series{"p90", line(freshP90, 1.6), quantile(func(s Sample) float64 { return s.FreshP90 }), nil},
		series{"p50", line(freshP50, 1.6), quantile(func(s Sample) float64 { return s.FreshP50 }), nil})
}

func (t Timeline) cpuStrip() strip {
	cores := column(t.CPU, func(c CPUPoint) Cores { return c.Cores })
	users, note := coreUsersIn(cores)
	var list []series
	for _, user := range users {
		list = append(list, series{user.name, line(user.color, 1.6), column(cores, user.of), nil})
	}
	s := curves("cores used", "not known in this world", tallPanel, 0.2,
		column(t.CPU, func(c CPUPoint) float64 { return c.T }), list...)
	if s.paint != nil {
		s.note = note
	}
	return s
}
