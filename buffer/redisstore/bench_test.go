package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
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
			batches := load.Batches()
			for _, spans := range batches {
				mark(b, spans)
			}
			config := redisstore.DefaultConfig()
			config.Addresses = []string{addr}
			config.Namespace = "w1:"
			config.Compression = compression
			benchmarkStore(b, config, oneByOne(batches))
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

func benchmarkStore(b *testing.B, config redisstore.Config, rounds []round) {
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
		n, size := writeAll(b, store, rounds)
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
		yardstick.measure(b, gauge, rounds)
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

// round is what is written at the same time: a batch of each of some shards, as the ingest loop does.
type round []shardBatch

// shardBatch is a batch of one shard, as the ingest loop attaches it.
type shardBatch struct {
	shard  buffer.Shard
	parts  [][]buffer.TraceBatch // see buffer.Rounds
	spans  int
	number int64 // of the delivery of the first part
}

// inRounds groups batches; those of one element are written at the same time.
func inRounds(batches iter.Seq[[][]buffer.Span]) (rounds []round) {
	number := int64(0)
	for some := range batches {
		var r round
		for _, spans := range some {
			traces, _ := buffer.Group(spans)
			batch := shardBatch{
				shard: buffer.Shard(spans[0].Position.Partition), spans: len(spans), number: number,
				parts: buffer.Rounds(traces, buffer.AttachSpansMax, buffer.AttachBytesMax),
			}
			number += int64(len(batch.parts))
			r = append(r, batch)
		}
		rounds = append(rounds, r)
	}
	return rounds
}

// oneByOne are batches that are written one after the other.
func oneByOne(batches [][]buffer.Span) []round {
	return inRounds(func(yield func([][]buffer.Span) bool) {
		for i := range batches {
			if !yield(batches[i : i+1]) {
				return
			}
		}
	})
}

// perSecond is how many spans come in a second of the shards' clocks.
const perSecond = 100_000

func writeAll(b *testing.B, store *redisstore.Store, rounds []round) (spans, payload int) {
	for _, r := range rounds {
		clock := buffer.Seconds(int64(1000 + spans/perSecond))
		stored, faults := make([]int, len(r)), make([]error, len(r))
		if len(r) == 1 {
			stored[0], faults[0] = r[0].write(b.Context(), store, clock)
		} else {
			var all sync.WaitGroup
			for i := range r {
				all.Go(func() { stored[i], faults[i] = r[i].write(b.Context(), store, clock) })
			}
			all.Wait()
		}
		if err := errors.Join(faults...); err != nil {
			b.Fatal(err)
		}
		for i := range r {
			spans, payload = spans+stored[i], payload+r[i].payload()
		}
	}
	return spans, payload
}

// write attaches and enqueues a batch, and returns how many spans were stored.
func (s *shardBatch) write(
	ctx context.Context, store *redisstore.Store, clock buffer.Instant,
) (stored int, err error) {
	delivery := buffer.Delivery{Clock: clock, ID: buffer.DeliveryID{Partition: int32(s.shard)}}
	update := buffer.QueueUpdate{Clock: clock, Wall: clock}
	for i, traces := range s.parts {
		delivery.ID.Number = s.number + int64(i)
		answers, err := store.Attach(ctx, delivery, traces)
		if err != nil {
			return 0, err
		}
		for _, answer := range answers {
			stored += answer.Stored
			for _, live := range answer.Live {
				update.Due = append(update.Due, buffer.Due{
					Generation: live.Generation,
					Deadline:   buffer.Deadline(clock, live, buffer.DefaultOptions()),
				})
			}
			update.Merged = append(update.Merged, answer.Merged...)
		}
	}
	return stored, store.Enqueue(ctx, s.shard, update)
}

// payload is the bytes of all payloads.
func (s *shardBatch) payload() (sum int) {
	for _, traces := range s.parts {
		for i := range traces {
			for _, subtree := range traces[i].Subtrees {
				for n := range subtree.Spans {
					sum += len(subtree.Spans[n].Payload)
				}
			}
		}
	}
	return sum
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
	claims, err := store.Claim(ctx, owner, names)
	check(err)
	loaded, err := loadRest(ctx, store, owner, names, claims)
	check(err)
	flushed := make([]buffer.Flushed, len(names))
	for i := range loaded {
		flushed[i].Generation, flushed[i].Along = names[i], claims[i].Loaded != nil
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

// loadRest loads what the claims have not loaded along, and returns all.
func loadRest(
	ctx context.Context, store *redisstore.Store, owner buffer.Owner, names []buffer.Generation,
	claims []buffer.Claim,
) ([]buffer.Loaded, error) {
	loaded := make([]buffer.Loaded, len(names))
	var rest []buffer.Generation
	var places []int
	for i, claim := range claims {
		if claim.Loaded != nil {
			loaded[i] = *claim.Loaded
		} else {
			rest, places = append(rest, names[i]), append(places, i)
		}
	}
	answers, err := store.Load(ctx, owner, rest)
	for n, answer := range answers {
		loaded[places[n]] = answer
	}
	return loaded, err
}

// gauge reads what a server says of itself.
type gauge struct {
	b      testing.TB
	client rueidis.Client
}

func newGauge(b testing.TB, addr string) gauge {
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
