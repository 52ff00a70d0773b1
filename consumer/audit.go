package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/check"
)

// Audit says how closely the store is watched.
type Audit struct {
	// Witness is a number that no other consumer of the store has.
	Witness uint64
	// BeatEvery is how often each node counts a beat: so short a loss may go unnoticed. Default 250 ms.
	BeatEvery time.Duration
	// SweepEvery is how often some traces are looked at for generations that no queue names, and
	// SweepLimit how many. Default 1 s and 250: 0.2 % of Redis' time at 7 us per trace, and an hour for
	// a million traces.
	SweepEvery time.Duration
	SweepLimit int
	// HasteEvery is SweepEvery for two rounds after a loss. Default 20 ms: up to 9 % of Redis' time.
	HasteEvery time.Duration
}

// DefaultAudit returns the defaults named at the fields, for a witness.
func DefaultAudit(witness uint64) Audit {
	return Audit{
		Witness: witness, BeatEvery: 250 * time.Millisecond,
		SweepEvery: time.Second, SweepLimit: 250, HasteEvery: 20 * time.Millisecond,
	}
}

// Validate returns every fault, joined, or nil.
func (a Audit) Validate() error {
	var f check.Faults
	f.When(a.BeatEvery <= 0, "beat interval %v must be positive", a.BeatEvery)
	f.When(a.SweepEvery <= 0, "sweep interval %v must be positive", a.SweepEvery)
	f.When(a.SweepLimit < 1, "sweep limit %d must be 1 or more", a.SweepLimit)
	f.When(a.HasteEvery <= 0, "sweep interval after a loss, %v, must be positive", a.HasteEvery)
	return f.Err()
}

// AuditEvent is something that an operator must know of the store: a loss, or how many segments of
// which shard were found that no queue named.
type AuditEvent struct {
	Loss    *Loss
	Shard   buffer.Shard
	Adopted int
}

// String returns the event as one line.
func (e AuditEvent) String() string {
	if e.Loss != nil {
		return e.Loss.String()
	}
	return fmt.Sprintf("%d segments that no queue named are queued in shard %d", e.Adopted, e.Shard)
}

// AuditCounters are what the audit has seen so far.
type AuditCounters struct {
	// Losses were recognised, each of one node.
	Losses uint64
	// Traces were looked at in all rounds of the sweep together, of which Rounds are complete; Adopted
	// generations were named by no queue.
	Traces, Rounds, Adopted uint64
}

// haste is how many rounds of the sweep are quick after a loss: one may meet what is only about to be
// found to be nobody's.
const haste = 2

// auditor watches the store of a consumer.
type auditor struct {
	cfg      Audit
	ports    Ports
	after    time.Duration // for which what is found waits
	buffered func() (stored, flushed uint64)
	mine     func() []buffer.Shard
	setBack  func(after time.Time, cause string)
	troubles *flusher.Troubles

	mu       sync.Mutex
	counters AuditCounters
}

// What the audit tries until it works.
var (
	beating  = flusher.Operation{Name: "beat", Partition: flusher.NoPartition}
	sweeping = flusher.Operation{Name: "sweep", Partition: flusher.NoPartition}
)

// try notes how a step went.
func (a *auditor) try(ctx context.Context, of flusher.Operation, err error) {
	switch {
	case err == nil:
		a.troubles.Works(of)
	case ctx.Err() == nil:
		a.troubles.Fails(of, of.Name, err)
	}
}

func (a *auditor) tell(e AuditEvent) {
	if a.ports.AuditEvents != nil {
		a.ports.AuditEvents(e)
	}
}

// watchPulse beats until the context ends.
func (a *auditor) watchPulse(ctx context.Context) {
	known, twice := make(pulses), false
	for {
		answers, err := a.ports.Auditor.Beat(ctx, a.cfg.Witness)
		a.try(ctx, beating, err)
		stored, flushed := a.buffered()
		if twice {
			flushed = 0
		}
		now := moment{a.ports.Clock.Now(), stored, flushed}
		var losses []Loss
		for _, pulse := range answers {
			if loss := known.note(pulse, now); loss != nil {
				losses = append(losses, *loss)
			}
		}
		twice = twice || len(losses) > 0 // what a node that was set back has again is flushed again
		a.lost(losses)
		if a.ports.Clock.Sleep(ctx, a.cfg.BeatEvery) != nil {
			return
		}
	}
}

// lost says what was, and has everything done that mends what can be mended.
func (a *auditor) lost(losses []Loss) {
	if len(losses) == 0 {
		return
	}
	a.mu.Lock()
	a.counters.Losses += uint64(len(losses))
	a.mu.Unlock()
	since := losses[0].until
	for _, loss := range losses {
		if loss.until.Before(since) {
			since = loss.until
		}
		a.tell(AuditEvent{Loss: &loss})
	}
	a.setBack(since, fmt.Sprintf("redis %s has lost data", losses[0].Node))
}

// sweep looks for what no queue names until the context ends. In the first round it only looks: the
// store learns from it whose queues there are.
func (a *auditor) sweep(ctx context.Context) {
	from, learned, losses, hasty := "", false, uint64(0), 0
	for a.ports.Clock.Sleep(ctx, a.pace(hasty > 0)) == nil {
		if n := a.losses(); n != losses { // what was looked at may be otherwise now
			losses, from, hasty = n, "", haste
		}
		swept, err := a.ports.Auditor.Sweep(ctx, from, a.cfg.SweepLimit)
		if err == nil && learned {
			err = a.adopt(ctx, swept.Held)
		}
		a.try(ctx, sweeping, err)
		if err != nil {
			continue
		}
		if from = swept.Next; from == "" {
			learned, hasty = true, max(0, hasty-1)
		}
		a.swept(swept.Traces, from == "")
	}
}

func (a *auditor) losses() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counters.Losses
}

func (a *auditor) swept(traces int, round bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counters.Traces += uint64(traces)
	if round {
		a.counters.Rounds++
	}
}

func (a *auditor) pace(hasty bool) time.Duration {
	if hasty {
		return a.cfg.HasteEvery
	}
	return a.cfg.SweepEvery
}

// adopt queues what no queue names of the shards that are flushed here.
func (a *auditor) adopt(ctx context.Context, held []buffer.Held) error {
	byShard := make(map[buffer.Shard][]buffer.Generation)
	for _, h := range held {
		byShard[h.Shard()] = append(byShard[h.Shard()], h.Generation)
	}
	mine := a.mine()
	for _, shard := range slices.Sorted(maps.Keys(byShard)) {
		if !slices.Contains(mine, shard) {
			continue
		}
		wall := buffer.InstantOf(a.ports.Clock.Now())
		adopted, err := a.ports.Auditor.Adopt(ctx, shard, wall, a.after, byShard[shard])
		if len(adopted) > 0 {
			a.mu.Lock()
			a.counters.Adopted += uint64(len(adopted))
			a.mu.Unlock()
			a.tell(AuditEvent{Shard: shard, Adopted: len(adopted)})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
