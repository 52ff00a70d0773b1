package flusher

import (
	"errors"
	"slices"
	"time"

	"sluice/buffer"
)

// lease takes what is due on each shard that may have something, oldest deadline first.
func (w *worker) lease() ([]*segment, error) {
	var leased []*segment
	w.looked, w.more = w.ports.Clock.Now(), false
	w.heard, w.deaf = w.looked, false
	w.awake = w.awake[:0]
	for _, s := range w.shards {
		if !w.rests(s) {
			w.awake = append(w.awake, s)
		}
	}
	for wave := range slices.Chunk(w.awake, w.abreast) {
		var looks []look
		known, err := w.sure(wave)
		if err != nil {
			return nil, err
		}
		for _, s := range known {
			looks = append(looks, look{shard: s})
		}
		for i := range looks {
			s := looks[i].shard
			w.readable(s)
			s.looked, s.bare = w.ports.Clock.Now(), false
			looks[i].asked = w.now(s)
		}
		ask := func(i int) {
			l := &looks[i]
			l.answer, l.err = w.ports.Store.Lease(w.ctx, l.shard.owner, l.asked, w.limit)
		}
		w.together(StageLease, len(looks), ask)
		for i := range looks {
			if len(looks) == 1 {
				w.report(StageLease)
				ask(i)
			}
			segments, err := w.took(&looks[i])
			if err != nil {
				return nil, err
			}
			leased = append(leased, segments...)
		}
	}
	w.pressure()
	return leased, nil
}

// rests tells whether nothing can have become due on a shard since all that was due was taken. Deadlines
// are as far apart as the config says, and none is set for what is over by the shard's clock but where
// that went back. So nothing is before the clock has come to the next: by itself, or, while there is
// input, by that, whose clocks are as far apart, and the next may come as long after the last.
func (w *worker) rests(s *shard) bool {
	now, step := w.ports.Clock.Now(), w.cfg.DueEvery
	return step > 0 && s.bare && !s.unsure && now.Sub(s.looked) < w.cfg.RestMax &&
		w.stepOf(s) == s.step && (now.Sub(s.fed) >= 2*step || now.Sub(s.turned) < step-2*w.cfg.IdleSleep)
}

// bare notes whether a look at a shard took all that was due.
func (w *worker) bare(s *shard, asked buffer.Instant, all bool) {
	if w.cfg.DueEvery == 0 {
		return
	}
	step := w.stepOf(s)
	if step != s.step {
		s.step, s.turned = step, s.looked
	}
	s.bare = all && step == w.steps(asked)
}

// stepOf is how many deadlines a shard's clock has come to.
func (w *worker) stepOf(s *shard) buffer.Instant { return w.steps(w.now(s)) }

func (w *worker) steps(at buffer.Instant) buffer.Instant {
	return at / buffer.Instant(w.cfg.DueEvery.Milliseconds())
}

// look is what came of asking a shard for what is due.
type look struct {
	shard  *shard
	asked  buffer.Instant
	answer buffer.Leased
	err    error
}

// took returns the segments that a look found.
func (w *worker) took(l *look) (leased []*segment, err error) {
	s, answer := l.shard, l.answer
	if l.err != nil {
		if done, fatal := w.judge(StageLease, s, l.err); fatal != nil {
			return nil, fatal
		} else if !done {
			// Not tried again as it is: it may have leased all the same, see sure.
			s.unsure = true
			w.troubles.Fails(withStore, StageLease.String(), l.err)
		}
		return nil, nil
	}
	w.troubles.Works(withStore)
	if s.drift.Behind(answer.Clock) {
		w.lose(s, true) // it may have lost that this owner released something, too
		return nil, nil
	}
	if s.drift.Adopt(answer.Clock, w.wall()) {
		s.fed = s.looked
	}
	w.measure(s, len(answer.Due))
	w.more = w.more || len(answer.Due) >= w.limit
	w.bare(s, l.asked, len(answer.Due) < w.limit)
	if len(answer.Due) < w.limit {
		s.all = min(l.asked, w.now(s))
	}
	s.holding += len(answer.Due)
	s.unsure = answer.Outstanding > s.holding+s.left // the store has lost that it released them
	now, wall := w.now(s), w.ports.Clock.Now()
	due, early := dueBy(answer.Due, l.asked, now)
	for _, due := range due {
		// What the last owner had leased is due whatever its deadline is.
		late := max(0, now.Sub(due.Deadline))
		leased = append(leased, &segment{Due: due, shard: s, since: wall.Add(-late)})
	}
	return leased, w.letGo(s, buffer.Release{Back: early})
}

