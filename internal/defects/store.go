package defects

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
)

var (
	ttlLoss = Defect{
		Name:     "ttl-loss",
		Wrong:    "what has waited long in the store expires: payload and queue entry together",
		Caught:   "conservation",
		Shown:    "kafka-down",
		Explored: "protocol",
		Changes: []string{
			"duration=12s", "faults=[at 3s hang kafka for 8s]", "workload.rate=constant 400/s",
			"workload.traces_at_once=10", "pipeline.timeout=2s", "pipeline.root_timeout=1s",
			"expectations.drain_max=45s",
		},
		worker: func(p *flusher.WorkerPorts) { p.Store = expiring{p.Store} },
	}
	crashAfterRename = Defect{
		Name:     "crash-after-rename",
		Wrong:    "the payload is renamed before it is read, so that a successor does not find it",
		Caught:   "conservation",
		Shown:    "crash",
		Explored: "protocol",
		Changes:  ackFirst.Changes,
		worker:   func(p *flusher.WorkerPorts) { p.Store = renaming{apart{p.Store}} },
	}
	partialDecision = Defect{
		Name:       "partial-decision",
		Wrong:      "spans that cannot be read back are skipped, and the rest goes out as the whole segment",
		Caught:     "conservation",
		Shown:      "steady",
		Unexplored: "it skips a span of every tenth segment, and there are fewer",
		OnServers:  true,
		Changes:    aFewSeconds,
		worker:     func(p *flusher.WorkerPorts) { p.Store = &lenient{Store: apart{p.Store}} },
	}
	stateAfterFailedFetch = Defect{
		Name:     "state-after-failed-fetch",
		Wrong:    "a segment whose payload could not be fetched is taken off the books and stays",
		Caught:   "conservation",
		Shown:    "redis-slow",
		Explored: "protocol",
		Changes: []string{
			"duration=8s", "faults=[when worker 0 is loading from 2s refuse redis for 200ms]",
			"workload.rate=constant 400/s", "workload.traces_at_once=10",
			"pipeline.timeout=2s", "pipeline.root_timeout=1s", "expectations.drain_max=45s",
		},
		worker: func(p *flusher.WorkerPorts) { p.Store = resigned{apart{p.Store}} },
	}
	wrongQueue = Defect{
		Name:       "wrong-queue",
		Wrong:      "clean-up removes entries from the first queue of the worker, not the one they are in",
		Caught:     "conservation",
		Shown:      "steady",
		Unexplored: "a worker there has one shard",
		OnServers:  true,
		Changes:    aFewSeconds,
		worker:     func(p *flusher.WorkerPorts) { p.Store = &astray{Store: p.Store} },
	}
	expiredLock = Defect{
		Name:       "expired-lock",
		Wrong:      "a lease expires while its records are on their way, and somebody takes it once more",
		Caught:     "duplicates",
		Shown:      "kafka-slow",
		Unexplored: byTime,
		// One at a time, so that the worker leases the next before the last is acknowledged.
		Changes: append(slices.Clone(whileInFlight), "faults=[at 1s slow kafka by 900ms]",
			"pipeline.max_flush_segments=1"),
		worker: func(p *flusher.WorkerPorts) { p.Store = &lockTimeout{Store: p.Store} },
	}
	lostStore = Defect{
		Name:       "lost-store",
		Wrong:      "a worker does not notice that the store lost its data, nor does anybody else, and it waits for work",
		Caught:     "liveness",
		Shown:      "redis-restart",
		Unexplored: "no store there loses data",
		Changes:    []string{"workload.rate=constant 300/s", "faults=[at 4s wipe redis]", "expectations.drain_max=20s"},
		worker:     func(p *flusher.WorkerPorts) { p.Store = unaware{p.Store, map[buffer.Shard]buffer.ShardClock{}} },
	}
	orphans = Defect{
		Name:       "orphans",
		Wrong:      "what no queue names any more, since a node of the store has lost them, is not looked for",
		Caught:     "conservation",
		Shown:      "redis-restart",
		Unexplored: "no store there loses data",
		Changes:    []string{"workload.rate=constant 300/s", "faults=[at 4s wipe redis node 1]", "expectations.drain_max=20s"},
		audited:    true,
		consumer:   func(p *consumer.Ports) { p.Auditor = unfound{p.Auditor} },
	}
	queueGap = Defect{
		Name:     "queue-gap",
		Wrong:    "a span that comes while its segment is flushed is stored, but not queued again",
		Caught:   "conservation",
		Shown:    "kafka-slow",
		Explored: "protocol",
		Changes:  whileInFlight,
		consumer: func(p *consumer.Ports) {
			p.Store = &gapped{Store: p.Store, queued: map[segment]buffer.Generation{}}
		},
	}
)

