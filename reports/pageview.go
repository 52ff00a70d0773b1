package reports

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"sluice/internal/options"
)

// pageView is what the template shows: the page with every value as text.
type pageView struct {
	Page
	storyView
	Class     string
	Account   string
	Figures   []figure
	Durations []duration
	Charts    []pageChart
	// ShowAt is when what decided happened, as a number of seconds; "" if that is not known.
	ShowAt string
	// ChartNote says what was thinned.
	ChartNote string
	Faults    []pageFault
	Events    []pageEvent
}

type pageChart struct {
	Name, Heading string
	Wide, Narrow  template.HTML
}

// figure is a number that matters, with what it counts.
type figure struct{ Value, Name string }

// duration is a row of quantiles.
type duration struct {
	Name, Explanation string
	Quantiles
}

// pageFault is a row of the table of faults. Number is that in the charts, or 0 for a fault whose
// moment never came.
type pageFault struct {
	Number int
	FaultBar
	Who string
}

type pageEvent struct {
	Event
	Who string
}

// faults are those of the charts, and those that were not injected.
func (p Page) faults() []pageFault {
	var list []pageFault
	several := p.Timeline.several()
	for i, bar := range p.Timeline.Faults {
		hit := ""
		if bar.Worker != NoWorker || bar.Consumer > 0 {
			hit = who(bar.Consumer, bar.Worker, several)
		}
		list = append(list, pageFault{i + 1, bar, hit})
	}
	for _, f := range p.Result.Faults {
		if !f.Injected {
			list = append(list, pageFault{FaultBar: FaultBar{Fault: f.Fault}})
		}
	}
	return list
}

// events name those they concern. No worker means the run itself, a server or the network, unless
// it is a consumer's own event.
func (p Page) events() []pageEvent {
	var list []pageEvent
	several := p.Timeline.several()
	for _, e := range p.Events {
		concerns := ""
		if e.Worker != NoWorker || e.Consumer > 0 || e.Kind == EventConsumer {
			concerns = who(e.Consumer, e.Worker, several)
		}
		list = append(list, pageEvent{e, concerns})
	}
	return list
}

func (r Result) figures() []figure {
	return []figure{
		{thousands(int64(r.Throughput.SpansPerSecond + 0.5)), "spans per second"},
		{fmt.Sprintf("%.2f MB", r.Throughput.BytesPerSecond/1e6), "output per second"},
		{seconds(r.Freshness.P99), "freshness p99"},
		{seconds(r.Run.DrainSeconds), "to drain after the load"},
		{seconds(r.Harness.BehindSeconds), "sent late by at most"},
	}
}

// durations are the distributions that have values.
func (r Result) durations() []duration {
	list := []duration{{"freshness", "from a segment's deadline, in its shard's clock, to its " +
		"acknowledged record: what the flusher adds", r.Freshness},
		{"latency", "from when a span was due to be sent until it was read from the output: " +
			"includes the configured time-outs and every delay on the way", r.Latency}}
	return slices.DeleteFunc(list, func(d duration) bool { return d.Count == 0 })
}

// equation is the account of the spans as a sum.
func (l Ledger) equation() string {
	parts := []string{thousands(l.Flushed) + " flushed"}
	for _, reason := range slices.Sorted(maps.Keys(l.Dropped)) {
		if n := l.Dropped[reason]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s dropped (%s)", thousands(n),
				strings.ReplaceAll(reason, "_", "-")))
		}
	}
	parts = append(parts, thousands(l.Buffered)+" buffered", thousands(l.Lost)+" lost")
	return fmt.Sprintf("%s sent = %s", thousands(l.Sent), strings.Join(parts, " + "))
}

// seconds writes a duration with three digits or so.
func seconds(v float64) string {
	switch {
	case v < 1:
		return fmt.Sprintf("%.0f ms", v*1000)
	case v < 100:
		return fmt.Sprintf("%.2f s", v)
	}
	return fmt.Sprintf("%.0f s", v)
}

// thousands writes a number with thin spaces.
func thousands(n int64) string { return options.FormatGrouped(n, "\u202f") }
