package defects

import (
	"context"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// giantTraceBlocks: what is loaded of a giant trace is one call, and all others wait for it.
var giantTraceBlocks = Defect{
	Name:       "giant-trace-blocks",
	Wrong:      "a giant trace makes one call so long that all other segments wait for it",
	Caught:     "freshness_p99_max",
	Shown:      "giant-trace",
	Unexplored: byTime,
	Changes: []string{
		"workload.spans_per_trace=geometric mean 200 max 3000", "workload.traces_at_once=10",
		"workload.rate=constant 1500/s", "expectations.freshness_p99_max=2s",
		"expectations.figures=[]", "pipeline.max_segment_bytes=10MiB",
	},
	worker: func(p *flusher.WorkerPorts) { p.Store = inOneCall{p.Store, p.Clock} },
}

// inOneCall is a Store that reads span by span what is larger than most.
type inOneCall struct {
	buffer.Store
	clock flusher.Clock
}

const (
	// giant is how many spans of a segment are many.
	giant = 500
	// perSpan is what each of them takes, of which a server of one thread does one at a time.
	perSpan = 5 * time.Millisecond
)

// Load takes as long as the largest segment does.
func (o inOneCall) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	loaded, err := o.Store.Load(ctx, owner, list)
	for _, l := range loaded {
		if n := len(l.Spans); n > giant {
			if err := o.clock.Sleep(ctx, time.Duration(n)*perSpan); err != nil {
				return loaded, err
			}
		}
	}
	return loaded, err
}
