package reports

import "gonum.org/v1/plot/vg"

// The names of a timeline's charts, which are those of their files.
const (
	// ChartTimeline shows the run at a glance: rates, buffered spans, workers.
	ChartTimeline  = "timeline"
	ChartRates     = "rates"
	ChartBacklog   = "backlog"
	ChartFreshness = "freshness"
	ChartCPU       = "cpu"
	ChartWorkers   = "workers"
)

// NamedChart is a chart of a timeline.
type NamedChart struct {
	// Name of its files, without extension.
	Name string
	// Heading says what it shows.
	Heading string
	Chart   Chart
	// Narrow is the same for a column as wide as a telephone.
	Narrow Chart
}

// Chart draws the run at a glance: rates in and out, the buffered spans, and one lane per worker,
// above one time axis. Faults are shaded from top to bottom.
func (t Timeline) Chart() Chart {
	return t.chart(wideWidth, t.ratesStrip(), t.bufferedStrip(), t.lanesStrip())
}

// Charts returns the charts that show one thing each, over the same time axis with the same faults.
func (t Timeline) Charts() []NamedChart {
	named := func(name, heading string, strips ...strip) NamedChart {
		return NamedChart{Name: name, Heading: heading, Chart: t.chart(wideWidth, strips...),
			Narrow: t.chart(narrowWidth, strips...)}
	}
	return []NamedChart{
		named(ChartRates, "Rate in and out", t.ratesStrip()),
		named(ChartBacklog, "Backlog and memory", t.backlogStrip(), t.bufferedStrip(),
			t.memoryStrip()),
		named(ChartFreshness, "Freshness", t.freshnessStrip()),
		named(ChartCPU, "Processors", t.cpuStrip()),
		named(ChartWorkers, "Workers", t.lanesStrip()),
	}
}

func (t Timeline) chart(width int, strips ...strip) Chart {
	return stack{Timeline: t, strips: strips, width: vg.Length(width)}.chart()
}
