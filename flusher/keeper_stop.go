package flusher

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/buffer"
)

// stop ends a worker that did nothing wrong: it may finish what is in flight for as long as the
// reason allows, and is killed after that, or when it hangs. It returns when the worker has ended.
func (k *keeper) stop(ctx context.Context) {
	since := k.sup.ports.Clock.Now()
	for {
		_, exited := k.handle.Exited()
		now := k.sup.ports.Clock.Now()
		if by, ever := k.stopBy(since); exited || ever && !now.Before(by) {
			break
		}
		if !k.closing {
			k.closing, k.leaves = true, ctx.Err() != nil || k.sup.Fault() != nil
			k.tell(EventStopping, k.shards(), "")
			k.handle.Stop()
		}
		if k.look() != (failure{}) {
			break
		}
		k.napFor(ctx, k.proofEvery(now.Sub(since)))
	}
	k.kill(ctx)
}

// stopBy returns when a worker that was asked at since is killed, if ever.
func (k *keeper) stopBy(since time.Time) (by time.Time, ever bool) {
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	if k.sup.cfg.StopTimeout != NoTimeout {
		by, ever = since.Add(k.sup.cfg.StopTimeout), true
	}
	if !k.sup.ending {
		return by, ever
	}
	// The end has a time of its own, also for a worker that was to stop before.
	return k.sup.endBy, !k.sup.endBy.IsZero()
}

// kill ends the worker, if it has not ended, and waits until it is proven stopped: nothing is ever
// started beside it. Only a worker that cannot be killed is left behind, after StrayAfter.
func (k *keeper) kill(ctx context.Context) {
	if k.handle == nil { // it could not be started
		k.unreserve()
		k.set(StateRestarting)
		return
	}
	killed, notice := k.sup.ports.Clock.Now(), firstNotice
	exit, exited := k.handle.Exited()
	if !exited {
		k.tell(EventKilled, k.shards(), "")
		k.handle.Kill()
	}
	for ; !exited; exit, exited = k.handle.Exited() {
		waited := k.sup.ports.Clock.Now().Sub(killed)
		if !k.handle.CanKill() && waited >= k.sup.cfg.StrayAfter {
			k.stray(waited)
			return
		}
		if waited >= notice {
			notice *= 2
			k.tell(EventWaiting, k.shards(),
				fmt.Sprintf("not proven stopped %v after it was killed", waited))
		}
		k.napFor(ctx, k.proofEvery(waited))
	}
	k.tell(EventStopped, k.retire(), exit.describe())
}

// proofEvery is how often a worker that is to end is looked at: at first more often than one that
// is not, since its shards wait for it.
func (k *keeper) proofEvery(waited time.Duration) time.Duration {
	if waited > firstNotice {
		return k.sup.cfg.CheckEvery
	}
	return max(k.sup.cfg.CheckEvery/10, time.Millisecond)
}

// retire adds up what a worker did, frees its shards, and returns them.
func (k *keeper) retire() []buffer.Shard {
	status, beat := k.handle.Status()
	k.fresh()
	k.handle = nil
	now := k.sup.ports.Clock.Now()
	k.sup.mu.Lock()
	defer k.sup.mu.Unlock()
	k.totals = k.totals.Plus(status.Totals)
	k.status, k.beat = Status{}, beat
	k.state, k.healthySince = StateRestarting, time.Time{}
	if k.downSince.IsZero() {
		k.downSince = now
	}
	shards := k.reserved
	k.reserved = nil
	return shards
}

// stray leaves a worker behind that does not end. The next fence makes it harmless: it can repeat
// records, and nothing else.
func (k *keeper) stray(waited time.Duration) {
	handle := k.handle
	shards := k.retire()
	k.sup.mu.Lock()
	k.strays = append(k.strays, handle)
	total := 0
	for _, other := range k.sup.keepers {
		total += len(other.strays)
	}
	k.sup.mu.Unlock()
	k.tell(EventStray, shards, fmt.Sprintf("has not ended %v after it was asked to", waited))
	if total > k.sup.cfg.MaxStrays {
		k.sup.fail(fmt.Errorf("%w: %d live on beside their successors, at most %d may; the last "+
			"is of worker %d", ErrStrays, total, k.sup.cfg.MaxStrays, k.worker))
	}
}

// dropEndedStrays forgets strays that have ended after all, and returns how many have not.
func (k *keeper) dropEndedStrays() (left int) {
	k.sup.mu.Lock()
	strays := slices.Clone(k.strays)
	k.sup.mu.Unlock()
	for _, stray := range strays {
		exit, exited := stray.Exited()
		if !exited {
			left++
			continue
		}
		k.sup.mu.Lock()
		k.strays = slices.DeleteFunc(k.strays, func(h Handle) bool { return h == stray })
		k.sup.mu.Unlock()
		k.tell(EventStrayEnded, nil, exit.describe())
	}
	return left
}
