package flusher

import (
	"errors"
	"fmt"

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
// hands each answer on. There is none for a part whose shard is lost or left.
func perShard[T any](
	w *worker, stage Stage, batch []*segment, ask func(*shard, []*segment) (T, error),
	take func(*shard, []*segment, T) error,
) error {
	for s, part := range byShard(batch) {
		var answer T
		ok, err := w.try(stage, s, func() (err error) {
			answer, err = ask(s, part)
			return err
		})
		if ok {
			err = take(s, part, answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
