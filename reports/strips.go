package reports

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
)

// Heights of the panels, in points.
const (
	tallPanel = 170
	lowPanel  = 80
)

// series is one curve of a panel. A value that is not known is NaN.
type series struct {
	name  string
	color color.Color
	ys    []float64
}

// silent is a strip that says in words why there is nothing to draw.
func silent(name, why string) strip { return strip{name: name, note: why} }

// column takes one value of each point.
func column[P any](points []P, value func(P) float64) []float64 {
	list := make([]float64, len(points))
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
func greatest(columns ...[]float64) float64 {
	top := 0.0
	for _, y := range slices.Concat(columns...) {
		if y > top { // never true for NaN
			top = y
		}
	}
	return top
}

// curves is a strip with some curves over the same times, the y axis reaching to least at least.
func curves(name string, height vg.Length, least float64, xs []float64, list []series) strip {
	s := strip{name: name, height: height}
	var all [][]float64
	for _, one := range list {
		all = append(all, one.ys)
		s.legend = append(s.legend, legendEntry{one.color, one.name})
	}
	top := greatest(all...)
	s.paint = func(p panel) {
		p.fitY(top, least)
		p.gridY()
		for _, one := range list {
			p.curve(line(one.color, 1.6), xs, one.ys)
		}
	}
	return s
}

func (t Timeline) ratesStrip() strip {
	in := column(t.Rates, func(r RatePoint) float64 { return r.In })
	out := column(t.Rates, func(r RatePoint) float64 { return r.Out })
	if greatest(in, out) == 0 {
		return silent("spans per second", "none came in or out")
	}
	xs := column(t.Rates, func(r RatePoint) float64 { return r.T })
	return curves("spans per second", tallPanel, 1, xs,
		[]series{{"in", rateIn, in}, {"out", rateOut, out}})
}

func (t Timeline) bufferedStrip() strip {
	const name = "spans buffered"
	xs := column(t.Rates, func(r RatePoint) float64 { return r.T })
	ys := column(t.Rates, func(r RatePoint) float64 { return r.Buffered })
	if greatest(ys) == 0 {
		return silent(name, "none seen")
	}
	s := strip{name: name, height: lowPanel}
	if slices.ContainsFunc(t.Rates, func(r RatePoint) bool { return r.Paused > 0 }) {
		s.legend = legend{{pauseSet, "input of some shard paused"}}
	}
	s.paint = func(p panel) {
		p.fitY(greatest(ys), 1)
		p.area(bufferSet, xs, ys)
		p.gridY()
		p.curve(line(bufferInk, 1.4), xs, ys)
		for i := 1; i < len(t.Rates); i++ {
			if t.Rates[i].Paused > 0 {
				p.rectangle(pauseSet, p.x(xs[i-1]), p.x(xs[i]), p.low, p.low+4)
			}
		}
	}
	return s
}

func (t Timeline) backlogStrip() strip {
	const name = "messages not committed"
	xs := column(t.Backlog, func(b BacklogPoint) float64 { return b.T })
	ys := column(t.Backlog, func(b BacklogPoint) float64 { return float64(b.Messages) })
	if greatest(ys) == 0 {
		return silent(name, "none seen")
	}
	return strip{name: name, height: lowPanel, paint: func(p panel) {
		p.fitY(greatest(ys), 1)
		p.area(backlogSet, xs, ys)
		p.gridY()
		p.curve(line(rateIn, 1.4), xs, ys)
	}}
}

// limitReach is how many times the greatest use a limit may be and still be drawn.
const limitReach = 4

func (t Timeline) memoryStrip() strip {
	const name = "bytes in the fullest Redis"
	xs := column(t.Backlog, func(b BacklogPoint) float64 { return b.T })
	used := column(t.Backlog, func(b BacklogPoint) float64 { return known(float64(b.RedisBytes)) })
	limit := column(t.Backlog, func(b BacklogPoint) float64 { return known(float64(b.RedisBytesMax)) })
	if greatest(used) == 0 {
		return silent(name, "not known in this world")
	}
	s := strip{name: name, height: lowPanel, legend: legend{{memoryInk, "used"}}}
	top, most := greatest(used), greatest(limit)
	switch {
	case most == 0:
		s.note = "no limit"
	case most > limitReach*top:
		s.note = "limit " + short(most) + ", off the chart"
	default:
		s.note = "dashed: limit " + short(most)
		top = max(top, most)
	}
	s.paint = func(p panel) {
		p.fitY(top, 1)
		p.area(memorySet, xs, used)
		p.gridY()
		p.curve(line(memoryInk, 1.4), xs, used)
		if most <= top {
			p.curve(line(ink, 1.2, 6, 3), xs, limit)
		}
	}
	return s
}

func (t Timeline) freshnessStrip() strip {
	const name = "freshness in seconds"
	// Where nothing was flushed all three are 0; otherwise a 0 is a value.
	at := func(value func(FreshPoint) float64) []float64 {
		return column(t.Freshness, func(f FreshPoint) float64 {
			if f.P50 == 0 && f.P90 == 0 && f.P99 == 0 {
				return math.NaN()
			}
			return value(f)
		})
	}
	p50 := at(func(f FreshPoint) float64 { return f.P50 })
	p90 := at(func(f FreshPoint) float64 { return f.P90 })
	p99 := at(func(f FreshPoint) float64 { return f.P99 })
	if greatest(p50, p90, p99) == 0 {
		return silent(name, "not known, or nothing was flushed")
	}
	xs := column(t.Freshness, func(f FreshPoint) float64 { return f.T })
	s := curves(name, tallPanel, 0.1, xs,
		[]series{{"p99", freshP99, p99}, {"p90", freshP90, p90}, {"p50", freshP50, p50}})
	return s
}

func (t Timeline) cpuStrip() strip {
	const name = "cores used"
	of := func(value func(CPUPoint) float64) []float64 { return column(t.CPU, value) }
	all := []series{
		{"Redis", cpuRedis, of(func(c CPUPoint) float64 { return c.Redis })},
		{"Kafka", cpuKafka, of(func(c CPUPoint) float64 { return c.Kafka })},
		{"workers", cpuWorkers, of(func(c CPUPoint) float64 { return c.Workers })},
		{"consumer", cpuConsumer, of(func(c CPUPoint) float64 { return c.Consumer })},
		{"harness", cpuHarness, of(func(c CPUPoint) float64 { return c.Harness })},
	}
	var seen []series
	var missing []string
	for _, one := range all {
		if greatest(one.ys) > 0 {
			seen = append(seen, one)
		} else {
			missing = append(missing, one.name)
		}
	}
	if len(seen) == 0 {
		return silent(name, "not known in this world")
	}
	s := curves(name, tallPanel, 0.2, column(t.CPU, func(c CPUPoint) float64 { return c.T }), seen)
	if len(missing) > 0 {
		s.note = "not known: " + strings.Join(missing, ", ")
	}
	return s
}