// hear asks what is known of the input of all shards, and leases nothing. Who is busy for longer than a clock
// runs without a sign of the input would take that time for one without input when it looks next, though signs
// came all the while (see Drift). What fails, or says that a shard is lost, is left to the next look: a store that
// hangs is not asked again until then.
func (w *worker) hear() {
	now := w.ports.Clock.Now()
	if w.deaf || now.Sub(w.heard) < w.cfg.UnseenMax/hearsPerUnseen {
		return
	}
	w.heard = now
	w.awake = w.awake[:0]
	for _, s := range w.shards {
		if !s.lost {
			w.awake = append(w.awake, s)
		}
	}
	for wave := range slices.Chunk(w.awake, w.abreast) {
		if w.deaf {
			return
		}
		looks := make([]look, len(wave))
		ask := func(i int) {
			l := &looks[i]
			l.shard = wave[i]
			l.answer, l.err = w.ports.Store.Lease(w.ctx, l.shard.owner, 0, 0)
		}
		w.together(StageWait, len(wave), ask)
		if len(wave) == 1 {
			w.report(StageWait)
			ask(0)
		}
		for i := range looks {
			s, known := looks[i].shard, looks[i].answer.Clock
			w.deaf = w.deaf || looks[i].err != nil
			if looks[i].err == nil && !s.drift.Behind(known) && s.drift.Adopt(known, w.wall()) {
				s.fed = now
			}
		}
	}
}

// hearsPerUnseen is how often a busy worker does so in the time for which a clock runs without a sign, at the
// most: signs are up to a quarter of that time old, too, and it does so between two waits only.
const hearsPerUnseen = 4

// dueBy parts what was leased by a clock that news of the input have set back from asked to now:
// what is not due by the new one was taken too early, while its later spans are still being read.
func dueBy(leased []buffer.Due, asked, now buffer.Instant) (due, early []buffer.Due) {
	if now >= asked {
		return leased, nil
	}
	for _, d := range leased {
		if d.Deadline > now {
			early = append(early, d)
		} else {
			due = append(due, d)
		}
	}
	return due, early
}

// sure returns the shards of which the worker knows what it holds, so that it may lease more.
//
// A Lease whose answer was lost may have moved segments from the queue to what is leased, where
// nobody but this owner would look for them, and it does not know of them: without a fence they
// would stay there as long as the worker lives. So it succeeds itself: once it holds nothing else
// of the shard, it fences the shard if the epoch is still its own. All that was leased is due
// again, and a Lease that was only delayed is refused when it arrives. After an outage that is so of all
// shards: the first attempts go out together.
func (w *worker) sure(wave []*shard) (known []*shard, err error) {
	asked := make([]refence, 0, len(wave))
	for _, s := range wave {
		if s.unsure && s.holding == 0 && !s.lost {
			asked = append(asked, refence{shard: s, last: s.owner.Epoch})
		}
	}
	w.together(StageLease, len(asked), func(i int) { asked[i].ask(w) })
	answered := false // since the first attempts
	for i := range asked {
		if err := w.refence(&asked[i], &answered); err != nil {
			return nil, err
		}
	}
	for _, s := range wave {
		if !s.lost && !s.unsure {
			known = append(known, s)
		}
	}
	return known, nil
}

// refence is a worker's fence of a shard of its own.
type refence struct {
	shard *shard
	last  buffer.Epoch
	// asked is true if there is an answer that was not looked at.
	asked  bool
	answer buffer.Fenced
	err    error
}

