package pipelinetest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/ledger"
	"sluice/internal/pipeline"
)

// Repeats says whether a span may come out again in a record that repeats another byte by byte.
type Repeats bool

// What a test may allow.
const (
	RepeatsAllowed Repeats = true
	NoRepeats      Repeats = false
)

// settleMax bounds the wait for spans to come out: time-outs, restarts, and a slow machine.
const settleMax = 90 * time.Second

// read enters everything that comes out into the ledger, until the test ends.
func (w *World) read(tb testing.TB, c pipeline.Config) {
	tb.Helper()
	client := w.client(tb, c,
		kgo.ConsumeTopics(c.OutputTopic, c.DeadLetterTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithCancel(context.Background())
	tb.Cleanup(func() {
		cancel()
		<-w.readers
		client.Close()
	})
	go func() {
		defer close(w.readers)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { w.enter(r, c) })
		}
	}()
}

func (w *World) enter(r *kgo.Record, c pipeline.Config) {
	record := ledger.Record{
		Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, ledger.Header{Key: h.Key, Value: h.Value})
	}
	if r.Topic == c.DeadLetterTopic {
		w.ledger.DeadLetter(record)
		return
	}
	w.ledger.Output(record)
}

// Counts returns the spans sent, and those that came out.
func (w *World) Counts() (sent, settled int64) { return w.ledger.Counts() }

// Balance closes the account.
func (w *World) Balance() ledger.Balance { return w.ledger.Balance(0) }

// AwaitSettled waits until every span that was sent has come out and Redis holds nothing of this world
// but epochs and clocks, and fails the test with what is missing if that takes too long. A pipeline
// must run meanwhile: when an answer of Redis was lost, a queue may name a segment that has been
// flushed, until its time has come.
func (w *World) AwaitSettled(tb testing.TB) {
	tb.Helper()
	w.Await(tb, func() bool {
		sent, settled := w.Counts()
		return settled >= sent
	})
	w.CheckEmpty(tb)
}

// AwaitOut waits until so many spans came out.
func (w *World) AwaitOut(tb testing.TB, spans int64) {
	tb.Helper()
	w.Await(tb, func() bool {
		_, settled := w.Counts()
		return settled >= spans
	})
}

// Await polls until the condition holds, and fails the test with the counts if it does not.
func (w *World) Await(tb testing.TB, holds func() bool) {
	tb.Helper()
	deadline := time.Now().Add(settleMax)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			sent, settled := w.Counts()
			tb.Fatalf("not within %v; %d spans sent, %d came out", settleMax, sent, settled)
		}
		<-tick.C
	}
}

// CheckNothingLost fails the test unless every span that was sent came out, with its fields right
// and under its root's segment id, and with no repeats other than those allowed.
func (w *World) CheckNothingLost(tb testing.TB, repeats Repeats) {
	tb.Helper()
	b := w.Balance()
	if b.Sent == 0 || b.Lost != 0 || b.Flushed != b.Sent {
		tb.Errorf("%d spans sent, %d flushed, %d lost: %v", b.Sent, b.Flushed, b.Lost, b.Losses)
	}
	for _, kind := range []ledger.Finding{
		ledger.Malformed, ledger.Unknown, ledger.Altered, ledger.Misplaced, ledger.Split,
		ledger.Differing, ledger.Duplicated, ledger.Resent,
	} {
		if found := b.Of(kind); found.Count > 0 {
			tb.Errorf("%v: %v", kind, found)
		}
	}
	if found := b.Of(ledger.Repeated); found.Count > 0 && repeats == NoRepeats {
		tb.Errorf("%v: %v", ledger.Repeated, found)
	}
}

// CheckEmpty waits until Redis holds nothing of this world but epochs and clocks, and fails the test
// with the names of what is left if that takes too long.
func (w *World) CheckEmpty(tb testing.TB) {
	tb.Helper()
	from := w.Config().Redis
	c := redisstore.DefaultConfig()
	c.Addresses, c.Namespace = w.Redis, from.Namespace
	c.Routes, c.Username, c.Password = from.Routes, from.User, string(from.Password)
	var err error
	if c.TLS, err = from.TLS.Load(nil); err != nil {
		tb.Fatal(err)
	}
	store, err := redisstore.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	defer store.Close()
	var left buffer.Leftovers
	for deadline := time.Now().Add(settleMax); ; {
		if left, err = store.Leftovers(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		if left.Empty() {
			return
		}
		if time.Now().After(deadline) {
			tb.Fatalf("after %v redis still holds %v", settleMax, left)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
