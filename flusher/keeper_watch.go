package flusher

import (
	"context"
	"fmt"
	"time"
)

// watch judges the worker on a timer until it fails, and returns why; or until the job is
// outdated, or to be done again.
func (k *keeper) watch(ctx context.Context, j job) failure {
	for k.current(ctx, j) {
		if f := k.look(); f != (failure{}) {
			return f
		}
		if k.isSetBack() {
			return failure{}
		}
		k.dropEndedStrays()
		k.nap(ctx)
	}
	return failure{}
}

// look judges the worker once, and returns why it is to be replaced, if it is.
func (k *keeper) look() failure {
	now := k.sup.ports.Clock.Now()
	// In this order: the last report of a worker is in before it is proven stopped.
	exit, exited := k.handle.Exited()
	status, beat := k.handle.Status()
	k.fresh()
	waits := status.Stage == StageStarting && len(status.Troubles) > 0
	vitals := k.watcher.look(
		Vitals{Started: k.started, Beat: beat, Stage: status.Stage, Waits: waits, Exited: exited},
		now, k.sup.cfg.CheckEvery, k.sup.cfg.MaxUnhealthy)
	health := Judge(vitals, now, k.sup.cfg.MaxUnhealthy)
	k.note(health, status, beat, now)
	switch health {
	case HealthDead:
		switch {
		case status.SetBack && exit.Signal == "":
			return failure{} // an end because of that is no fault of the worker
		case !status.SetBack && len(status.Lost) == len(k.shards()):
			return k.superseded(status, now) // nor is one because it has nothing left to do
		}
		words := exit.describe()
		if status.Stage == StageStarting {
			words = "ended while starting: " + words
		}
		return failure{health, words}
	case HealthUnstarted:
		return failure{health, fmt.Sprintf("not healthy %v after its start",
			now.Sub(vitals.Started).Round(time.Millisecond))}
	case HealthHung:
		return failure{health, fmt.Sprintf("hang: no sign of life for %v in stage %v",
			now.Sub(vitals.Beat).Round(time.Millisecond), vitals.Stage)}
	}
	if status.SetBack {
		return failure{} // isSetBack judges that
	}
	return k.fencedOff(status, now)
}

// isSetBack tells whether the worker found that the store has lost data, and is to be replaced for
// that. Not again and again: a store that loses data all the time is beyond help, and each time costs
// a start.
func (k *keeper) isSetBack() bool {
	now := k.sup.ports.Clock.Now()
	k.sup.mu.Lock()
	setBack, lost := k.status.SetBack, k.status.Lost
	soon := !k.setBackAt.IsZero() && now.Sub(k.setBackAt) < k.sup.cfg.LostAfter
	if setBack && !soon {
		k.fencesAgain(now)
	}
	k.sup.mu.Unlock()
	if !setBack || soon {
		return false
	}
	k.tell(EventSetBack, lost, "its worker is ahead of the store")
	return true
}

// superseded is fencedOff of a worker that has ended, because all its shards have another owner.
//
// To fence them again at once would be a war. A supervisor that hears late that its shards are
// another's now would take them back, the other's worker would end of that, and so they would fence
// each other off many times a second, until the budgets of both are used up.
func (k *keeper) superseded(status Status, now time.Time) failure {
	f := k.fencedOff(status, now)
	if f == (failure{}) && !k.idle && !k.closing {
		k.idle = true
		k.sup.mu.Lock()
		if k.downSince.IsZero() {
			k.downSince = now
		}
		k.sup.mu.Unlock()
		left := k.patience() - now.Sub(k.lostAt)
		k.tell(EventSuperseded, k.shards(), fmt.Sprintf("another owner has taken all its shards; "+
			"they are taken back in %v if no assignment says otherwise", left.Round(time.Millisecond)))
	}
	return f
}

// fencedOff returns a failure if the worker has been without some of its shards for too long. A
// rebalance explains it for a moment; after that a shard would go without anybody who flushes it.
func (k *keeper) fencedOff(status Status, now time.Time) failure {
	switch {
	case len(status.Lost) == 0:
		return failure{}
	case k.lostAt.IsZero():
		k.lostAt = now
		// In a war each owner holds the shards for as long as the other waits. Who held them for longer
		// than that has won it.
		if now.Sub(k.started) > 2*k.patienceMax() {
			k.retaken = 0
		}
	}
	if now.Sub(k.lostAt) < k.patience() {
		return failure{}
	}
	k.retaken++
	return failure{HealthSuperseded, fmt.Sprintf("another owner has taken shards %s for %v",
		shardList(status.Lost), now.Sub(k.lostAt).Round(time.Millisecond))}
}

// patience is how long the worker may be without a shard: each time that shards were taken back and lost
// again twice as long, since it is ever less likely that nobody else is to have them.
func (k *keeper) patience() time.Duration {
	return Backoff(k.sup.cfg.LostAfter, k.patienceMax(), k.retaken)
}

func (k *keeper) patienceMax() time.Duration {
	return max(k.sup.cfg.LostAfter, k.sup.cfg.MaxUnhealthy)
}

// note files what was seen, and reports what is new about it.
func (k *keeper) note(health Health, status Status, beat, now time.Time) {
	k.sup.mu.Lock()
	before := k.state
	// The shard that was under backpressure the longest no longer is, but another is.
	anew := before == StateBackpressure && status.BackpressureSince.After(k.status.BackpressureSince)
	k.status, k.beat = status, beat
	switch {
	case health == HealthDead, health == HealthHung, health == HealthUnstarted:
		k.state = health.state()
	case k.closing:
		k.state = StateStopping
	case health == HealthStarting:
		k.state = StateStarting
	case status.BackpressureSince.IsZero():
		k.state = StateHealthy
	default:
		k.state = StateBackpressure
	}
	after, shards := k.state, k.job.shards
	up, wasUp := isUp(after), isUp(before)
	if up {
		k.inARow = 0
	}
	switch {
	case !up:
		k.healthySince = time.Time{}
	case k.healthySince.IsZero():
		k.healthySince, k.downSince, k.failed = now, time.Time{}, false
	}
	k.sup.mu.Unlock()
	if up && !wasUp {
		k.tell(EventHealthy, shards, "")
	}
	if before == StateBackpressure && (after != before || anew) {
		k.tell(EventBackpressureOff, shards, "")
	}
	if after == StateBackpressure && (after != before || anew) {
		k.tell(EventBackpressureOn, shards, "")
	}
}

func isUp(state State) bool { return state == StateHealthy || state == StateBackpressure }

// fresh passes the worker's freshness samples on.
func (k *keeper) fresh() {
	samples := k.handle.DrainFresh()
	if len(samples) > 0 && k.sup.ports.Fresh != nil {
		k.sup.ports.Fresh(k.worker, samples)
	}
}
