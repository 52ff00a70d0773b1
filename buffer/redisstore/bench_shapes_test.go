package redisstore_test

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/redis/rueidis"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/benchload"
	"sluice/internal/servers/servertest"
)

// BenchmarkShapes writes and flushes loads that differ in how many spans a trace has, in which order
// they arrive, and over how many shards they are spread, and reports of each
//
//	redis-write-us/span, redis-flush-us/span   CPU time of Redis' main thread
//	write-evals/span, flush-evals/span         that beside the time of an empty EVALSHA, in the same
//	                                           run: what can be compared between two machines or days
//	empty-eval-us                              that time
//	overhead-B/span                            used_memory beyond the payloads when all is written
//	worst-call-ms                              of the longest call, measured in a run of its own, but
//	                                           for shapes of very many small calls
func BenchmarkShapes(b *testing.B) {
	bench := openBench(b)
	for _, shape := range []struct {
		spans, open, batch int // of a trace; traces at a time; of a batch
	}{
		{20, 200, 4000}, {100, 40, 4000}, {300, 14, 4000}, {1000, 4, 4000}, {10_000, 1, 4000},
		{50_000, 1, 4000}, {20, 200, 1000}, {1000, 200, 1000}, {50_000, 1, 1000},
		{1, 1, 4000}, {1, 1, 1000}, {4, 100_000, 1000},
	} {
		load := small(shape.spans, shape.open)
		load.SpansPerBatch = shape.batch
		if shape.open > load.Spans/shape.spans {
			load.Spans = shape.open * shape.spans
		}
		name := fmt.Sprintf("%d-per-trace/%d-open/batches-of-%d", shape.spans, shape.open, shape.batch)
		b.Run(name, func(b *testing.B) { bench.run(b, oneByOne(load.Batches())) })
	}
	for _, shards := range []int{8, 64, 256, 1000} {
		name := fmt.Sprintf("20-per-trace/2000-open/%d-shards", shards)
		b.Run(name, func(b *testing.B) { bench.run(b, inRounds(spread(small(20, 2000), shards))) })
	}
	b.Run("w2", func(b *testing.B) { bench.run(b, oneByOne(slices.Collect(w2().Batches(1000)))) })
	for _, order := range []string{"parent-first", "child-first", "shuffled"} {
		for _, batch := range []int{50, 4000} {
			b.Run(fmt.Sprintf("chain/%s/batches-of-%d", order, batch), func(b *testing.B) {
				bench.run(b, oneByOne(chain(20_000, order, batch)))
			})
		}
	}
	for _, order := range []string{"parent-first", "child-first", "shuffled"} {
		for _, each := range []int{20, 1000, 50_000} {
			b.Run(fmt.Sprintf("chains/%s/of-%d", order, each), func(b *testing.B) {
				bench.run(b, oneByOne(chains(each, 50_000, order, 4000)))
			})
		}
	}
}

// small are 100,000 spans of 100 bytes.
func small(perTrace, open int) benchload.Workload {
	load := benchload.W1(1)
	load.Spans, load.SpanBytes = 100_000, 100
	load.SpansPerTrace, load.Interleaved = perTrace, open
	return load
}

// w2 is long enough for every shard to have several batches.
func w2() benchload.Mix { return benchload.W2(1, 8000) }

// spread divides each batch among shards, so that the rate is the same however many there are.
func spread(load benchload.Workload, shards int) iter.Seq[[][]buffer.Span] {
	return func(yield func([][]buffer.Span) bool) {
		for _, batch := range load.Batches() {
			parts := make([][]buffer.Span, shards)
			for _, span := range batch {
				shard := int(binary.BigEndian.Uint16(span.Trace[:])) % shards
				span.Position.Partition = int32(shard)
				parts[shard] = append(parts[shard], span)
			}
			none := func(part []buffer.Span) bool { return len(part) == 0 }
			if !yield(slices.DeleteFunc(parts, none)) {
				return
			}
		}
	}
}

// BenchmarkFence fences a shard of which 100,000 segments are leased, and reports
//
//	redis-us/entry   CPU time of Redis' main thread to give one back
//	worst-call-ms    that of the longest call
func BenchmarkFence(b *testing.B) {
	bench, clock := openBench(b), buffer.Seconds(1)
	const n = 100_000
	update := buffer.QueueUpdate{Clock: clock, Wall: clock}
	for i := range n {
		g := buffer.Generation{Segment: giantID(i)}
		update.Due = append(update.Due, buffer.Due{Generation: g, Deadline: clock})
	}
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	check(bench.timed.Enqueue(b.Context(), 0, update))
	lease := func(owner buffer.Owner) {
		leased, err := bench.timed.Lease(b.Context(), owner, clock, n)
		if check(err); len(leased.Due) != n {
			b.Fatalf("%d leased, want %d", len(leased.Due), n)
		}
	}
	lease(buffer.Owner{})
	var cpu float64
	*bench.longest = 0
	for b.Loop() {
		before := bench.gauge.cpu()
		fenced, err := bench.store.Fence(b.Context(), 0, buffer.AnyEpoch)
		check(err)
		cpu += bench.gauge.cpu() - before
		lease(fenced.Owner)
		fenced, err = bench.timed.Fence(b.Context(), 0, buffer.AnyEpoch)
		check(err)
		lease(fenced.Owner)
	}
	b.ReportMetric(cpu*1e6/float64(n*b.N), "redis-us/entry")
	b.ReportMetric(*bench.longest*1000, "worst-call-ms")
}

