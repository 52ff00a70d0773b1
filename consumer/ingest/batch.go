package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// errSkipped is the error of a batch whose predecessor failed.
var errSkipped = errors.New("the batch before it failed")

// batch is a run of messages of one partition on its way into the store.
type batch struct {
	number   int32
	messages []flusher.Message
	bytes    buffer.Bytes // of their values
	delivery buffer.DeliveryID
	wall     buffer.Instant  // when it was read
	begun    time.Time       // when it was cut, and on its way into the store from then on
	seen     buffer.Instant  // until when nothing more had come, as a tick then would have said; 0: there was none
	ahead    time.Duration   // how far the shard's clock is ahead of its own once it is stored
	run      context.Context // of the loop, which outlives the partition's; see keep
	before   *batch          // of the same tenure; nil if it is the first, or done
	earlier  *batch          // the last of an earlier tenure; nil for all but the first
	last     bool            // nothing more had been polled
	empty    bool            // it has no messages: it sets the clock
	agreed   clocks          // of the messages that are on the course
	clock    buffer.Instant  // the earliest of its spans' that is, or where the course is without one
	spans    []buffer.Span   // scratch, of the partition
	// own is true if the memory of the messages is the partition's, not the source's; room is all of it,
	// which can be used again, if this is the last batch in it; else nil.
	own  bool
	room []flusher.Message

	task flusher.Task
	// What follows is the task's until it is done.
	err     error
	told    bool // the store, of the batch: it is not if nothing is left of it
	set     bool // an empty one's clock
	tally   PartitionCounters
	dropped map[string]uint64
	letters []*letter
}

// ingest brings the batch into the store. When it returns nil the batch's offset may be committed.
func (l *Loop) ingest(ctx context.Context, b *batch) error {
	l.decode(ctx, b)
	traces, duplicates := buffer.Group(b.spans)
	b.tally.Duplicates += uint64(duplicates)
	if err := b.takeTurn(); err != nil {
		return err
	}
	if err := l.keep(ctx, b, traces); err != nil {
		return err
	}
	for i := range b.letters {
		if err := l.deliver(ctx, b.number, b.letters[i:]); err != nil {
			return err
		}
	}
	return nil
}

// takeTurn waits for the batch before this one: the last write sets the deadline, so batches of a
// partition keep their order. Whether a batch of an earlier tenure succeeded does not matter, for
// this tenure began behind what was committed.
func (b *batch) takeTurn() error {
	if b.earlier != nil {
		b.earlier.task.Wait()
		b.earlier = nil
	}
	if b.before == nil {
		return nil
	}
	b.before.task.Wait()
	failed := b.before.err != nil
	b.before = nil // else every batch would hold all those before it
	if failed {
		return errSkipped
	}
	return nil
}

// decode reads the messages: spans, dead letters (which are sent at once, while they are taken), dropped
// ones.
func (l *Loop) decode(ctx context.Context, b *batch) {
	rules, first, taken := l.ports.killSwitch(), b.agreed.to.Add(1), true
	for i := range b.messages {
		m := &b.messages[i]
		clock := clockOf(m)
		agrees := b.agreed.has(clock)
		if !agrees {
			b.tally.Skewed++
		}
		decoded, err := l.ports.Decoder.Decode(m.Value)
		if err != nil {
			letter := l.deadLetter(m, err)
			taken = taken && l.send(ctx, letter)
			b.letters = append(b.letters, letter)
			continue
		}
		decoded.Position = m.Position
		if rule, dropped := rules.Match(decoded.Organization, &decoded.Span); dropped {
			b.drop(rules.Text(rule))
			continue
		}
		if agrees {
			first = min(first, clock)
		}
		b.tally.Bytes += uint64(decoded.Size)
		b.spans = append(b.spans, decoded.Span)
	}
	if b.agreed.has(first) {
		b.clock = first.WholeSeconds()
	}
	b.tally.Messages = uint64(len(b.messages))
	b.tally.Spans = uint64(len(b.spans))
	b.tally.DeadLetters = uint64(len(b.letters))
	if len(b.letters) > 0 {
		l.ports.event(Event{
			Kind: DeadLettered, Partitions: []int32{b.number}, Err: b.letters[0].cause,
			Reason: fmt.Sprintf("%d, the first at %v", len(b.letters), b.letters[0].position),
		})
	}
}

func (b *batch) drop(rule string) {
	if b.dropped == nil {
		b.dropped = make(map[string]uint64)
	}
	b.dropped[rule]++
	b.tally.Dropped++
}