// aFewSeconds makes a scenario short, of few spans.
var aFewSeconds = []string{
	"duration=4s", "workload.rate=constant 400/s", "workload.traces_at_once=10",
	"pipeline.timeout=3s", "pipeline.root_timeout=2s", "expectations.throughput_min=0/s",
}

// ttl is how long after its deadline a segment expires.
const ttl = 4 * time.Second

// expiring is a Store in which segments expire.
type expiring struct{ buffer.Store }

// Lease discards what is too old.
func (e expiring) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	leased, err := e.Store.Lease(ctx, owner, now, limit)
	if err != nil {
		return leased, err
	}
	var kept []buffer.Due
	var old buffer.Release
	for _, due := range leased.Due {
		if now.Sub(due.Deadline) > ttl {
			old.Done = append(old.Done, due.Generation)
		} else {
			kept = append(kept, due)
		}
	}
	leased.Due = kept
	if len(old.Done) == 0 {
		return leased, nil
	}
	if err := discard(ctx, e.Store, owner, old.Done); err != nil {
		return leased, err
	}
	return leased, e.Release(ctx, owner, old)
}

// apart is a Store whose spans are read by Load alone, so that who wraps it sees them all.
type apart struct{ buffer.Store }

// Claim reads nothing along.
func (a apart) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	claims, err := a.Store.Claim(ctx, owner, list)
	for i := range claims {
		claims[i].Loaded = nil
	}
	return claims, err
}

// renaming is a Store that gives payloads away as it reads them.
type renaming struct{ buffer.Store }

// Load deletes what it returns.
func (r renaming) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	return forget(ctx, r.Store, owner, list)
}

// lenient is a Store that cannot read the last span of every tenth segment of several spans.
type lenient struct {
	buffer.Store
	loads int
}

// Load leaves out what it cannot read.
func (l *lenient) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	loaded, err := l.Store.Load(ctx, owner, list)
	for i := range loaded {
		if last := len(loaded[i].Spans) - 1; last > 0 {
			if l.loads++; l.loads%10 == 0 {
				loaded[i].Spans = loaded[i].Spans[:last]
			}
		}
	}
	return loaded, err
}

// resigned is a Store that takes an answer that did not come for one that says there is nothing.
type resigned struct{ buffer.Store }

// Load answers in any case.
func (r resigned) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	loaded, err := r.Store.Load(ctx, owner, list)
	if errors.Is(err, buffer.ErrUnavailable) {
		return make([]buffer.Loaded, len(list)), nil
	}
	return loaded, err
}

// astray is a Store that releases everything on the shard that was leased from first.
type astray struct {
	buffer.Store
	first buffer.Owner
}

// Lease remembers the first shard.
func (a *astray) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	if a.first.Epoch == 0 || a.first.Shard == owner.Shard {
		a.first = owner
	}
	return a.Store.Lease(ctx, owner, now, limit)
}

// Release is on the first shard.
func (a *astray) Release(ctx context.Context, _ buffer.Owner, release buffer.Release) error {
	return a.Store.Release(ctx, a.first, release)
}

// lockMax is how long a lease is good for.
const lockMax = 400 * time.Millisecond

// lockTimeout is a Store whose leases end by time, and not by the next epoch.
type lockTimeout struct {
	buffer.Store
	held []lock
}

