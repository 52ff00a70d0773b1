package swarm

import (
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/buffer"
)

// option is a key of the scenario with the values that it may have.
type option struct {
	path string
	// share of the cases that draw it; the others keep its default. 0: all draw it.
	share float64
	draw  func(*rand.Rand) string
}

// throttles are rates of a connection.
var throttles = []buffer.Bytes{20_000, 100_000, 1_000_000}

// options are drawn in this order. Loads are small, since much happens in a run of few spans; their
// time-outs are longer than what a batch waits, and the drain is long enough for every one of them.
// Wrong clocks (workload.skew) are left out: among so few messages nobody can tell which are wrong.
var options = []option{
	{"duration", 0, span(4*time.Second, 12*time.Second)},
	{"topology.partitions", 0, number(1, 8)},
	{"topology.flusher_processes", 0, words("1", "2", "3", "4", "per-shard")},
	{"topology.flusher_mode", 0.1, words("goroutine")},
	{"topology.output_record_max", 0.2, words("4KB", "16KB", "64KB")},
	{"pipeline.timeout", 0, span(3*time.Second, 6*time.Second)},
	{"pipeline.root_timeout", 0, span(2*time.Second, 4*time.Second)},
	{"pipeline.max_segment_age", 0.2, span(4*time.Second, 10*time.Second)},
	{"pipeline.max_segment_bytes", 0.2, words("2KB", "10KB", "100KB")},
	{"pipeline.max_flush_segments", 0, words("5", "20", "100", "500")},
	{"pipeline.max_unhealthy", 0, span(time.Second, 4*time.Second)},
	{"pipeline.backpressure_after", 0, span(0, 4*time.Second)},
	{"pipeline.restart_budget", 0, words("1000")}, // how often they fail is the faults' business
	{"pipeline.max_memory", 0.3, words("80%")},
	{"pipeline.max_batch", 0, words("1", "10", "100", "1000")},
	{"pipeline.max_batch_wait", 0, span(0, 500*time.Millisecond)},
	{"workload.rate", 0, rate},
	{"workload.traces_at_once", 0, number(1, 60)},
	{"workload.spans_per_trace", 0, words("1", "2", "20", "uniform 1..30", "geometric mean 10 max 200")},
	{"workload.depth", 0, number(1, 8)},
	{"workload.span_bytes", 0, words("400", "500", "uniform 400..2000", "geometric mean 600 max 6000")},
	{"workload.projects", 0, number(1, 4)},
	{"workload.disorder", 0.5, words("0.1", "0.5", "1")},
	{"workload.late", 0.2, words("0.05 by 500ms", "0.02 by 1s")},
	{"workload.duplicates", 0.3, words("0.01", "0.1", "0.5")},
	{"workload.bad", 0.2, words("0.01", "0.1")},
	{"workload.producers", 0, number(1, 4)},
	{"workload.key_skew", 0.3, words("0.5", "1.5")},
	{"expectations.drain_max", 0, words("5m")}, // every second record refused: 40 spans/s from a worker
}

// later are options that were added when seeds had been swept: each is drawn by itself, so that all else of
// a seed's case stays as it was, and left out where it cannot be.
var later = []option{
	{"workload.headless", 0.2, words("0.05", "0.3")},
}

func words(list ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return pick(r, list) }
}

func number(least, most int) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return fmt.Sprint(least + r.IntN(most-least+1)) }
}

func span(least, most time.Duration) func(*rand.Rand) string {
	return func(r *rand.Rand) string {
		d := drawer{Rand: r}
		return d.between(least, most).String()
	}
}

// rate draws a load of some hundred spans a second, in any shape.
func rate(r *rand.Rand) string {
	low, high := 50+r.IntN(150), 200+r.IntN(400)
	return pick(r, []string{
		fmt.Sprintf("constant %d/s", high),
		fmt.Sprintf("ramp %d/s to %d/s", low, high),
		fmt.Sprintf("step %d/s, %d/s at 2s", low, high),
		fmt.Sprintf("sine %d/s +- %d/s every 3s", high, low),
		fmt.Sprintf("burst %d/s to %d/s for 500ms every 2s", low, 3*high),
	})
}
