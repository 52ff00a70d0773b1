package harness

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"sluice/reports"
)

// latency is the distribution of how long after it was due to be sent a span came out. It counts
// from the time that the load gives a span, not from when it was really sent: what the system, or
// the harness, holds up at the door shows as well. It keeps four bytes per span.
type latency struct {
	mu       sync.Mutex
	start    time.Time
	received time.Time
	due      [][]uint32 // milliseconds since start, by the number of the span, in chunks
	all      *hdrhistogram.Histogram
}

const (
	// latencyChunk is how many spans' times are kept in one piece: growing copies nothing.
	latencyChunk = 1 << 16
	// latencyMax is the greatest value that is told apart from greater ones.
	latencyMax = time.Hour
)

func newLatency() *latency {
	return &latency{all: hdrhistogram.New(1, latencyMax.Microseconds(), 3)}
}

// begin says when the load starts.
func (l *latency) begin(start time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.start = start
}

// sending notes when a span is due that is about to be sent for the first time.
func (l *latency) sending(seq uint64, at time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for uint64(len(l.due)) <= seq/latencyChunk {
		l.due = append(l.due, nil)
	}
	chunk := &l.due[seq/latencyChunk]
	if *chunk == nil {
		*chunk = make([]uint32, latencyChunk)
	}
	(*chunk)[seq%latencyChunk] = uint32(at.Milliseconds())
}

// reading says when the records were received whose spans are entered from now on.
func (l *latency) reading(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received = at
}

// out enters a span that has come out for the first time.
func (l *latency) out(seq uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq/latencyChunk >= uint64(len(l.due)) || l.due[seq/latencyChunk] == nil {
		return // nobody said when it was due
	}
	due := time.Duration(l.due[seq/latencyChunk][seq%latencyChunk]) * time.Millisecond
	late := min(max(l.received.Sub(l.start)-due, time.Microsecond), latencyMax)
	_ = l.all.RecordValue(late.Microseconds()) // it is inside of the bounds
}

// dueAt returns when a span was due to be sent, since the start of the load; 0 if nobody said so.
func (l *latency) dueAt(seq uint64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq/latencyChunk >= uint64(len(l.due)) || l.due[seq/latencyChunk] == nil {
		return 0
	}
	return time.Duration(l.due[seq/latencyChunk][seq%latencyChunk]) * time.Millisecond
}

// quantiles returns the distribution over all spans that have come out.
func (l *latency) quantiles() reports.Quantiles {
	l.mu.Lock()
	defer l.mu.Unlock()
	return quantilesOf(l.all)
}

// quantilesOf returns the quantiles of microseconds, in seconds.
func quantilesOf(h *hdrhistogram.Histogram) reports.Quantiles {
	if h.TotalCount() == 0 {
		return reports.Quantiles{}
	}
	return reports.Quantiles{P50: secondsAt(h, 50), P90: secondsAt(h, 90), P99: secondsAt(h, 99),
		Max: float64(h.Max()) / 1e6, Count: h.TotalCount()}
}

func secondsAt(h *hdrhistogram.Histogram, percent float64) float64 {
	return float64(h.ValueAtQuantile(percent)) / 1e6
}
