package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"sluice/flusher"
	"sluice/internal/options"
	"sluice/internal/pipeline"
)

// flushed sums up the workers.
func flushed(line *pipeline.Pipeline) flusher.Totals {
	var sum flusher.Totals
	for _, w := range line.Workers() {
		sum = sum.Plus(w.Totals)
	}
	return sum
}

// stored counts the spans that are in the buffer or were.
func stored(line *pipeline.Pipeline) uint64 {
	var sum uint64
	for _, p := range line.Counters().Partitions {
		sum += p.Spans - min(p.Duplicates, p.Spans)
	}
	return sum
}

// moment is a reading; the rates are the difference of two.
type moment struct {
	at      time.Time
	in      uint64
	out     flusher.Totals
	samples []pipeline.Freshness
}

// showRates shows what happens, once a second, until stop is done.
func (p *program) showRates(stop context.Context, line *pipeline.Pipeline) {
	began := time.Now()
	last := moment{at: began}
	for sleep(stop, rateEvery) {
		now := moment{
			at: time.Now(), in: stored(line), out: flushed(line), samples: line.Freshness(),
		}
		p.screen.Show(rates(now.at.Sub(began), last, now, line.Workers()))
		last = now
	}
}

// rates formats the live line.
func rates(age time.Duration, last, now moment, workers []flusher.WorkerState) string {
	seconds := now.at.Sub(last.at).Seconds()
	perSecond := func(n uint64) string { return grouped(uint64(float64(n)/seconds + 0.5)) }
	var text strings.Builder
	fmt.Fprintf(&text, "%4ds  in %s spans/s  out %s spans/s, %s segments/s  buffered %s",
		int(age.Seconds()), perSecond(now.in-min(last.in, now.in)),
		perSecond(now.out.Spans-min(last.out.Spans, now.out.Spans)),
		perSecond(now.out.Segments-min(last.out.Segments, now.out.Segments)),
		grouped(now.in-min(now.out.Spans, now.in)))
	if late, ok := freshnessP99(now.samples); ok {
		fmt.Fprintf(&text, "  freshness p99 within %v", late)
	}
	for _, w := range workers {
		fmt.Fprintf(&text, "  worker %d %v", w.Worker, w.State)
	}
	return text.String()
}

// freshnessP99 returns the least bound that 99 % of all segments kept.
func freshnessP99(workers []pipeline.Freshness) (time.Duration, bool) {
	var count uint64
	for _, w := range workers {
		count += w.Count
	}
	for i, bound := range pipeline.FreshnessBounds {
		var within uint64
		for _, w := range workers {
			within += w.Buckets[i]
		}
		if count > 0 && within*100 >= count*99 {
			return bound, true
		}
	}
	return 0, false
}

// grouped writes a number with commas between thousands.
func grouped(n uint64) string { return options.FormatGrouped(int64(n), ",") }
