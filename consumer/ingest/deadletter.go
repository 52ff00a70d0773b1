package ingest

import (
	"context"
	"errors"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// letter is a message that is no span, or whose trace cannot be read, on its way to the dead-letter topic.
type letter struct {
	record   flusher.Record
	future   flusher.Future     // nil if it is to be handed over
	end      context.CancelFunc // of the context that it was handed over with
	refusals int                // of the producer to take it in time
	size     int                // of the original value
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

// send hands the letter over without waiting for what becomes of it, and tells whether it was taken. A
// producer that has as many as it may takes none, for ever if Kafka acknowledges none of them; the loop calls
// that off after some time, so that it is said, and nothing waits for it that must not.
func (l *Loop) send(ctx context.Context, letter *letter) bool {
	ctx, letter.end = context.WithCancel(ctx)
	wait := flusher.Backoff(l.config.RetryMax, letterWait, letter.refusals)
	l.handing.begin(letter, l.ports.Clock.Now().Add(wait))
	future := l.ports.DeadLetters.Produce(ctx, letter.record)
	if !l.handing.done(letter) {
		letter.refusals++
		return false // if it was taken at that very moment, it may be there twice
	}
	letter.future = future
	return true
}

// sendAll hands over those letters that were not, until one is not taken, and tells whether the first was.
func (l *Loop) sendAll(ctx context.Context, letters []*letter) bool {
	for _, letter := range letters {
		if letter.future == nil && !l.send(ctx, letter) {
			break
		}
	}
	return letters[0].future != nil
}

// handing are the letters that are being handed over, and until when each may be. The zero value has none.
type handing struct {
	mu    sync.Mutex
	until map[*letter]time.Time
}

func (h *handing) begin(of *letter, until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.until == nil {
		h.until = make(map[*letter]time.Time)
	}
	h.until[of] = until
}

// done notes the end of it, and tells whether it was not called off before.
func (h *handing) done(of *letter) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, there := h.until[of]
	delete(h.until, of)
	return there
}

// callOff ends what has taken too long.
func (h *handing) callOff(now time.Time) {
	for _, end := range h.overdue(now) {
		end()
	}
}

// overdue takes those out whose time is over, and returns what ends each: the letter's own may be another's by
// then, since it can be handed over again.
func (h *handing) overdue(now time.Time) (ends []context.CancelFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	//order-free: each for itself
	for letter, until := range h.until {
		if !now.Before(until) {
			delete(h.until, letter)
			ends = append(ends, letter.end)
		}
	}
	return ends
}

// letterStep is the step of the trouble that Kafka does not take a dead letter; letterWait is how long who
// wants to be let go of bears it. The leader of a partition is elected in less, and the program's own end
// leaves more.
const (
	letterStep = "dead letter"
	letterWait = 10 * time.Second
)

// passes tells whether a trouble may soon be over, of a batch of which all else is done.
func passes(trouble flusher.Trouble, now time.Time) bool {
	return trouble.Step == letterStep && now.Sub(trouble.Since) < letterWait
}

// deliver returns when the first of the letters is acknowledged; the others are those behind it. One that
// is too large for the dead-letter topic, too, goes without its value, and then without its key. If not
// even the headers are taken, the partition waits until they are: the message would be named nowhere.
func (l *Loop) deliver(ctx context.Context, number int32, letters []*letter) error {
	letter := letters[0]
	try := func() error {
		if !l.sendAll(ctx, letters) {
			return errSilent // nor any of those because of which it has no room
		}
		return l.await(ctx, letter)
	}
	for {
		cures := func(err error) bool {
			return letter.bare() || !errors.Is(err, flusher.ErrRecordTooLarge)
		}
		err := l.persist(ctx, number, letterStep, cures, try)
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
	letter.end()
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
