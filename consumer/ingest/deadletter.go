package ingest

import (
	"context"
	"errors"
	"strconv"

	"sluice/flusher"
)

// Headers of a dead letter.
const (
	HeaderError      = "error"
	HeaderTopic      = "topic"
	HeaderPartition  = "partition"
	HeaderOffset     = "offset"
	HeaderValueBytes = "value-bytes" // only if the value was too large to be sent along
)

// letter is a message that could not be decoded, on its way to the dead-letter topic.
type letter struct {
	record flusher.Record
	future flusher.Future
	size   int // of the original value
	offset int64
	cause  error
}

// deadLetter keeps key and value, and says what is wrong and where the message stood.
func (l *Loop) deadLetter(m *flusher.Message, cause error) *letter {
	return &letter{
		size:   len(m.Value),
		offset: m.Position.Offset,
		cause:  cause,
		record: flusher.Record{
			Topic: l.config.DeadLetterTopic,
			Key:   m.Key,
			Value: m.Value,
			Headers: []flusher.Header{
				{Key: HeaderError, Value: []byte(cause.Error())},
				{Key: HeaderTopic, Value: []byte(l.config.InputTopic)},
				{Key: HeaderPartition, Value: decimal(int64(m.Position.Partition))},
				{Key: HeaderOffset, Value: decimal(m.Position.Offset)},
			},
		},
	}
}

func decimal(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// send hands the letter over without waiting for it.
func (l *Loop) send(ctx context.Context, letter *letter) {
	letter.future = l.ports.DeadLetters.Produce(ctx, letter.record)
}

// deliver returns when the letter is acknowledged. One that is too large for the dead-letter topic
// too goes without its value; if even that is refused it is given up, for it would block the
// partition for ever.
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
	letter.record.Value = nil
	letter.record.Headers = append(letter.record.Headers,
		flusher.Header{Key: HeaderValueBytes, Value: decimal(int64(letter.size))})
	err = l.persist(ctx, number, "dead letter", cures, try)
	if err == nil || ctx.Err() != nil {
		return err
	}
	l.ports.event(Event{Kind: DeadLetterLost, Partitions: []int32{number}, Err: err})
	return nil
}
