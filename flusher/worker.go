package flusher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
)

// ErrFenced means that later owners have taken all shards of a worker, or that the store has lost who
// owned them (Status.SetBack). It wraps buffer.ErrStale.
var ErrFenced = fmt.Errorf("worker has lost all its shards: %w", buffer.ErrStale)

// RunWorker flushes the shards of spec until it is asked to stop. It returns nil once stop is done
// and all that was claimed is flushed; the error of ctx as soon as that is done, leaving the rest
// to the next owner; ErrFenced when none of its shards is its own any more; and any error of the store
// that will not pass. Servers that do not answer are waited for. stop is to be derived from ctx.
func RunWorker(
	ctx, stop context.Context, cfg WorkerConfig, ports WorkerPorts, spec WorkerSpec,
) error {
	w, err := newWorker(ctx, stop, cfg, ports, spec)
	if err != nil {
		return err
	}
	err = w.run()
	w.report(StageStopped)
	return err
}

// worker is a worker's state. It is one sequence: nothing here is shared. (What together does beside it
// asks the store, and touches nothing else.)
type worker struct {
	ctx, stop context.Context
	cfg       WorkerConfig
	ports     WorkerPorts
	spec      WorkerSpec
	limit     int // of segments per shard and cycle

	shards []*shard
	// abreast is about how many shards the store is asked at a time.
	abreast int
	// claimed segments are frozen and wait for their turn to be loaded; flying ones are handed to
	// the producer. Both are in the order of shards.
	claimed, flying []*segment

	// looked is when the worker began to look for what is due, zero if it has rested since; more is true
	// if a shard had as much as may be taken, so that there may be more.
	looked time.Time
	awake  []*shard // scratch of a look
	more   bool
	heard  time.Time // when it last looked, or asked for news of the input alone
	deaf   bool      // that failed since it last looked
	shown  time.Time // what the wall clock last showed

	bound   context.Context // of a wait for an acknowledgement, or nil
	unbound context.CancelFunc

	status   Status
	troubles *Troubles
	silent   int // how often BeatEvery has passed since Kafka last acknowledged a record
}

// shard is a shard of a worker.
type shard struct {
	owner buffer.Owner
	drift Drift
	// holding counts what is leased and not released, as far as the worker knows.
	holding int
	// left counts what is leased, and stays so until the next fence. See leave.
	left int
	// unsure is true after the answer of a Lease was lost: the store may have leased more. So it has
	// if it says so, because it was set back.
	unsure bool
	// lost is true once a later owner was seen. Nothing of the shard is touched after that.
	lost bool
	// fullSince is when a lease first returned all it may; zero if the last did not.
	fullSince time.Time
	// looked is when the worker last looked, and bare is true if it took all that was due then, and
	// nothing went back since; step is to how many deadlines the shard's clock had come, turned when it
	// was first seen there, and fed when there was last news of input. See rests.
	looked, turned, fed time.Time
	step                buffer.Instant
	bare                bool
	// all is until when, by its clock, all that was due was taken; aside is the latest deadline with which what
	// cannot be read was put back, 0 if nothing was since it could. See readable.
	all, aside buffer.Instant
}

// segment is a generation on its way through the worker.
type segment struct {
	buffer.Due
	shard *shard
	// size is the number of payload bytes, as Claim told.
	size int64
	// spans are held from load, or a claim that loads along, to produce only; ids until the generation
	// is acknowledged.
	spans         []buffer.Span
	loaded, along bool
	left          bool // see worker.leave
	ids           []buffer.SpanID
	outputs       []*output
	// since is when it became due, as the shard's clock stood when it was leased, and acked when the
	// last output was acknowledged. Both are by the worker's own clock: the shard's may be set back in
	// between, when it turns out that spans wait to be read.
	since, acked time.Time
}

func newWorker(
	ctx, stop context.Context, cfg WorkerConfig, ports WorkerPorts, spec WorkerSpec,
) (*worker, error) {
	err := cfg.Validate()
	if len(spec.Owners) == 0 {
		err = errors.Join(err, errors.New("no shards, so there is nothing to flush"))
	}
	if err != nil {
		return nil, fmt.Errorf("worker %d: %w", spec.Worker, err)
	}
	w := &worker{
		ctx: ctx, stop: stop, cfg: cfg, ports: ports, spec: spec,
		limit:    (cfg.MaxFlushSegments + len(spec.Owners) - 1) / len(spec.Owners),
		troubles: NewTroubles(ports.Clock, ports.Trouble), abreast: 1,
	}
	if ports.Tasks != nil && len(spec.Owners) >= abreastMin {
		w.abreast = abreastMax
	}
	wall := w.wall() // the first reading: nothing was set back
	for _, fenced := range spec.Owners {
		w.shards = append(w.shards, &shard{
			owner: fenced.Owner, drift: ResumeDrift(fenced.Clock, wall, cfg.UnseenMax),
		})
	}
	w.report(StageStarting)
	return w, nil
}

// run is the worker's life. The stages of two batches overlap by order alone: the next one is on
// its way to Kafka before the acknowledgements of the last one are awaited.
func (w *worker) run() error {
	for {
		if len(w.claimed) == 0 && w.stop.Err() == nil && w.untilLook() <= 0 {
			leased, err := w.lease()
			if err != nil {
				return err
			}
			if err := w.claim(leased); err != nil {
				return err
			}
		}
		next, err := w.load(w.portion())
		if err != nil {
			return err
		}
		if err := w.produce(next); err != nil {
			return err
		}
		if err := w.finish(w.flying); err != nil {
			return err
		}
		w.flying = held(next)
		if done, err := w.pause(); done {
			return err
		}
	}
}

