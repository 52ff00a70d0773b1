package defects

import (
	"context"
	"errors"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

var (
	swallowProduceError = Defect{
		Name:      "swallow-produce-error",
		Wrong:     "a produce that failed is logged, and its segment cleaned up",
		Caught:    "conservation",
		Shown:     "poison",
		Explored:  "protocol",
		OnServers: true,
		Changes: []string{
			"workload.bad=0", "duration=4s", "expectations.drain_max=20s",
		},
		// Who knows what the topic refuses has fewer occasions to fail.
		worker: func(p *flusher.WorkerPorts) { p.Producer, p.RefusesAbove = optimist{p.Producer}, nil },
	}
	poisonSegment = Defect{
		Name:       "poison-segment",
		Wrong:      "a worker ends when the broker refuses a record, and so does each of its successors",
		Caught:     "liveness",
		Shown:      "poison",
		Unexplored: bySize,
		Changes: []string{
			"workload.bad=0", "duration=6s", "pipeline.restart_budget=2",
		},
		worker: func(p *flusher.WorkerPorts) {
			poison := &poisoned{Store: p.Store}
			p.Store, p.Producer, p.RefusesAbove = poison, taster{p.Producer, poison}, nil
		},
	}
	beatBeforeProduce = Defect{
		Name:       "beat-before-produce",
		Wrong:      "a worker gives its last sign of life before it waits for Kafka: slow looks like hung",
		Caught:     "liveness",
		Shown:      "kafka-refuses",
		Unexplored: byTime,
		Changes: []string{
			"duration=14s", "faults=[at 2s fail kafka for 10s]", "workload.rate=constant 400/s",
			"workload.traces_at_once=10", "pipeline.max_unhealthy=2s", "pipeline.restart_budget=1",
			"pipeline.timeout=3s", "pipeline.root_timeout=2s",
		},
		worker: func(p *flusher.WorkerPorts) { p.Reporter = quiet{p.Reporter} },
	}
	pressureAllShards = Defect{
		Name:       "pressure-all-shards",
		Wrong:      "a worker is under backpressure only when all of its shards lag",
		Caught:     "pauses >= 1",
		Shown:      "backpressure",
		Unexplored: byPressure,
		// All load is on one shard of eight.
		Changes: []string{"workload.key_skew=6", "duration=10s", "workload.disorder=0",
			"workload.traces_at_once=10",
			"workload.rate=constant 300/s", "pipeline.max_flush_segments=8"},
		worker: func(p *flusher.WorkerPorts) {
			gauge := &pressure{Store: p.Store, full: map[buffer.Shard]bool{}}
			p.Store, p.Reporter = gauge, patient{p.Reporter, gauge}
		},
	}
	pressureWrongUnit = Defect{
		Name:       "pressure-wrong-unit",
		Wrong:      "the number of spans in a segment is compared with the limit on segments",
		Caught:     "liveness",
		Shown:      "steady",
		Unexplored: byPressure,
		Changes: []string{
			"pipeline.max_flush_segments=30",
			"pipeline.backpressure_after=1s", "workload.rate=constant 400/s",
			"expectations.throughput_min=0/s",
		},
		worker: func(p *flusher.WorkerPorts) {
			gauge := &pressure{Store: p.Store, full: map[buffer.Shard]bool{}, clock: p.Clock}
			p.Store, p.Reporter = gauge, alarmed{p.Reporter, gauge}
		},
	}
	clockZero = Defect{
		Name:       "clock-zero",
		Wrong:      "a worker takes the wall clock for its shards' until there is new input",
		Caught:     "segment integrity",
		Shown:      "consumer-crash",
		Unexplored: byTime,
		Changes: []string{
			"duration=14s", "pipeline.timeout=4s", "pipeline.root_timeout=4s", "pipeline.max_batch=10",
			"faults=[at 4s crash consumer for 6s, at 9s slow redis by 100ms for 6s]",
			"workload.disorder=0", "workload.rate=constant 400/s", "workload.traces_at_once=40",
		},
		worker: func(p *flusher.WorkerPorts) {
			p.Store = &fromZero{Store: p.Store, clock: p.Clock, inputs: map[buffer.Shard]uint64{}}
		},
	}
	clockShared = Defect{
		Name:       "clock-shared",
		Wrong:      "all shards of a worker have the clock of the one that leads",
		Caught:     "segment integrity",
		Shown:      "clock-jump",
		Unexplored: byTime,
		Changes: []string{
			"faults=[at 2s jump partition 1 by -8s]", "expectations.split_spans_max=0",
			"workload.disorder=0", "duration=8s", "workload.rate=constant 400/s",
		},
		worker: func(p *flusher.WorkerPorts) { p.Store = &leader{Store: p.Store} },
	}
)

// optimist is a Producer whose records are always taken.
type optimist struct{ flusher.Producer }

// Produce hands the record over.
func (o optimist) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	return ignored{o.Producer.Produce(ctx, record)}
}