// chain is one trace of n spans of 100 bytes, each the child of the one before.
func chain(n int, order string, batch int) (batches [][]buffer.Span) {
	links := rand.New(rand.NewPCG(1, 2)).Perm(n)
	for i := range links {
		switch order {
		case "parent-first":
			links[i] = i
		case "child-first":
			links[i] = n - 1 - i
		}
	}
	spans := make([]buffer.Span, n)
	for i, link := range links {
		spans[i] = giantTrace(1, func(int) buffer.SpanID { return giantID(max(0, link-1)) })[0]
		spans[i].ID, spans[i].Root = giantID(link), link == 0
		spans[i].Payload, spans[i].Size = make([]byte, 100), 100
		spans[i].Position.Offset = int64(i)
	}
	for len(spans) > 0 {
		size := min(batch, len(spans))
		batches, spans = append(batches, spans[:size]), spans[size:]
	}
	return batches
}

// chains are n spans of chains of some each, side by side: of all of them the same part has arrived.
func chains(each, n int, order string, batch int) (batches [][]buffer.Span) {
	spans := slices.Concat(chain(each, order, each)...)
	all := make([]buffer.Span, 0, n)
	for i := range spans {
		for trace := range n / each {
			span := spans[i]
			span.Trace[0], span.Trace[1] = byte(trace), byte(trace>>8)
			all = append(all, span)
		}
	}
	if order == "shuffled" {
		rand.New(rand.NewPCG(3, 4)).Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	for i := range all {
		all[i].Position.Offset = int64(i)
	}
	return slices.Collect(slices.Chunk(all, batch))
}

// shapeBench is a Redis of its own, whose CPU time is nobody else's.
type shapeBench struct {
	store, timed *redisstore.Store
	gauge        gauge
	longest      *float64 // in seconds
}

func openBench(b *testing.B) shapeBench {
	config := redisstore.DefaultConfig()
	config.Addresses = []string{servertest.Redis(b, "--save", "").Addr}
	config.MaxSegmentBytes = buffer.NoSegmentLimit
	bench := shapeBench{
		store: open(b, config), gauge: newGauge(b, config.Addresses[0]), longest: new(float64),
	}
	bench.timed = bench.store.Timed(bench.gauge.cpu, func(spent float64) {
		*bench.longest = max(*bench.longest, spent)
	})
	b.Cleanup(bench.gauge.client.Close)
	return bench
}

// run writes and flushes everything once per loop.
func (s *shapeBench) run(b *testing.B, rounds []round) {
	var write, flush, empty, overhead float64
	spans, calls := 0, 0
	for _, r := range rounds {
		for _, batch := range r {
			for _, traces := range batch.parts {
				calls += len(traces)
			}
		}
	}
	once := func(store *redisstore.Store, rounds []round) {
		var owners []buffer.Owner
		fenced := make(map[buffer.Shard]bool)
		for _, r := range rounds {
			for _, batch := range r {
				if fenced[batch.shard] {
					continue
				}
				fenced[batch.shard] = true
				f, err := store.Fence(b.Context(), batch.shard, buffer.AnyEpoch)
				if err != nil {
					b.Fatal(err)
				}
				owners = append(owners, f.Owner)
			}
		}
		empty += s.gauge.emptyEval() / 3 // three times, since the machine does not stay as quick
		before, memory := s.gauge.cpu(), s.gauge.memory()
		n, payload := writeAll(b, store, rounds)
		written := s.gauge.cpu()
		overhead += float64(s.gauge.memory() - memory - payload)
		empty += s.gauge.emptyEval() / 3
		flushed := 0
		begin := s.gauge.cpu()
		for _, owner := range owners {
			flushed += flushAll(b, store, owner)
		}
		if flushed != n {
			b.Fatalf("%d spans flushed, %d written", flushed, n)
		}
		write, flush = write+written-before, flush+s.gauge.cpu()-begin
		empty += s.gauge.emptyEval() / 3
		spans += n
	}
	for b.Loop() {
		once(s.store, rounds)
	}
	each := 1e6 / float64(spans)
	empty *= 1e6 / float64(b.N)
	b.ReportMetric(write*each, "redis-write-us/span")
	b.ReportMetric(flush*each, "redis-flush-us/span")
	b.ReportMetric(write*each/empty, "write-evals/span")
	b.ReportMetric(flush*each/empty, "flush-evals/span")
	b.ReportMetric(empty, "empty-eval-us")
	b.ReportMetric(overhead/float64(spans), "overhead-B/span")
	b.ReportMetric(0, "ns/op")
	if len(rounds[0]) > 1 || calls > callsMax {
		return
	}
	*s.longest = 0
	once(s.timed, rounds)
	b.ReportMetric(*s.longest*1000, "worst-call-ms")
}

// callsMax is how many parts of traces are written at most to look at each call by itself, which takes
// long. Where there are more, each is small.
const callsMax = 60_000

// emptyEval returns the CPU time of an EVALSHA that does nothing, in seconds.
func (g gauge) emptyEval() float64 {
	const n, together = 20_000, 500
	sha, err := g.client.Do(g.b.Context(), g.client.B().ScriptLoad().Script("return 1").Build()).ToString()
	if err != nil {
		g.b.Fatal(err)
	}
	before := g.cpu()
	for range n / together {
		commands := make(rueidis.Commands, together)
		for i := range commands {
			commands[i] = g.client.B().Evalsha().Sha1(sha).Numkeys(0).Build()
		}
		for _, result := range g.client.DoMulti(g.b.Context(), commands...) {
			if err := result.Error(); err != nil {
				g.b.Fatal(err)
			}
		}
	}
	return (g.cpu() - before) / n
}