func (f *refence) ask(w *worker) {
	f.answer, f.err = w.ports.Store.Fence(w.ctx, f.shard.owner.Shard, f.last)
	f.asked = true
}

// refence tries a fence until it is done.
//
// The answer of that Fence may be lost, too. Then the next try is refused, and the epoch last+1 is
// either the worker's own or an intruder's. It can be taken for the worker's own because a
// supervisor fences twice (keeper.fence): no owner that a supervisor made ever has the epoch
// last+1, so nobody else uses it. If the shard is at a later epoch, the next Lease is refused, and
// the shard is lost.
func (w *worker) refence(f *refence, answered *bool) error {
	s := f.shard
	repeated := false
	if f.asked && f.err != nil && !errors.Is(f.err, buffer.ErrStale) && *answered {
		f.asked, repeated = false, true // that failure is over: the store has answered since
	}
	ok, err := w.try(StageLease, s, func() error {
		if !f.asked {
			f.ask(w)
			*answered = true
		}
		f.asked = false
		switch {
		case f.err == nil:
			s.owner = f.answer.Owner
			s.drift.Adopt(f.answer.Clock, w.wall())
		case errors.Is(f.err, buffer.ErrSetBack):
		case repeated && errors.Is(f.err, buffer.ErrStale):
			s.owner.Epoch = f.last + 1
			return nil
		}
		repeated = true
		return f.err
	})
	if s.unsure = !ok; ok {
		s.left = 0 // it is in the queue again
		if s.aside == never {
			s.aside = w.now(s).Add(damagedAgain) // what still cannot be deleted is found by then
		}
	}
	return err
}

// claim freezes what was leased. What another shard's owner has in flight goes back to the queue;
// what no longer exists is released.
func (w *worker) claim(leased []*segment) error {
	return perShard(w, StageClaim, leased,
		func(s *shard, part []*segment) ([]buffer.Claim, error) {
			return w.ports.Store.Claim(w.ctx, s.owner, names(part))
		}, w.sort, w.setAside)
}

// sort deals with the answers of a Claim.
func (w *worker) sort(s *shard, part []*segment, claims []buffer.Claim) error {
	var release buffer.Release
	var owned []*segment
	for i, claim := range claims {
		seg := part[i]
		switch claim.State {
		case buffer.ClaimOwned:
			seg.size = claim.Bytes
			if claim.Loaded != nil {
				seg.spans, seg.loaded, seg.along = claim.Loaded.Spans, true, true
			}
			owned = append(owned, seg)
		case buffer.ClaimBusy:
			// Behind all that is due already, or it would be leased first again and again.
			seg.Deadline = max(seg.Deadline, w.now(s))
			release.Back = append(release.Back, seg.Due)
		case buffer.ClaimGone:
			release.Done = append(release.Done, seg.Generation)
		case buffer.ClaimStale:
			w.lose(s, false)
			return nil
		}
	}
	w.claimed = append(w.claimed, owned...)
	return w.letGo(s, release)
}

// letGo releases segments of a shard, if there are any.
func (w *worker) letGo(s *shard, release buffer.Release) error {
	n := len(release.Done) + len(release.Back)
	if n == 0 {
		return nil
	}
	s.bare = s.bare && len(release.Back) == 0
	ok, err := w.try(StageRelease, s, func() error {
		return w.ports.Store.Release(w.ctx, s.owner, release)
	})
	if ok {
		s.holding -= n
	}
	return err
}

// measure notes whether a lease returned all it may.
func (w *worker) measure(s *shard, n int) {
	switch {
	case n < w.limit:
		s.fullSince = time.Time{}
	case s.fullSince.IsZero():
		s.fullSince = w.ports.Clock.Now()
	}
}

// pressure sets the worker's backpressure to the one of its shard that has lasted longest.
func (w *worker) pressure() {
	w.status.BackpressureSince = time.Time{}
	for _, s := range w.shards {
		since := &w.status.BackpressureSince
		if !s.fullSince.IsZero() && (since.IsZero() || s.fullSince.Before(*since)) {
			*since = s.fullSince
		}
	}
}