type ignored struct{ flusher.Future }

// Wait claims that the record was taken, unless that is not known yet.
func (i ignored) Wait(ctx context.Context) error {
	if err := i.Future.Wait(ctx); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// poisoned is a Store that ends its worker after a record was refused.
type poisoned struct {
	buffer.Store
	err error
}

// taster is a Producer that tells of refusals.
type taster struct {
	flusher.Producer
	*poisoned
}

// Produce hands the record over.
func (t taster) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	return tasted{t.Producer.Produce(ctx, record), t.poisoned}
}

type tasted struct {
	flusher.Future
	*poisoned
}

// Wait remembers a refusal.
func (t tasted) Wait(ctx context.Context) error {
	err := t.Future.Wait(ctx)
	if errors.Is(err, flusher.ErrRecordTooLarge) {
		t.err = err
	}
	return err
}

// Ack fails for good after a refusal.
func (p *poisoned) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	if p.err != nil {
		return nil, p.err
	}
	return p.Store.Ack(ctx, owner, flushed)
}

// quiet is a Reporter that is silent while records are on their way.
type quiet struct{ flusher.Reporter }

// Report says nothing of the wait, nor of what follows.
func (q quiet) Report(status flusher.Status) {
	if status.Stage <= flusher.StageProduce || status.Stage == flusher.StageStopped {
		q.Reporter.Report(status)
	}
}

// pressure is a Store that notes how full its leases are, by shard, and when a claim first held more
// spans than a lease may hold segments.
type pressure struct {
	buffer.Store
	clock flusher.Clock
	full  map[buffer.Shard]bool
	limit int
	large time.Time
}

// Lease notes whether the shard returned all it may.
func (p *pressure) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	leased, err := p.Store.Lease(ctx, owner, now, limit)
	if limit > 0 {
		p.limit, p.full[owner.Shard] = limit, len(leased.Due) >= limit
	}
	return leased, err
}

// Claim compares what cannot be compared.
func (p *pressure) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	claims, err := p.Store.Claim(ctx, owner, list)
	for _, claim := range claims {
		if p.clock != nil && p.large.IsZero() && claim.Spans >= p.limit {
			p.large = p.clock.Now()
		}
	}
	return claims, err
}

// patient is a Reporter that admits pressure when all shards are full.
type patient struct {
	flusher.Reporter
	*pressure
}

// Report plays pressure down.
func (p patient) Report(status flusher.Status) {
	for _, full := range p.full { //order-free: all must be
		if !full {
			status.BackpressureSince = time.Time{}
		}
	}
	p.Reporter.Report(status)
}

// alarmed is a Reporter that takes a large segment for pressure.
type alarmed struct {
	flusher.Reporter
	*pressure
}

// Report raises the alarm.
func (a alarmed) Report(status flusher.Status) {
	if status.BackpressureSince.IsZero() {
		status.BackpressureSince = a.large
	}
	a.Reporter.Report(status)
}

// fromZero is a Store that knows no drift before the next input.
type fromZero struct {
	buffer.Store
	clock  flusher.Clock
	inputs map[buffer.Shard]uint64 // that there were at the first lease
}

// Lease goes by the wall clock until there is news.
func (f *fromZero) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	first, known := f.inputs[owner.Shard]
	if !known || first != 0 {
		now = max(now, buffer.InstantOf(f.clock.Now()))
	}
	leased, err := f.Store.Lease(ctx, owner, now, limit)
	switch {
	case err != nil:
	case !known:
		f.inputs[owner.Shard] = leased.Clock.Inputs
	case first != leased.Clock.Inputs:
		f.inputs[owner.Shard] = 0
	}
	if err == nil && f.inputs[owner.Shard] != 0 {
		leased.Clock = buffer.ShardClock{}
	}
	return leased, err
}

// leader is a Store with one clock for all shards.
type leader struct {
	buffer.Store
	now buffer.Instant
}

// Lease goes by the clock that is ahead, and says so to nobody.
func (l *leader) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	l.now = max(l.now, now)
	return l.Store.Lease(ctx, owner, l.now, limit)
}
