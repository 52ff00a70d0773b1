package flusher

import (
	"errors"
	"fmt"
	"slices"

	"sluice/buffer"
)

// What a worker's troubles are with.
var (
	withStore = Operation{Name: "store", Partition: NoPartition}
	withKafka = Operation{Name: "kafka", Partition: NoPartition}
)

// try repeats a step of the store on a shard until it is done, which every step allows. It
// returns false if there is nothing left to do: a later owner has the shard, or the worker is to
// stop and holds nothing of it that could be finished. An error is one that ends the worker.
//
// A worker that waits for a dead store is alive, so each attempt is a sign of life.
func (w *worker) try(stage Stage, on *shard, do func() error) (bool, error) {
	for attempt := 0; ; attempt++ {
		w.report(stage)
		err := do()
		if err == nil {
			w.troubles.Works(withStore)
			return true, nil
		}
		if done, err := w.judge(stage, on, err); done {
			return false, err
		}
		w.fails(withStore, stage, err)
		if on.holding == 0 && w.stop.Err() != nil {
			return false, nil
		}
		if err := w.backOff(attempt); err != nil {
			return false, err
		}
	}
}

// fails notes an attempt that is made again.
func (w *worker) fails(of Operation, stage Stage, err error) {
	w.status.Retries[stage]++
	w.troubles.Fails(of, stage.String(), err)
}

// perShard asks the store about the parts of a batch that are of one shard each, as try does, and
// hands each answer on. There is none for a part whose shard is lost or left. Of a worker with many shards
// the first attempts go out together; ask must then change nothing of the worker's.
// With damaged the store may be unable to read some segments: each is told to that, and the others are asked
// about without it; nil: that is an error that ends the worker.
func perShard[T any](
	w *worker, stage Stage, batch []*segment, ask func(*shard, []*segment) (T, error),
	take func(*shard, []*segment, T) error, damaged func(*segment, Stage, error) error,
) error {
	type part struct {
		shard    *shard
		segments []*segment
		answer   T
		err      error
		asked    bool
	}
	var parts []part
	for s, segments := range byShard(batch) {
		parts = append(parts, part{shard: s, segments: segments})
	}
	for wave := range slices.Chunk(parts, w.abreast) {
		w.together(stage, len(wave), func(i int) {
			p := &wave[i]
			p.answer, p.err = ask(p.shard, p.segments)
			p.asked = true
		})
		repeated := false
		for i := range wave {
			p := &wave[i]
			if repeated && p.err != nil {
				p.asked = false // that failure is over: the store has answered since
			}
			ok, err := w.try(stage, p.shard, func() error {
				if !p.asked {
					p.answer, p.err = ask(p.shard, p.segments)
					repeated = true
				}
				p.asked = false
				return p.err
			})
			switch {
			case isDamaged(err) && damaged != nil:
				err = apart(w, stage, p.segments, ask, take, damaged, p.err)
			case ok:
				err = take(p.shard, p.segments, p.answer)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// together does one thing for several shards at the same time; each that is done is a sign of life. For
// one shard it does nothing: who calls goes on to do that in its turn.
func (w *worker) together(stage Stage, n int, do func(i int)) {
	if n <= 1 {
		return
	}
	w.report(stage)
	together(w.ports.Tasks, "worker "+stage.String(), n, do, func() { w.report(stage) })
}

// judge tells whether an error of the store ends the step, and the worker if it returns one.
func (w *worker) judge(stage Stage, on *shard, err error) (done bool, fatal error) {
	switch {
	case w.ctx.Err() != nil:
		return true, w.ctx.Err()
	case errors.Is(err, buffer.ErrStale):
		w.lose(on, errors.Is(err, buffer.ErrSetBack))
		return true, nil
	case !buffer.Retryable(err):
		return true, fmt.Errorf("worker %d: %v on shard %d: %w",
			w.spec.Worker, stage, on.owner.Shard, err)
	}
	return false, nil
}

// backOff sleeps after the failure of an attempt, counted from 0. A long pause is not a hang.
func (w *worker) backOff(attempt int) error {
	left := Backoff(w.cfg.RetryMin, w.cfg.RetryMax, attempt)
	for {
		slice := min(left, w.cfg.BeatEvery)
		if err := w.ports.Clock.Sleep(w.ctx, slice); err != nil {
			return err
		}
		if left -= slice; left <= 0 {
			return nil
		}
		w.report(w.status.Stage)
	}
}
