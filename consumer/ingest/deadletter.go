package ingest

import (
	"context"
	"errors"

	"sluice/buffer"
	"sluice/flusher"
)

// letter is a message that is no span, or whose trace cannot be read, on its way to the dead-letter topic.
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
// too goes without its value, and then without its key. If not even the headers are taken, the
// partition waits until they are: the message would be named nowhere.
func (l *Loop) deliver(ctx context.Context, number int32, letter *letter) error {
	try := func() error {
		if letter.future == nil {
			l.send(ctx, letter)
		}
		return l.await(ctx, letter)
	}
	for {
		cures := func(err error) bool {
			return letter.bare() || !errors.Is(err, flusher.ErrRecordTooLarge)
		}
		err := l.persist(ctx, number, "dead letter", cures, try)
		if err == nil || ctx.Err() != nil || cures(err) {
			return err
		}
		l.ports.event(Event{Kind: letter.cut(), Partitions: []int32{number}, Err: err})
	}
}

// errSilent is why a letter is still waited for: the producer tries on, and cannot say why it must.
var errSilent = errors.New("kafka does not acknowledge it")

// await waits for the acknowledgement for some time: that nothing comes is a trouble like any other.
func (l *Loop) await(ctx context.Context, letter *letter) error {
	bound, cancel := l.ports.Clock.WithTimeout(ctx, l.config.RetryMax)
	defer cancel()
	err := letter.future.Wait(bound)
	expired := bound.Err()
	if err != nil && ctx.Err() == nil && expired != nil && errors.Is(err, expired) {
		return errSilent
	}
	letter.future = nil
	return err
}

// bare tells whether nothing is left that could be left out.
func (l *letter) bare() bool { return l.record.Value == nil && l.record.Key == nil }

// cut leaves out what is largest, and says what that was.
func (l *letter) cut() EventKind {
	if l.record.Value != nil {
		l.record.LeaveOut(l.size)
		return DeadLetterCut
	}
	l.record.Key = nil
	return DeadLetterBare
}
