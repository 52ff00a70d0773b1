package ingest

import (
	"context"
	"fmt"
	"slices"

	"sluice/buffer"
	"sluice/flusher"
)

// apart attaches traces again, one half after the other, because the store cannot read what it has of one of
// them: what the batch brings of that one becomes dead letters, and all others are stored. To end of it would be to
// read the batch again and end of it again. (What the call has stored all the same is recognised, unless it
// was flushed in between, as after an answer that was lost.)
func (l *Loop) apart(
	ctx context.Context, b *batch, delivery buffer.Delivery, traces []buffer.TraceBatch, cause error,
) (attached []buffer.Attached, err error) {
	n := len(traces)
	if n == 1 {
		l.reject(b, &traces[0], cause)
		return nil, nil
	}
	for _, half := range [][]buffer.TraceBatch{traces[:n/2], traces[n/2:]} {
		answers, err := l.attach(ctx, b, delivery, half)
		attached = append(attached, answers...)
		if err != nil {
			return attached, err
		}
	}
	return attached, nil
}

// reject makes dead letters of the messages of a trace, which deliver hands over, and says so.
func (l *Loop) reject(b *batch, trace *buffer.TraceBatch, cause error) {
	cause = fmt.Errorf("trace %d:%v: %w", trace.Project, trace.Trace, cause)
	var spans []*buffer.Span
	for _, subtree := range trace.Subtrees {
		for i := range subtree.Spans {
			spans = append(spans, &subtree.Spans[i])
		}
	}
	slices.SortFunc(spans, func(a, b *buffer.Span) int { return int(a.Position.Offset - b.Position.Offset) })
	for _, span := range spans {
		b.letters = append(b.letters, l.deadLetter(b.message(span.Position.Offset), cause))
		b.tally.Bytes -= uint64(span.Size)
	}
	b.tally.Spans -= uint64(len(spans))
	b.tally.DeadLetters += uint64(len(spans))
	l.ports.event(Event{
		Kind: TraceDamaged, Partitions: []int32{b.number}, Err: cause,
		Reason: fmt.Sprintf("%d, the first at %v", len(spans), spans[0].Position),
	})
}

// message returns the batch's message at an offset, which it has.
func (b *batch) message(offset int64) *flusher.Message {
	at, _ := slices.BinarySearchFunc(b.messages, offset, func(m flusher.Message, offset int64) int {
		return int(m.Position.Offset - offset)
	})
	return &b.messages[at]
}
