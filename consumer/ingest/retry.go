package ingest

import (
	"context"
	"fmt"
	"sync"

	"sluice/buffer"
)

// persist does a step until it succeeds. It gives up only when the context ends, or on an error
// that waiting does not cure.
func (l *Loop) persist(
	ctx context.Context, number int32, step string,
	cures func(error) bool, try func() error,
) error {
	wait := l.config.RetryMin
	for {
		err := try()
		switch {
		case err == nil:
			l.trouble.end(number, "", l.ports.event)
			return nil
		case ctx.Err() != nil:
			l.trouble.end(number, "given up", l.ports.event)
			return ctx.Err()
		case !cures(err):
			l.trouble.end(number, "given up", l.ports.event)
			return fmt.Errorf("%s of partition %d: %w", step, number, err)
		}
		l.trouble.begin(number, step, err, l.ports.event)
		l.ledger.update(number, func(c *PartitionCounters) { c.Retries++ })
		if err := l.ports.Clock.Sleep(ctx, wait); err != nil {
			l.trouble.end(number, "given up", l.ports.event)
			return err
		}
		wait = min(2*wait, l.config.RetryMax)
	}
}

// store does a step of the buffer protocol.
func (l *Loop) store(ctx context.Context, number int32, step string, try func() error) error {
	return l.persist(ctx, number, step, buffer.Retryable, try)
}

// trouble knows which partitions have a batch that fails for now. A server that is away is
// everyone's trouble, so it is said once.
type trouble struct {
	mu         sync.Mutex
	partitions map[int32]error // by what
}

func newTrouble() *trouble { return &trouble{partitions: make(map[int32]error)} }

// begin says that a step fails, if none did before.
func (t *trouble) begin(number int32, step string, err error, say func(Event)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.partitions) == 0 {
		say(Event{Kind: TroubleBegan, Partitions: []int32{number}, Reason: step, Err: err})
	}
	t.partitions[number] = err
}

// end says that it works again, or was given up, if this was the last that did not.
func (t *trouble) end(number int32, reason string, say func(Event)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.partitions[number] == nil {
		return
	}
	delete(t.partitions, number)
	if len(t.partitions) == 0 {
		say(Event{Kind: TroubleEnded, Partitions: []int32{number}, Reason: reason})
	}
}

// of returns why the partition's batch fails for now, or nil.
func (t *trouble) of(number int32) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.partitions[number]
}
