package ingest

import (
	"context"
	"syscall"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/internal/benchload"
	"sluice/internal/wallclock"
)

// endless delivers batches of the workload to one partition until there are no more.
type endless struct {
	batches [][]flusher.Message
	next    int
	done    func()
	last    int64
	began   bool
	paused  bool // the loop alone sees it
}

func (e *endless) Poll(_ context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	if !e.began {
		e.began = true
		return flusher.Fetch{Assigned: []int32{0}}, nil
	}
	if e.next < len(e.batches) && !e.paused {
		e.next++
		return flusher.Fetch{
			Batches: []flusher.Batch{{Partition: 0, Messages: e.batches[e.next-1]}},
		}, nil
	}
	time.Sleep(wait)
	return flusher.Fetch{}, nil
}

func (e *endless) Pause(...int32)    { e.paused = true }
func (e *endless) Resume(...int32)   { e.paused = false }
func (e *endless) Released(...int32) {}

func (e *endless) Commit(_ context.Context, last []flusher.Message) error {
	if last[0].Position.Offset == e.last {
		e.done()
	}
	return nil
}

// nowhere takes everything and keeps nothing.
type nowhere struct{ buffer.Store }

func (nowhere) Attach(
	_ context.Context, _ buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	return make([]buffer.Attached, len(traces)), nil
}

func (nowhere) Enqueue(context.Context, buffer.Shard, buffer.QueueUpdate) error { return nil }

// BenchmarkLoop reads a backlog. The rate is that at which it once came in, by its timestamps, and
// with which the batches end before they are full; without one, all is of one moment.
func BenchmarkLoop(b *testing.B) {
	empty := func() buffer.Store { return nowhere{} }
	memory := func() buffer.Store { return memstore.New(buffer.DefaultOptions()) }
	load := benchload.W1(1)
	load.Spans = 100_000
	var batches [][]flusher.Message
	var offset int64
	for _, spans := range load.Batches() {
		var messages []flusher.Message
		for i := range spans {
			messages = append(messages, flusher.Message{
				Position: buffer.Position{Offset: offset}, Value: spans[i].Payload,
			})
			offset++
		}
		batches = append(batches, messages)
	}
	for _, of := range []struct {
		name  string
		store func() buffer.Store
		rate  time.Duration // messages per second
	}{
		{"nowhere", empty, 0}, {"memstore", memory, 0}, {"memstore/1000-per-second", memory, 1000},
		{"memstore/200-per-second", memory, 200}, {"memstore/40-per-second", memory, 40},
	} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			at := time.Now().Add(-24 * time.Hour)
			for _, messages := range batches {
				for i := range messages {
					messages[i].Time = at
					if of.rate > 0 {
						at = at.Add(time.Second / of.rate)
					}
				}
			}
			before := cpuTime(b)
			for b.Loop() {
				runOnce(b, batches, of.store(), offset-1)
			}
			spans := float64(b.N) * float64(offset)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/spans, "ns/span")
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/spans, "cpu-ns/span")
		})
	}
}

// cpuTime is what the process has used of all cores.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func runOnce(b *testing.B, batches [][]flusher.Message, store buffer.Store, last int64) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	loop, err := New(DefaultConfig("spans", "dlq"), Ports{
		Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Store: store, Decoder: codec.New(0),
		Source: &endless{batches: batches, done: stop, last: last}, DeadLetters: newBroker(),
		Gate: &gate{}, Assigner: &assigner{},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := loop.Run(ctx, stopped); err != nil {
		b.Fatal(err)
	}
}
