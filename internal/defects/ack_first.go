package defects

import (
	"context"

	"sluice/flusher"
)

// ackFirst: a record counts as produced when it was handed over, so its segment is deleted while
// the record is still on its way; a worker that dies then takes it along.
var ackFirst = Defect{
	Name:      "ack-first",
	Wrong:     "a worker deletes a segment before Kafka has acknowledged its record",
	Caught:    "conservation",
	Shown:     "crash",
	Explored:  "protocol",
	OnServers: true,
	// While Kafka takes nothing records pile up, each of them acknowledged to nobody but the worker.
	// The rate is one that fakes keep up with on a busy machine: what they have not read is not lost.
	Changes: []string{
		"workload.rate=constant 400/s", "workload.traces_at_once=10",
		"duration=10s", "expectations.drain_max=45s",
		"pipeline.timeout=2s", "pipeline.root_timeout=1s",
		"faults=[at 3s fail kafka for 6s, at 8s crash all workers]",
	},
	worker: func(p *flusher.WorkerPorts) { p.Producer = hasty{p.Producer} },
}

// hasty is a Producer whose futures are done at once.
type hasty struct{ flusher.Producer }

// Produce hands the record over and forgets it.
func (h hasty) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	h.Producer.Produce(context.WithoutCancel(ctx), record)
	return settled{}
}

type settled struct{}

// Wait claims that the broker has the record.
func (settled) Wait(context.Context) error { return nil }
