package flusher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/buffer"
)

const (
	// fenceRetryMin and fenceRetryMax are the first and the longest pause before a Fence is tried
	// again that the store did not answer.
	fenceRetryMin = 50 * time.Millisecond
	fenceRetryMax = time.Second
	// firstNotice is when a killed worker that is not proven stopped is first reported; each
	// further report takes twice as long.
	firstNotice = time.Second
)

// keeper keeps one worker alive. The fields below mu are guarded by the supervisor's.
type keeper struct {
	sup    *Supervisor
	worker int

	// Of the keeper's own task alone.
	handle  Handle // nil: none runs
	started time.Time
	watcher watcher
	lostAt  time.Time // when the worker first reported a lost shard
	retaken int       // how often in a row shards were taken back from another owner
	idle    bool      // it was told that the worker has ended without shards
	closing bool      // Stop was called
	leaves  bool      // that was because the supervisor ends

	// Guarded by sup.mu.
	job          job
	setBackAt    time.Time      // when it last fenced again because the store has lost data
	reserved     []buffer.Shard // on which a worker of this keeper may live
	state        State
	starts       int
	budget       Budget
	causes       []string
	strays       []Handle
	healthySince time.Time
	downSince    time.Time
	failed       bool
	inARow       int // failures without a healthy worker in between
	beat         time.Time
	status       Status
	totals       Totals
}

func newKeeper(s *Supervisor, worker int) *keeper {
	return &keeper{
		sup: s, worker: worker, job: job{worker: worker},
		budget: Budget{Max: s.cfg.RestartBudget, Window: s.cfg.RestartWindow},
	}
}

// keep is the life of one worker after another of the same index: judge, count, kill, wait until
// it is proven stopped, fence, start, wait until healthy. Each keeper is a task of its own, so
// that one that waits keeps no other from its work. It returns when the supervisor ends, and its
// worker has ended.
func (k *keeper) keep(ctx context.Context) {
	for {
		job, ok := k.assignment(ctx)
		if !ok {
			return
		}
		owners, ok := k.fence(ctx, job)
		if !ok {
			continue
		}
		f := k.start(ctx, owners)
		if f == (failure{}) {
			f = k.watch(ctx, job)
		}
		if f == (failure{}) { // other shards, or none, or the end
			k.stop(ctx)
			k.retaken = 0
			continue
		}
		err := k.count(f)
		k.kill(ctx)
		if err != nil {
			k.set(StateDead) // no successor comes
			k.sup.fail(err)
			return
		}
		k.backOff(ctx, job)
	}
}

// fence makes new owners of the shards, once no other worker lives on them. It is tried until the
// store answers, at no cost to the budget; false means that the job is outdated.
//
// Each shard is fenced twice, with no other fence between the two. A worker that fences itself
// (worker.refence) and does not hear the answer can then take the epoch that follows its own for its
// own: none that was fenced here has it. What happens between the two fences is undone by the second.
func (k *keeper) fence(ctx context.Context, j job) ([]buffer.Fenced, bool) {
	k.set(StateStarting)
	for !k.reserve(j.shards) {
		k.nap(ctx)
		if !k.current(ctx, j) {
			return nil, false
		}
	}
	owners := make([]buffer.Fenced, len(j.shards))
	if !k.fenceAll(ctx, j, owners) {
		k.unreserve()
		return nil, false
	}
	fenced := k.event(EventFenced, j.shards, failure{})
	for _, o := range owners {
		fenced.Epochs = append(fenced.Epochs, o.Owner.Epoch)
	}
	k.sup.tell(fenced)
	return owners, true
}

// fenceAll makes an owner of each shard. Of many shards, several are fenced at a time: one after the other
// their input would pause before the last had its owner. The first goes alone, so that one says, and not
// all, that the store does not answer.
func (k *keeper) fenceAll(ctx context.Context, j job, owners []buffer.Fenced) bool {
	abreast := 1
	if len(owners) >= abreastMin {
		abreast = abreastMax
	}
	for from, n := 0, 1; from < len(owners); from, n = from+n, min(abreast, len(owners)-from-n) {
		done := make([]bool, n)
		fence := func(i int) {
			owners[from+i], done[i] = k.fenceTwice(ctx, j, j.shards[from+i])
		}
		if n == 1 {
			fence(0)
		} else {
			together(k.sup.ports.Tasks, fmt.Sprintf("fences of keeper %d", k.worker), n, fence, func() {})
		}
		if slices.Contains(done, false) {
			return false
		}
	}
	return true
}