type lock struct {
	buffer.Due
	shard buffer.Shard
	since buffer.Instant
}

// Lease first takes back what was leased too long ago.
func (l *lockTimeout) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	var expired buffer.Release
	var kept []lock
	for _, h := range l.held {
		if h.shard == owner.Shard && now.Sub(h.since) > lockMax {
			expired.Back = append(expired.Back, h.Due)
		} else {
			kept = append(kept, h)
		}
	}
	if len(expired.Back) > 0 {
		if err := l.Store.Release(ctx, owner, expired); err != nil {
			return buffer.Leased{}, err
		}
	}
	l.held = kept
	leased, err := l.Store.Lease(ctx, owner, now, limit)
	for _, due := range leased.Due {
		l.held = append(l.held, lock{due, owner.Shard, now})
	}
	return leased, err
}

// Release also lets go of the locks.
func (l *lockTimeout) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	err := l.Store.Release(ctx, owner, release)
	if err == nil {
		l.held = slices.DeleteFunc(l.held, func(h lock) bool {
			return slices.Contains(release.Done, h.Generation) || slices.Contains(release.Back, h.Due)
		})
	}
	return err
}

// unaware is a Store that tells nobody that it is at another epoch: there is nothing to do then.
type unaware struct {
	buffer.Store
	clocks map[buffer.Shard]buffer.ShardClock // as they were last seen
}

// Lease finds nothing.
func (u unaware) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	leased, err := u.Store.Lease(ctx, owner, now, limit)
	if errors.Is(err, buffer.ErrStale) {
		return buffer.Leased{Clock: u.clocks[owner.Shard]}, nil
	}
	u.clocks[owner.Shard] = leased.Clock
	return leased, err
}

// Release is done.
func (u unaware) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	if err := u.Store.Release(ctx, owner, release); !errors.Is(err, buffer.ErrStale) {
		return err
	}
	return nil
}

// Fence succeeds, as far as the worker knows.
func (u unaware) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	fenced, err := u.Store.Fence(ctx, shard, last)
	if errors.Is(err, buffer.ErrStale) {
		return buffer.Fenced{Owner: buffer.Owner{Shard: shard, Epoch: last}}, nil
	}
	return fenced, err
}

// unfound is an Auditor that finds nothing.
type unfound struct{ buffer.Auditor }

// Adopt has nothing to do.
func (unfound) Adopt(
	context.Context, buffer.Shard, buffer.Instant, time.Duration, []buffer.Generation,
) ([]buffer.Generation, error) {
	return nil, nil
}

// gapped is a Store that takes a segment for queued while it is flushed.
type gapped struct {
	buffer.Store

	mu     sync.Mutex // batches of several partitions are in work at once
	queued map[segment]buffer.Generation
}

// Enqueue leaves out the next generation of a segment whose last one is on its way.
func (g *gapped) Enqueue(ctx context.Context, n buffer.Shard, update buffer.QueueUpdate) error {
	var due []buffer.Due
	for _, d := range update.Due {
		flushed, err := g.flushed(ctx, n, d.Generation)
		if err != nil {
			return err
		}
		if flushed {
			continue
		}
		g.mu.Lock()
		g.queued[segmentOf(d.Generation)] = d.Generation
		g.mu.Unlock()
		due = append(due, d)
	}
	update.Due = due
	return g.Store.Enqueue(ctx, n, update)
}

// flushed tells whether an earlier generation of the segment is claimed and not deleted yet. Of one that is
// claimed, who claims it under no epoch learns no more than that.
func (g *gapped) flushed(
	ctx context.Context, n buffer.Shard, next buffer.Generation,
) (bool, error) {
	g.mu.Lock()
	last, known := g.queued[segmentOf(next)]
	g.mu.Unlock()
	if !known || last == next {
		return false, nil
	}
	claims, err := g.Store.Claim(ctx, buffer.Owner{Shard: n}, []buffer.Generation{last})
	return err == nil && claims[0].State != buffer.ClaimGone, err
}