// finish waits until Kafka has a batch, and only then lets the store forget it.
func (w *worker) finish(batch []*segment) error {
	if err := w.wait(batch); err != nil {
		return err
	}
	acked, err := w.ack(held(batch))
	if err != nil {
		return err
	}
	return w.release(acked)
}

// pause ends a cycle: it sleeps if there is nothing to do, and tells whether the worker is done.
func (w *worker) pause() (done bool, err error) {
	w.claimed, w.flying = held(w.claimed), held(w.flying)
	stopping := w.stop.Err() != nil
	switch {
	case w.ctx.Err() != nil:
		return true, w.ctx.Err()
	case w.lostAll() && stopping:
		return true, nil
	case w.lostAll():
		return true, fmt.Errorf("worker %d: %w", w.spec.Worker, ErrFenced)
	case len(w.claimed) > 0 || len(w.flying) > 0:
		return false, nil
	case stopping:
		return true, nil
	}
	// All that was due is out, or busy elsewhere.
	w.more = false
	if left := w.untilLook(); left > 0 {
		w.report(StageIdle)
		// An error means that stop is done, which the next cycle sees.
		_ = w.ports.Clock.Sleep(w.stop, left)
		w.looked = time.Time{}
	}
	return false, nil
}

// untilLook is how long the worker need not look for what is due: it did so a moment ago, and took all
// there was. Of many shards one always has something, and to look at all the others again for it would
// cost more than the work.
func (w *worker) untilLook() time.Duration {
	if w.more {
		return 0
	}
	return w.cfg.IdleSleep - w.ports.Clock.Now().Sub(w.looked)
}

func (w *worker) lostAll() bool { return len(w.status.Lost) == len(w.shards) }

// lose stops all work on a shard that has a later owner, or whose state the store has lost. What the
// worker holds of it is the successor's: due for it at once, and taken over unchanged.
func (w *worker) lose(s *shard, setBack bool) {
	if s.lost {
		return
	}
	w.status.SetBack = w.status.SetBack || setBack
	s.lost, s.holding = true, 0
	s.fullSince = time.Time{}
	w.status.Lost = append(w.status.Lost, s.owner.Shard)
	w.pressure()
	w.troubles.GiveUp(unreadable(s))
}

// report is a sign of life. What it tells the times of is by the clock of now.
func (w *worker) report(stage Stage) {
	w.wall()
	w.status.Stage = stage
	w.status.Beats++
	w.status.Troubles = w.troubles.States()
	w.ports.Reporter.Report(w.status)
}

// now returns a shard's now.
func (w *worker) now(s *shard) buffer.Instant {
	return s.drift.Now(w.wall())
}

// wall reads the wall clock. Who takes news of the input over reads it after they came: so what was set
// back is known before any drift by the new clock.
func (w *worker) wall() buffer.Instant {
	now := w.ports.Clock.Now()
	if setBack(w.shown, now).Abs() >= setBackMin {
		now = w.ports.Clock.Now() // it may have stood still between the halves of a reading
	}
	if by := setBack(w.shown, now); by.Abs() >= setBackMin {
		w.stepped(now, by)
	}
	w.shown = now
	return buffer.InstantOf(now)
}

// stepped takes note that the wall clock was set back by so much since it was last read, or on where that is
// negative. Shards take a step on for time that has passed.
func (w *worker) stepped(now time.Time, by time.Duration) {
	for _, s := range w.shards {
		if by > 0 {
			s.drift.SetBack(by)
		}
		s.fullSince = moved(s.fullSince, now, by)
	}
	w.pressure()
	w.troubles.Stepped(now, by)
}

// moved returns a moment as the wall clock would have shown it that was set back by so much since its last
// reading, and now is read again. What is left is the wall clock's half: who reads the moment in a report has no
// other, and would take it for one to come, or for one long past. The other half of one that is moved for the
// first time tells how far the clock was set since: it may have been read after the last reading, before the step
// or after it.
func moved(at, now time.Time, by time.Duration) time.Time {
	if at.IsZero() {
		return at
	}
	if at != at.Round(0) {
		by = setBack(at, now)
	}
	if by.Abs() < setBackMin {
		return at
	}
	return at.Round(0).Add(-by)
}

// setBackMin is more than the halves of a reading, wall clock and monotonic, differ by.
const setBackMin = time.Second

// setBack returns how far the wall clock was set back between two readings: what it lacks of the time
// that has passed; negative if it was set on. Readings without a monotonic half tell nothing.
func setBack(last, now time.Time) time.Duration {
	return now.Sub(last) - now.Round(0).Sub(last.Round(0))
}

// held returns the segments whose shards are not lost.
func held(batch []*segment) []*segment {
	kept := batch[:0]
	for _, seg := range batch {
		if !seg.shard.lost {
			kept = append(kept, seg)
		}
	}
	return kept
}

// byShard yields the parts of a batch, which is in the order of shards, that belong to one shard.
func byShard(batch []*segment) func(yield func(*shard, []*segment) bool) {
	return func(yield func(*shard, []*segment) bool) {
		for len(batch) > 0 {
			n := 1
			for n < len(batch) && batch[n].shard == batch[0].shard {
				n++
			}
			if !yield(batch[0].shard, batch[:n]) {
				return
			}
			batch = batch[n:]
		}
	}
}

// names returns the names of the segments' generations.
func names(batch []*segment) []buffer.Generation {
	list := make([]buffer.Generation, len(batch))
	for i, seg := range batch {
		list[i] = seg.Generation
	}
	return list
}