// fenceTwice fences a shard twice, and reports once if the store does not answer. Who finds that another
// supervisor has fenced it in between, or does not hear whether the second fence was, begins anew.
func (k *keeper) fenceTwice(
	ctx context.Context, j job, shard buffer.Shard,
) (buffer.Fenced, bool) {
	of := Operation{Name: "fence", Partition: int32(shard)}
	defer k.sup.troubles.Works(of)
	told, last := false, buffer.AnyEpoch
	for attempt := 0; ; attempt++ {
		fenced, err := k.sup.ports.Store.Fence(ctx, shard, last)
		switch {
		case err == nil && last != buffer.AnyEpoch:
			return fenced, true
		case err == nil:
			last = fenced.Owner.Epoch
			continue
		}
		if !k.current(ctx, j) {
			return buffer.Fenced{}, false
		}
		if errors.Is(err, buffer.ErrStale) {
			last = buffer.AnyEpoch
		} else {
			k.sup.troubles.Fails(of, of.Name, err)
			if !told {
				told = true
				k.tell(EventFenceFailed, []buffer.Shard{shard}, err.Error())
			}
		}
		_ = k.sup.ports.Clock.Sleep(ctx, Backoff(fenceRetryMin, fenceRetryMax, attempt))
	}
}

// start starts a worker, and returns why it could not.
func (k *keeper) start(ctx context.Context, owners []buffer.Fenced) failure {
	shards := make([]buffer.Shard, len(owners))
	for i, fenced := range owners {
		shards[i] = fenced.Owner.Shard
	}
	now := k.sup.ports.Clock.Now()
	k.sup.mu.Lock()
	k.starts++
	k.state, k.status, k.beat = StateStarting, Status{}, now
	spec := WorkerSpec{Worker: k.worker, Owners: owners, Start: k.starts}
	k.sup.mu.Unlock()
	k.started, k.watcher, k.lostAt = now, watcher{looked: now}, time.Time{}
	k.idle, k.closing = false, false
	// The end of ctx asks workers to finish; it must not end them by itself.
	handle, err := k.sup.ports.Spawner.Start(context.WithoutCancel(ctx), spec)
	if err != nil {
		return failure{HealthDead, "cannot be started: " + err.Error()}
	}
	k.handle = handle
	k.tell(EventStarted, shards, "")
	return failure{}
}

// count counts a failure against the budget, which decides whether there is a next start.
func (k *keeper) count(f failure) error {
	now := k.sup.ports.Clock.Now()
	k.sup.mu.Lock()
	k.inARow++
	k.causes = append(k.causes, f.words)
	k.state, k.healthySince = f.health.state(), time.Time{}
	k.downSince, k.failed = now, true
	err := k.budget.Spend(now)
	shards, causes := k.job.shards, strings.Join(k.causes, "; ")
	k.sup.mu.Unlock()
	k.tellFailure(EventFailed, shards, f)
	if err != nil {
		k.tellFailure(EventExhausted, shards, f)
		return fmt.Errorf("worker %d (shards %s): %w; it failed because of: %s",
			k.worker, shardList(shards), err, causes)
	}
	k.tellFailure(EventRestart, shards, f)
	return nil
}

// backOff waits before a restart if the last one did not help either.
func (k *keeper) backOff(ctx context.Context, j job) {
	k.sup.mu.Lock()
	inARow := k.inARow
	k.sup.mu.Unlock()
	if inARow < 2 || k.sup.cfg.RestartBackoff == 0 {
		return
	}
	now := k.sup.ports.Clock.Now()
	until := now.Add(Backoff(k.sup.cfg.RestartBackoff, k.sup.cfg.MaxUnhealthy, inARow-2))
	for k.current(ctx, j) && k.sup.ports.Clock.Now().Before(until) {
		k.nap(ctx)
	}
}

// nap sleeps until it is time to look again. It is cut short when the supervisor begins to end,
// but not afterwards, when there is still a worker to wait for.
func (k *keeper) nap(ctx context.Context) { k.napFor(ctx, k.sup.cfg.CheckEvery) }

func (k *keeper) napFor(ctx context.Context, d time.Duration) {
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	_ = k.sup.ports.Clock.Sleep(ctx, d) // its error is the end of ctx, which every caller checks
}

func (k *keeper) set(state State) {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	k.state = state
	if state != StateHealthy && state != StateBackpressure {
		k.healthySince = time.Time{}
	}
}

func (k *keeper) tell(kind EventKind, shards []buffer.Shard, cause string) {
	k.tellFailure(kind, shards, failure{words: cause})
}

func (k *keeper) tellFailure(kind EventKind, shards []buffer.Shard, f failure) {
	k.sup.tell(k.event(kind, shards, f))
}

func (k *keeper) event(kind EventKind, shards []buffer.Shard, f failure) Event {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	return Event{
		Kind: kind, Worker: k.worker, Shards: shards, Cause: f.words, Health: f.health,
		Start: k.starts, Restarts: k.budget.Restarts(), State: k.state,
	}
}

// shards returns the shards that the worker was started with, for events.
func (k *keeper) shards() []buffer.Shard {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	return k.reserved
}
