package ingest

import (
	"context"
	"errors"

	"sluice/buffer"
	"sluice/flusher"
)

// letter is a message that could not be decoded, on its way to the dead-letter topic.
type letter struct {
	record   flusher.Record
	future   flusher.Future
	size     int // of the original value
	position buffer.Position
	cause    error
}

// deadLetter keeps key and value, and says what is wrong and where the message stood.
func (l *Loop) deadLetter(m *flusher.Message, cause error) *letter {
	return &letter{
		size:     len(m.Value),
		position: m.Position,
		cause:    cause,
		record: flusher.Record{
			Topic:   l.config.DeadLetterTopic,
			Key:     m.Key,
			Value:   m.Value,
			Headers: flusher.DeadLetterHeaders(cause, l.config.InputTopic, m.Position),
		},
	}
}

// send hands the letter over without waiting for it.
func (l *Loop) send(ctx context.Context, letter *letter) {
	letter.future = l.ports.DeadLetters.Produce(ctx, letter.record)
}

// deliver returns when the letter is acknowledged. One that is too large for the dead-letter topic
// too goes without its value; if even that is refused it is given up, for it would block the
// partition forever.
func (l *Loop) deliver(ctx context.Context, number int32, letter *letter) error {
	cures := func(err error) bool { return !errors.Is(err, flusher.ErrRecordTooLarge) }
	try := func() error {
		if letter.future == nil {
			l.send(ctx, letter)
		}
		err := letter.future.Wait(ctx)
		letter.future = nil
		return err
	}
	err := l.persist(ctx, number, "dead letter", cures, try)
	if err == nil || ctx.Err() != nil || cures(err) {
		return err
	}
	l.ports.event(Event{Kind: DeadLetterCut, Partitions: []int32{number}, Err: err})
	letter.record.LeaveOut(letter.size)
	err = l.persist(ctx, number, "dead letter", cures, try)
	if err == nil || ctx.Err() != nil {
		return err
	}
	l.ports.event(Event{Kind: DeadLetterLost, Partitions: []int32{number}, Err: err})
	return nil
}
