package redisstore_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/redisstore"
	"sluice/internal/benchload"
	"sluice/internal/servers/servertest"
)

// BenchmarkW1 writes the whole of workload W1 to a real Redis and flushes it again, one call after
// the other, also in batches of other sizes than its own 1,000, and reports
//
//	write-spans/s, flush-spans/s   attach and enqueue; lease, claim, load, ack and release
//	redis-write-us/span, ...       CPU time of Redis' main thread, user and system
//	overhead-B/span                used_memory beyond the payloads when all is written
//	write-ratio, flush-ratio       rate beside that of a plain hash per trace, in the same run
//	redis-us-ratio                 CPU time beside that of the plain hash, write and flush
func BenchmarkW1(b *testing.B) {
	addr := servertest.RedisAddr(b)
	run := func(name string, load benchload.Workload, compression bool) {
		b.Run(name, func(b *testing.B) {
			var batches [][]buffer.TraceBatch
			for _, spans := range load.Batches() {
				mark(b, spans)
				traces, _ := buffer.Group(spans)
				batches = append(batches, traces)
			}
			config := redisstore.DefaultConfig()
			config.Addresses = []string{addr}
			config.Namespace = "w1:"
			config.Compression = compression
			benchmarkStore(b, config, batches)
		})
	}
	for _, compression := range []bool{false, true} {
		run(fmt.Sprintf("compression=%v", compression), benchload.W1(1), compression)
	}
	for _, size := range []int{50, 125, 250, 500, 2000, 4000} {
		load := benchload.W1(1)
		load.SpansPerBatch = size
		run(fmt.Sprintf("batches-of-%d", size), load, false)
	}
}

// mark leaves the spans as the codec does.
func mark(b *testing.B, spans []buffer.Span) {
	decoder := codec.New(buffer.NoSegmentLimit)
	for i := range spans {
		decoded, err := decoder.Decode(spans[i].Payload)
		if err != nil {
			b.Fatal(err)
		}
		spans[i].Marks = decoded.Marks
	}
}

func benchmarkStore(b *testing.B, config redisstore.Config, batches [][]buffer.TraceBatch) {
	store, err := redisstore.Open(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	gauge := newGauge(b, config.Addresses[0])
	defer gauge.client.Close()

	var spans, payload int
	var write, flush time.Duration
	var writeCPU, flushCPU, overhead float64
	var yardstick plain
	for b.Loop() {
		fenced, err := store.Fence(b.Context(), 0, buffer.AnyEpoch)
		if err != nil {
			b.Fatal(err)
		}
		cpu, memory, start := gauge.cpu(), gauge.memory(), time.Now()
		n, size := writeAll(b, store, batches)
		spans, payload = spans+n, payload+size
		write += time.Since(start)
		writeCPU += gauge.cpu() - cpu
		overhead += float64(gauge.memory() - memory - size)

		cpu, start = gauge.cpu(), time.Now()
		if flushed := flushAll(b, store, fenced.Owner); flushed != n {
			b.Fatalf("%d spans flushed, %d written", flushed, n)
		}
		flush += time.Since(start)
		flushCPU += gauge.cpu() - cpu
		yardstick.measure(b, gauge, batches)
	}
	each := func(total float64) float64 { return total / float64(spans) }
	b.ReportMetric(1/each(write.Seconds()), "write-spans/s")
	b.ReportMetric(1/each(flush.Seconds()), "flush-spans/s")
	b.ReportMetric(each(writeCPU)*1e6, "redis-write-us/span")
	b.ReportMetric(each(flushCPU)*1e6, "redis-flush-us/span")
	b.ReportMetric(each(overhead), "overhead-B/span")
	b.ReportMetric(yardstick.write.Seconds()/write.Seconds(), "write-ratio")
	b.ReportMetric(yardstick.flush.Seconds()/flush.Seconds(), "flush-ratio")
	b.ReportMetric((writeCPU+flushCPU)/yardstick.cpu, "redis-us-ratio")
}

func writeAll(
	b *testing.B, store *redisstore.Store, batches [][]buffer.TraceBatch,
) (spans, payload int) {
	options := buffer.DefaultOptions()
	clock := buffer.Seconds(1000)
	for n, traces := range batches {
		delivery := buffer.Delivery{Clock: clock, ID: buffer.DeliveryID{Number: int64(n)}}
		answers, err := store.Attach(b.Context(), delivery, traces)
		if err != nil {
			b.Fatal(err)
		}
		update := buffer.QueueUpdate{Clock: clock, Wall: clock}
		for _, answer := range answers {
			spans += answer.Stored
			for _, live := range answer.Live {
				update.Due = append(update.Due, buffer.Due{
					Generation: live.Generation, Deadline: buffer.Deadline(clock, live, options),
				})
			}
			update.Merged = append(update.Merged, answer.Merged...)
		}
		if err := store.Enqueue(b.Context(), 0, update); err != nil {
			b.Fatal(err)
		}
		for i := range traces {
			for _, subtree := range traces[i].Subtrees {
				for n := range subtree.Spans {
					payload += len(subtree.Spans[n].Payload)
				}
			}
		}
	}
	return spans, payload
}

func flushAll(b *testing.B, store *redisstore.Store, owner buffer.Owner) (spans int) {
	for {
		n, more := flushSome(b, b.Context(), store, owner)
		if spans += n; !more {
			return spans
		}
	}
}

func flushSome(
	b *testing.B, ctx context.Context, store *redisstore.Store, owner buffer.Owner,
) (spans int, more bool) {
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	leased, err := store.Lease(ctx, owner, buffer.Seconds(10_000), 500)
	check(err)
	if len(leased.Due) == 0 {
		return 0, false
	}
	names := make([]buffer.Generation, len(leased.Due))
	for i, due := range leased.Due {
		names[i] = due.Generation
	}
	_, err = store.Claim(ctx, owner, names)
	check(err)
	loaded, err := store.Load(ctx, owner, names)
	check(err)
	flushed := make([]buffer.Flushed, len(names))
	for i := range loaded {
		flushed[i].Generation = names[i]
		for _, span := range loaded[i].Spans {
			flushed[i].Spans = append(flushed[i].Spans, span.ID)
		}
		spans += len(loaded[i].Spans)
	}
	_, err = store.Ack(ctx, owner, flushed)
	check(err)
	check(store.Release(ctx, owner, buffer.Release{Done: names}))
	return spans, true
}

// gauge reads what a server says of itself.
type gauge struct {
	b      *testing.B
	client rueidis.Client
}

func newGauge(b *testing.B, addr string) gauge {
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		b.Fatal(err)
	}
	return gauge{b: b, client: client}
}

func (g gauge) field(section, name string) float64 {
	info, err := g.client.Do(g.b.Context(), g.client.B().Info().Section(section).Build()).ToString()
	if err != nil {
		g.b.Fatal(err)
	}
	for line := range strings.Lines(info) {
		if text, ok := strings.CutPrefix(line, name+":"); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				g.b.Fatalf("%s: %v", line, err)
			}
			return value
		}
	}
	g.b.Fatalf("INFO %s has no %s", section, name)
	return 0
}

// cpu is the CPU time of the main thread in seconds, the one in which all scripts run.
func (g gauge) cpu() float64 {
	return g.field("cpu", "used_cpu_user_main_thread") + g.field("cpu", "used_cpu_sys_main_thread")
}

func (g gauge) memory() int { return int(g.field("memory", "used_memory")) }
