package flusher_test

import (
	"context"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// endless is a store that always has segments of 20 spans due, at no cost.
type endless struct {
	buffer.Store
	due    []buffer.Due
	spans  []buffer.Span
	cycles int
	stop   context.CancelFunc
}

func (e *endless) Lease(
	context.Context, buffer.Owner, buffer.Instant, int,
) (buffer.Leased, error) {
	if e.cycles--; e.cycles < 0 {
		e.stop()
		return buffer.Leased{}, nil
	}
	return buffer.Leased{Due: e.due}, nil
}

func (e *endless) Claim(
	_ context.Context, _ buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	claims := make([]buffer.Claim, len(list))
	for i := range claims {
		claims[i] = buffer.Claim{State: buffer.ClaimOwned, Spans: 20, Bytes: 10_000}
	}
	return claims, nil
}

func (e *endless) Load(
	_ context.Context, _ buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	loaded := make([]buffer.Loaded, len(list))
	for i := range loaded {
		loaded[i] = buffer.Loaded{Owned: true, Spans: e.spans}
	}
	return loaded, nil
}

func (e *endless) Ack(
	_ context.Context, _ buffer.Owner, list []buffer.Flushed,
) ([]buffer.AckResult, error) {
	results := make([]buffer.AckResult, len(list))
	for i := range results {
		results[i] = buffer.AckDone
	}
	return results, nil
}

func (e *endless) Release(context.Context, buffer.Owner, buffer.Release) error { return nil }

// plain writes nothing, acknowledges at once, and hears nothing.
type plain struct{}

func (plain) Encode(_ buffer.Generation, spans []buffer.Span) ([]buffer.Chunk, error) {
	return []buffer.Chunk{{Count: 1, Spans: spans}}, nil
}
func (plain) Produce(context.Context, flusher.Record) flusher.Future { return plain{} }
func (plain) Flush(context.Context) error                            { return nil }
func (plain) Wait(context.Context) error                             { return nil }

// BenchmarkWorkerOverhead is what the loop itself costs, beside its ports: 500 segments of 20 spans
// a cycle.
func BenchmarkWorkerOverhead(b *testing.B) {
	e := &endless{due: make([]buffer.Due, 500), spans: make([]buffer.Span, 20)}
	b.ReportAllocs()
	e.cycles = 20
	spans := e.cycles * len(e.due) * len(e.spans)
	for b.Loop() {
		ctx, stop := context.WithCancel(b.Context())
		e.cycles, e.stop = 20, stop
		err := flusher.RunWorker(b.Context(), ctx, flusher.DefaultWorkerConfig(), flusher.WorkerPorts{
			Clock: wallclock.Clock{}, Store: e, Producer: plain{}, Encoder: plain{}, Reporter: newInbox(),
		}, flusher.WorkerSpec{Owners: []buffer.Fenced{{Owner: buffer.Owner{Epoch: 1}}}})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*spans), "ns/span")
}
