package conformance_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/conformance"
	"sluice/buffer/memstore"
	"sluice/flusher"
)

// run runs all cases on stores of the reference that are wrapped, and returns the errors.
func run(t *testing.T, wrap func(conformance.Store) conformance.Store) (cases int, faults []error) {
	t.Helper()
	files, err := conformance.Files()
	if err != nil {
		t.Fatal(err)
	}
	subject := conformance.Subject{
		Open: func(o buffer.Options) (conformance.Store, error) {
			return wrap(memstore.New(o)), nil
		},
		Codec:    func(limit buffer.Bytes) conformance.Codec { return codec.New(limit) },
		ShardMap: flusher.ShardMap,
	}
	for _, f := range files {
		for _, c := range f.Cases {
			cases++
			if _, err := c.Run(t.Context(), subject); err != nil {
				faults = append(faults, err)
			}
		}
	}
	return cases, faults
}

func TestTheReferencePasses(t *testing.T) {
	cases, faults := run(t, func(s conformance.Store) conformance.Store { return s })
	if cases < 50 || len(faults) > 0 {
		t.Errorf("%d cases, want 50 or more; %v", cases, errors.Join(faults...))
	}
}

// forgetful acknowledges in words only; deaf cannot be reached.
type (
	forgetful struct{ conformance.Store }
	deaf      struct{ conformance.Store }
)

func (forgetful) Ack(
	_ context.Context, _ buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	results := make([]buffer.AckResult, len(flushed))
	for i := range results {
		results[i] = buffer.AckDone
	}
	return results, nil
}

func (deaf) Lease(context.Context, buffer.Owner, buffer.Instant, int) (buffer.Leased, error) {
	return buffer.Leased{}, buffer.ErrUnavailable
}

func TestAStoreThatForgetsIsFound(t *testing.T) {
	_, faults := run(t, func(s conformance.Store) conformance.Store { return forgetful{s} })
	if text := errors.Join(faults...).Error(); !strings.Contains(text, "the store still holds") {
		t.Errorf("%v, want what it still holds", text)
	}
}

// Who runs the cases must tell a Store that gives wrong answers from one that gives none.
func TestAnErrorOfTheStoreIsWrapped(t *testing.T) {
	_, faults := run(t, func(s conformance.Store) conformance.Store { return deaf{s} })
	if len(faults) == 0 {
		t.Fatal("no case failed")
	}
	for _, err := range faults {
		if !errors.Is(err, buffer.ErrUnavailable) {
			t.Errorf("%v wraps no %v", err, buffer.ErrUnavailable)
		}
	}
}