// keep attaches the traces, then enqueues the live generations. Both are tried until they succeed, or
// until the partition is lost. A step that has begun is not cut short by that, and what was attached
// is enqueued, at least tried to be: the spans may have been flushed by the partition's new owner
// already, and then nobody would deliver them again, nor find them.
//
//	read a, lost; read again, flushed and committed by another; attach a, not enqueued: left over
//
// A trace of many spans is attached in several rounds, so that none keeps the store busy for long. If
// only some of them are done, the batch is not committed, and what is there is recognised when it
// comes again.
func (l *Loop) keep(ctx context.Context, b *batch, traces []buffer.TraceBatch) error {
	if len(traces) == 0 {
		b.seen = 0 // nothing tells the store
		return nil
	}
	l.ledger.store(b.number, traces)
	defer l.ledger.store(b.number, nil)
	attached := make([]buffer.Attached, 0, len(traces))
	delivery := buffer.Delivery{ID: b.delivery, Clock: b.clock}
	for _, round := range buffer.Rounds(traces, l.config.AttachSpansMax, buffer.AttachBytesMax) {
		answers, err := l.attach(ctx, b, delivery, round)
		attached = append(attached, answers...)
		if err != nil {
			// It is given up for good: once more is all that can be done for what is there.
			if len(attached) > 0 {
				_ = l.enqueue(b, l.update(b, attached))
			}
			return err
		}
		delivery.ID.Number++
	}
	update := l.update(b, attached)
	b.tally.Batches = 1
	b.told = true
	return l.store(ctx, b.number, "enqueue", func() error { return l.enqueue(b, update) })
}

// enqueue enqueues a batch as of now: what came while it was on its way is not stored yet, so no time
// has passed for that. Until the next sign of the input, if there was none when the batch was begun, the
// shard's clock stands where the batch puts it.
func (l *Loop) enqueue(b *batch, update buffer.QueueUpdate) error {
	update.Wall = buffer.InstantOf(l.ports.Clock.Now()).Add(-b.ahead)
	update.Seen = max(b.seen, update.Wall.Add(-l.config.UnseenMax))
	return l.ports.Store.Enqueue(b.run, buffer.Shard(b.number), update)
}

// attach attaches one round of the batch's traces.
func (l *Loop) attach(
	ctx context.Context, b *batch, delivery buffer.Delivery, traces []buffer.TraceBatch,
) (attached []buffer.Attached, err error) {
	err = l.store(ctx, b.number, "attach", func() error {
		answers, err := l.ports.Store.Attach(b.run, delivery, traces)
		if err == nil {
			attached = append(attached, answers...)
			return nil
		}
		// A store that is full takes what it has room for. Attached again after its segment was
		// flushed it would come out a second time.
		attached, traces = divide(attached, answers, traces)
		return err
	})
	if !errors.Is(err, buffer.ErrDamaged) {
		return attached, err
	}
	answers, err := l.apart(ctx, b, delivery, traces, err)
	return append(attached, answers...), err
}

// divide adds the answers that did come to those of earlier tries, and returns the traces that have
// none yet.
func divide(
	attached, answers []buffer.Attached, traces []buffer.TraceBatch,
) ([]buffer.Attached, []buffer.TraceBatch) {
	if len(answers) == 0 {
		return attached, traces
	}
	var rest []buffer.TraceBatch
	for i, answer := range answers {
		if answer.Done {
			attached = append(attached, answer)
		} else {
			rest = append(rest, traces[i])
		}
	}
	return attached, rest
}

// update sets the deadline of every live generation that holds a span of the batch.
func (l *Loop) update(b *batch, attached []buffer.Attached) buffer.QueueUpdate {
	live, merged := 0, 0
	for i := range attached {
		live += len(attached[i].Live)
		merged += len(attached[i].Merged)
	}
	update := buffer.QueueUpdate{
		Clock:  b.clock,
		Next:   b.messages[len(b.messages)-1].Position.Offset + 1,
		Due:    make([]buffer.Due, 0, live),
		Merged: make([]buffer.Generation, 0, merged),
	}
	for i := range attached {
		for _, g := range attached[i].Live {
			update.Due = append(update.Due, buffer.Due{
				Generation: g.Generation,
				Deadline:   buffer.Deadline(b.clock, g, l.config.Options),
			})
		}
		update.Merged = append(update.Merged, attached[i].Merged...)
		b.tally.Duplicates += uint64(attached[i].Duplicates)
	}
	return update
}
