package flusher

import (
	"cmp"
	"strconv"

	"sluice/buffer"
)

// split replaces a record that no broker will take by smaller ones, down to single spans, and a
// single span by a dead letter, and hands them to the producer. What it does follows from the
// segment and the broker's limit alone, so an owner that repeats the segment repeats the parts.
func (w *worker) split(seg *segment, out *output, cause error) ([]*output, error) {
	out.done = true
	spans, err := w.reload(seg)
	if err != nil || len(spans) < out.to {
		return nil, err
	}
	spans = spans[out.from:out.to]
	var parts []*output
	if out.deadLetter {
		parts = []*output{w.deadLetter(seg, &spans[0], out.from, cause, true)}
	} else {
		parts = w.halve(seg, spans, out.from, partOf(out.part, out.chunk), cause)
	}
	for _, part := range parts {
		part.future = w.ports.Producer.Produce(w.ctx, part.record)
	}
	return parts, nil
}

// reload reads the spans of a segment again: they are frozen, and so the same. It returns none if
// the shard was lost.
func (w *worker) reload(seg *segment) (spans []buffer.Span, err error) {
	err = perShard(w, StageLoad, []*segment{seg}, w.read, func(
		s *shard, _ []*segment, answers []buffer.Loaded,
	) error {
		if spans = answers[0].Spans; !answers[0].Owned {
			// Between Claim and Ack only a successor can have taken it.
			w.lose(s, false)
		}
		return nil
	}, nil) // it was read before: what is damaged since is for the next start to find
	return spans, err
}

// halve writes spans that do not do as one record as two parts, or as a dead letter if there is
// but one.
func (w *worker) halve(
	seg *segment, spans []buffer.Span, from int, part string, cause error,
) []*output {
	if len(spans) == 1 {
		return []*output{w.deadLetter(seg, &spans[0], from, cause, false)}
	}
	middle := len(spans) / 2
	return append(
		w.encode(seg, spans[:middle], from, subPart(part, 0)),
		w.encode(seg, spans[middle:], from+middle, subPart(part, 1))...)
}

// partOf is what the parts of a chunk, or of a part, begin with.
func partOf(part string, chunk int) string { return cmp.Or(part, strconv.Itoa(chunk)) }

func subPart(part string, half int) string {
	if part == "" {
		return strconv.Itoa(half)
	}
	return part + "." + strconv.Itoa(half)
}

// deadLetter writes a span for the dead-letter topic: its own bytes, or, if not even that topic
// takes them, none (bare), with headers that say what is missing.
func (w *worker) deadLetter(
	seg *segment, span *buffer.Span, at int, cause error, bare bool,
) *output {
	const most = 10
	named, _ := identity(seg.Generation, most)
	out := &output{from: at, to: at + 1, deadLetter: true, record: Record{
		Topic: w.cfg.DeadLetterTopic,
		Key:   []byte(seg.Trace.String()),
		Value: span.Payload,
		Headers: append(
			append(named, Header{HeaderSpan, []byte(span.ID.String())}),
			DeadLetterHeaders(cause, w.cfg.InputTopic, span.Position)...),
	}}
	if bare {
		out.record.LeaveOut(span.Size)
	}
	if w.ports.DeadLetter != nil {
		w.ports.DeadLetter(DeadLetter{
			Shard: seg.shard.owner.Shard, Trace: seg.TraceKey, Span: span.ID, At: span.Position,
			Bytes: span.Size, Lost: bare, Cause: cause,
		})
	}
	return out
}

// bare tells whether the record has no payload that could be left out.
func (o *output) bare() bool { return o.deadLetter && o.record.Value == nil }
