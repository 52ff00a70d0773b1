package flusher

import (
	"errors"
	"slices"
	"time"

	"sluice/buffer"
)

// wait returns when Kafka has acknowledged every record of a batch. A record whose fate is unknown
// or that was refused is produced again, byte for byte, until it is: nothing is acknowledged to
// the store on a guess. One that no broker will ever take is split.
func (w *worker) wait(batch []*segment) error {
	defer w.unbind()
	for attempt := 0; ; attempt++ {
		var failed map[*shard][]*output
		for _, seg := range batch {
			again, err := w.waitFor(seg)
			if err != nil {
				return err
			}
			if len(again) > 0 && failed == nil {
				failed = map[*shard][]*output{}
			}
			if len(again) > 0 {
				failed[seg.shard] = append(failed[seg.shard], again...)
			}
		}
		if len(failed) == 0 {
			return nil
		}
		if err := w.backOff(attempt); err != nil {
			return err
		}
		for _, s := range w.shards {
			if len(failed[s]) == 0 {
				continue
			}
			if owned, err := w.stillOwns(s); err != nil {
				return err
			} else if !owned {
				continue
			}
			for _, out := range failed[s] {
				w.report(StageProduce)
				out.future = w.ports.Producer.Produce(w.ctx, out.record)
			}
		}
	}
}

// stillOwns asks whether a shard has a later owner by now, who produces what this worker cannot: nothing
// else would tell it as long as the records are not taken. A store that does not answer says nothing.
func (w *worker) stillOwns(s *shard) (bool, error) {
	if s.lost {
		return false, nil
	}
	w.report(StageWait)
	err := w.ports.Store.Release(w.ctx, s.owner, buffer.Release{})
	if err == nil {
		w.troubles.Works(withStore)
		return true, nil
	}
	done, fatal := w.judge(StageRelease, s, err)
	return !done, fatal
}

// waitFor waits for the records of a segment, and returns those that are to be produced again. What is
// of a lost shard is left to its successor.
func (w *worker) waitFor(seg *segment) (failed []*output, err error) {
	// The list grows while records are split.
	for i := 0; i < len(seg.outputs) && !seg.shard.lost; i++ {
		out := seg.outputs[i]
		if out.done {
			continue
		}
		err := w.await(out.future)
		switch {
		case err == nil:
			w.acknowledged(out)
		case w.ctx.Err() != nil:
			return nil, w.ctx.Err()
		case errors.Is(err, ErrRecordTooLarge) && !out.bare():
			parts, err := w.split(seg, out, err)
			if err != nil {
				return nil, err
			}
			seg.outputs = append(seg.outputs, parts...)
		default:
			w.fails(withKafka, StageProduce, err)
			failed = append(failed, out)
		}
	}
	if len(failed) == 0 && seg.acked.IsZero() {
		seg.acked = w.ports.Clock.Now()
	}
	return failed, nil
}

// acknowledged counts a record that Kafka has.
func (w *worker) acknowledged(out *output) {
	out.done = true
	w.silent = 0
	w.troubles.Works(withKafka)
	if out.deadLetter {
		w.status.DeadLetters++
	} else {
		w.status.Records++
	}
	w.report(StageWait)
}

// await waits for a future, and gives a sign of life each time BeatEvery has passed.
func (w *worker) await(future Future) error {
	for {
		w.hear()
		// One context serves many futures: it is made anew only when it has ended.
		if w.bound == nil || w.bound.Err() != nil {
			w.unbind()
			w.bound, w.unbound = w.ports.Clock.WithTimeout(w.ctx, w.cfg.BeatEvery)
		}
		err := future.Wait(w.bound)
		expired := w.bound.Err()
		if err == nil || w.ctx.Err() != nil || expired == nil || !errors.Is(err, expired) {
			return err
		}
		// What is silent for once may have been about to answer when the wait began.
		if w.silent++; w.silent > 1 {
			w.troubles.Fails(withKafka, StageProduce.String(), errSilent)
		}
		w.report(StageWait)
	}
}

// errSilent is why a record is still waited for: the producer tries on, and cannot say why it must.
var errSilent = errors.New("kafka acknowledges nothing")

// unbind lets go of the context that bounds waits.
func (w *worker) unbind() {
	if w.bound != nil {
		w.unbound()
	}
	w.bound = nil
}

// ack lets the store delete what Kafka has, and returns what it did.
func (w *worker) ack(batch []*segment) ([]*segment, error) {
	err := perShard(w, StageAck, batch, func(s *shard, part []*segment) ([]buffer.AckResult, error) {
		flushed := make([]buffer.Flushed, len(part))
		for i, seg := range part {
			flushed[i] = buffer.Flushed{Generation: seg.Generation, Spans: seg.ids, Along: seg.along}
		}
		return w.ports.Store.Ack(w.ctx, s.owner, flushed)
	}, func(s *shard, _ []*segment, results []buffer.AckResult) error {
		if slices.Contains(results, buffer.AckStale) {
			w.lose(s, false)
		}
		return nil
	}, w.leave)
	return slices.DeleteFunc(held(batch), func(seg *segment) bool { return seg.left }), err
}

// release drops what was acknowledged from what is leased, last of all: a worker that dies before
// leaves a lease behind, whose next owner finds that the generation is gone.
func (w *worker) release(batch []*segment) error {
	err := perShard(w, StageRelease, batch, func(s *shard, part []*segment) (struct{}, error) {
		return struct{}{}, w.ports.Store.Release(w.ctx, s.owner, buffer.Release{Done: names(part)})
	}, func(s *shard, part []*segment, _ struct{}) error {
		s.holding -= len(part)
		return nil
	}, nil)
	if err != nil {
		return err
	}
	for _, part := range byShard(batch) {
		fresh := make([]time.Duration, len(part))
		for i, seg := range part {
			fresh[i] = seg.acked.Sub(seg.since)
			w.status.Segments++
			w.status.Spans += uint64(len(seg.ids))
			w.status.Bytes += uint64(seg.size)
		}
		w.ports.Reporter.Fresh(fresh)
		w.report(StageRelease)
	}
	return nil
}
