package consumer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/check"
	"sluice/internal/options"
)

// Audit says how closely the store is watched.
type Audit struct {
	// Witness is a number that no other consumer of the store has.
	Witness uint64
	// BeatEvery is how often each node counts a beat: so short a loss is only known to be possible.
	// Default 250 ms.
	BeatEvery time.Duration
	// SweepEvery is how often some traces are looked at for generations that no queue names, and
	// SweepLimit how many. Each consumer looks at all traces of all nodes. Default 1 s and 250: for each consumer
	// 0.2 % of Redis' time at 7 us per trace, and an hour for a million traces.
	SweepEvery time.Duration
	SweepLimit int
	// HasteEvery is SweepEvery for two rounds after a loss, and for the first, of one consumer; each of several
	// waits as many times as long, but no longer than SweepEvery. Default 20 ms: up to 9 % of Redis' time for
	// all together, and of more than 50 what SweepEvery is for each.
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

// AuditEvent is something that an operator must know of the store: a loss, what cannot be read among its
// traces, said once, or how many segments of which shard were found that no queue named.
type AuditEvent struct {
	Loss       *Loss
	Unreadable string
	Shard      buffer.Shard
	Adopted    int
}

// String returns the event as one line.
func (e AuditEvent) String() string {
	if e.Loss != nil {
		return e.Loss.String()
	}
	if e.Unreadable != "" {
		return "among the traces there is what cannot be read, and is left alone: " + e.Unreadable
	}
	return fmt.Sprintf("queued in shard %d: %s that no queue named", e.Shard,
		options.FormatCount(e.Adopted, "segment"))
}

// AuditCounters are what the audit has seen so far.
type AuditCounters struct {
	// Losses were recognised, each of one node. Restarts of a node, or of another in its place, may have
	// lost what was stored since the beat before.
	Losses, Restarts uint64
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
	stored   func() uint64 // spans so far
	mine     func() []buffer.Shard
	storing  func() map[buffer.TraceKey]bool // what is attached, perhaps, and not enqueued yet
	setBack  func(after time.Time, cause string)
	troubles *flusher.Troubles

	mu       sync.Mutex
	counters AuditCounters
	census   census
	hasty    int // rounds of the sweep
	// consumers is how many there are, as beats have counted them, now and the time before.
	consumers [2]int

	unreadable map[string]bool // what was said of that, of the sweep alone
}

// unreadableMax is how many things that cannot be read are named: more are the same fault again.
const unreadableMax = 20

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
	known := make(pulses)
	for {
		sent, last := moment{at: a.ports.Clock.Now(), stored: a.stored()}, a.lastCount()
		answers, err := a.ports.Auditor.Beat(ctx, a.cfg.Witness)
		a.try(ctx, beating, err)
		stored := a.stored()
		a.meetOthers(answers)
		var losses []Loss
		known.follow(answers)
		for _, pulse := range answers {
			if loss := known.note(pulse, sent, stored); loss != nil {
				losses = append(losses, a.counted(*loss, stored))
			}
		}
		if err == nil && len(losses) == 0 {
			a.trust(last)
		}
		a.lost(losses)
		if a.ports.Clock.Sleep(ctx, a.cfg.BeatEvery) != nil {
			return
		}
	}
}

// meetOthers takes over how many consumers there are, if the beats have counted them.
func (a *auditor) meetOthers(answers []buffer.Pulse) {
	most := 0
	for _, pulse := range answers {
		most = max(most, pulse.Witnesses)
	}
	if most == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.consumers = [2]int{most, a.consumers[0]}
}

func (a *auditor) lastCount() *count {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.census.last
}

func (a *auditor) trust(c *count) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.census.trusted = c
}

// counted bounds the loss of an empty node by what was counted.
func (a *auditor) counted(loss Loss, stored uint64) Loss {
	if loss.Empty {
		a.mu.Lock()
		defer a.mu.Unlock()
		if spans, known := a.census.held(stored); known {
			loss.Spans = spans
		} else {
			loss.Uncounted = true
		}
	}
	return loss
}

// lost says what was, and has everything done that mends what can be mended. Of what is only possible, a
// worker that is ahead of the store finds out by itself.
func (a *auditor) lost(losses []Loss) {
	sure := slices.DeleteFunc(slices.Clone(losses), func(l Loss) bool { return l.Possible })
	a.mu.Lock()
	a.counters.Losses += uint64(len(sure))
	a.counters.Restarts += uint64(len(losses) - len(sure))
	if len(losses) > 0 {
		a.hasty = haste
	}
	a.mu.Unlock()
	for _, loss := range losses {
		a.tell(AuditEvent{Loss: &loss})
	}
	if len(sure) == 0 {
		return
	}
	since := slices.MinFunc(sure, func(l, m Loss) int { return l.until.Compare(m.until) }).until
	a.setBack(since, fmt.Sprintf("redis %s has lost data", sure[0].Node))
}

// sweep looks for what no queue names until the context ends, and counts what there is. In the first
// round, which is quick, it only looks: the store learns from it whose queues there are.
func (a *auditor) sweep(ctx context.Context) {
	from, learned, losses := "", false, uint64(0)
	a.unreadable = make(map[string]bool)
	for a.ports.Clock.Sleep(ctx, a.pace()) == nil {
		if n := a.losses(); n != losses { // what was looked at may be otherwise now
			losses, from = n, ""
		}
		if from == "" {
			a.begin()
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
			learned = true
		}
		a.meet(swept.Unreadable)
		a.swept(swept)
	}
}

// meet says of what cannot be read that it is there, all of a look at once.
func (a *auditor) meet(unreadable []string) {
	var fresh []string
	for _, text := range unreadable {
		if !a.unreadable[text] && len(a.unreadable) < unreadableMax {
			a.unreadable[text] = true
			fresh = append(fresh, text)
		}
	}
	if len(fresh) > 0 {
		a.tell(AuditEvent{Unreadable: strings.Join(fresh, "; ")})
	}
}

func (a *auditor) losses() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.counters.Losses + a.counters.Restarts
}

func (a *auditor) begin() {
	stored := a.stored()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.census.begin(stored)
}

func (a *auditor) swept(swept buffer.Swept) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counters.Traces += uint64(swept.Traces)
	a.census.meet(swept.Held)
	if swept.Next == "" {
		a.census.end()
		a.counters.Rounds++
		a.hasty = max(0, a.hasty-1)
	}
}

// pace is how long the sweep waits. Haste is shared: each consumer looks at all traces, and after a loss, or
// started one after the other, all of them at the same time; a dozen would fill the thread of a Redis. A node that
// was wiped has first heard of one of them only, so the count before counts, too: a consumer that is gone makes it
// slower, and none makes it faster.
func (a *auditor) pace() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.hasty == 0 {
		return a.cfg.SweepEvery
	}
	shared := a.cfg.HasteEvery * time.Duration(max(1, a.consumers[0], a.consumers[1]))
	return min(shared, max(a.cfg.SweepEvery, a.cfg.HasteEvery))
}

// adopt queues what no queue names of the shards that are flushed here, but for what is about to be
// enqueued: what was when the store was looked at is so by now, or is still on its way.
func (a *auditor) adopt(ctx context.Context, held []buffer.Held) error {
	byShard := make(map[buffer.Shard][]buffer.Generation)
	storing := a.storing()
	for _, h := range held {
		if storing[h.TraceKey] {
			continue
		}
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
