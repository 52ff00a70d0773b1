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
		var failed []*output
		for _, seg := range batch {
			again, err := w.waitFor(seg)
			if err != nil {
				return err
			}
			failed = append(failed, again...)
		}
		if len(failed) == 0 {
			return nil
		}
		if err := w.backOff(attempt); err != nil {
			return err
		}
		for _, out := range failed {
			w.report(StageProduce)
			out.future = w.ports.Producer.Produce(w.ctx, out.record)
		}
	}
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

// ack lets the store delete what Kafka has, and returns it.
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
	})
	return held(batch), err
}

// release drops what was acknowledged from what is leased, last of all: a worker that dies before
// leaves a lease behind, whose next owner finds that the generation is gone.
func (w *worker) release(batch []*segment) error {
	for s, part := range byShard(batch) {
		if err := w.letGo(s, buffer.Release{Done: names(part)}); err != nil {
			return err
		}
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
