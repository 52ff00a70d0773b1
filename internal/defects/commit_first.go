package defects

import (
	"context"
	"time"

	"sluice/consumer"
	"sluice/flusher"
)

// commitFirst: offsets are committed as soon as messages were read, so what is not in the store yet
// when the consumer dies is in no place at all.
var commitFirst = Defect{
	Name:     "commit-first",
	Wrong:    "offsets are committed before the spans are in the store",
	Caught:   "conservation",
	Shown:    "consumer-crash",
	Explored: "commit",
	Changes: []string{
		"workload.rate=constant 300/s", "duration=6s", "expectations.drain_max=45s",
		"pipeline.timeout=8s", "pipeline.root_timeout=6s",
		"faults=[at 2s black-hole redis requests for 3s, at 3s crash consumer]",
	},
	consumer: func(p *consumer.Ports) { p.Source = eager{p.Source} },
}

// eager is a Source that commits what it returns.
type eager struct{ flusher.Source }

// Poll commits first.
func (e eager) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	fetch, err := e.Source.Poll(ctx, limit, wait)
	var last []flusher.Message
	for _, batch := range fetch.Batches {
		if n := len(batch.Messages); n > 0 {
			last = append(last, batch.Messages[n-1])
		}
	}
	if len(last) > 0 {
		_ = e.Commit(ctx, last) // one that fails does no harm
	}
	return fetch, err
}
