package ingest

import (
	"context"
	"fmt"

	"sluice/buffer"
	"sluice/flusher"
)

// persist does a step until it succeeds. It gives up only when the context ends, or on an error
// that waiting does not cure.
func (l *Loop) persist(
	ctx context.Context, number int32, step string,
	cures func(error) bool, try func() error,
) error {
	of := input(number)
	for attempt := 0; ; attempt++ {
		err := try()
		switch {
		case err == nil:
			l.troubles.Works(of)
			return nil
		case ctx.Err() != nil:
			err = ctx.Err()
		case !cures(err):
			err = fmt.Errorf("%s of partition %d: %w", step, number, err)
		default:
			l.troubles.Fails(of, step, err)
			l.ledger.retry(number)
			wait := flusher.Backoff(l.config.RetryMin, l.config.RetryMax, attempt)
			if err = l.ports.Clock.Sleep(ctx, wait); err == nil {
				continue
			}
		}
		l.troubles.GiveUp(of)
		return err
	}
}

// store does a step of the buffer protocol.
func (l *Loop) store(ctx context.Context, number int32, step string, try func() error) error {
	return l.persist(ctx, number, step, buffer.Retryable, try)
}

// The names of what can be in trouble: the input of a partition, and committing.
const (
	OperationInput  = "input"
	OperationCommit = "commit"
)

var committing = flusher.Operation{Name: OperationCommit, Partition: flusher.NoPartition}

func input(number int32) flusher.Operation {
	return flusher.Operation{Name: OperationInput, Partition: number}
}

// Troubles returns the register of what fails for now.
func (l *Loop) Troubles() *flusher.Troubles { return l.troubles }

// hear makes events of troubles. A server that is away is every partition's trouble, so that is
// said once.
func (l *Loop) hear(t flusher.Trouble) {
	partitions := []int32{t.Partition}
	switch {
	case t.Operation == committing && t.Over:
		l.ports.event(Event{Kind: CommitResumed})
	case t.Operation == committing:
		l.ports.event(Event{Kind: CommitFailed, Err: t.Err})
	case t.Others > 0:
	case !t.Over:
		l.ports.event(
			Event{Kind: TroubleBegan, Partitions: partitions, Reason: t.Step, Err: t.Err})
	case t.GivenUp:
		l.ports.event(Event{Kind: TroubleEnded, Partitions: partitions, Reason: "given up"})
	default:
		l.ports.event(Event{Kind: TroubleEnded, Partitions: partitions})
	}
}
