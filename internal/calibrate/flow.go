package calibrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/process"
	"sluice/internal/process/worker"
	"sluice/internal/wallclock"
)

// passage is what a shape's load took on its way, stage by stage, and how much there was of what.
type passage struct {
	shape
	fill, ingest, flush, collect stage
	spans, traces, records       int
	bytesIn, bytesOut            int
}

// stage is what was computed in a stage, and the calls of the store and the requests of Kafka that it
// had.
type stage struct {
	used
	calls, requests int64
	took            time.Duration // by the clock
}

// pass sends a load through all stages.
func (r *rig) pass(ctx context.Context, s shape, spans int) (*passage, error) {
	p := &passage{shape: s}
	r.seed++
	began := process.Own().CPU
	generator, messages := s.messages(spans, r.seed)
	made := process.Own().CPU - began
	for i := range messages {
		p.spans++
		p.bytesIn += len(messages[i].Value)
		if messages[i].Seq == messages[i].Root {
			p.traces++
		}
	}
	before, err := r.ends(ctx, r.Place.Output)
	if err != nil {
		return nil, err
	}
	book := ledger.New(generator.Recipe)
	for _, one := range []struct {
		name string
		into *stage
		do   func(context.Context, *stage) error
	}{
		{"send the load", &p.fill, func(ctx context.Context, s *stage) error {
			return r.fill(ctx, s, p, messages, book)
		}},
		{"read the load into Redis", &p.ingest, func(ctx context.Context, s *stage) error {
			return r.ingest(ctx, s, p)
		}},
		{"flush it to Kafka", &p.flush, func(ctx context.Context, s *stage) error {
			return r.flush(ctx, s, p)
		}},
		{"read the output", &p.collect, func(ctx context.Context, s *stage) error {
			return r.collect(ctx, s, p, before, book)
		}},
	} {
		runtime.GC() // what the stage before left is not this one's
		if err := one.do(ctx, one.into); err != nil {
			return nil, fmt.Errorf("%s (%s): %w", one.name, s.name, err)
		}
	}
	p.fill.own += made
	if balance := book.Balance(0); balance.Lost > 0 {
		return nil, fmt.Errorf("%d of %d spans (%s) did not come out", balance.Lost, balance.Sent, s.name)
	}
	return p, nil
}

// measure runs the main part of a stage.
func (r *rig) measure(ctx context.Context, s *stage, do func() error) error {
	requests, began := r.requests.n.Load(), time.Now()
	var err error
	s.used, err = r.during(ctx, do)
	s.requests, s.took = r.requests.n.Load()-requests, time.Since(began)
	return err
}

// fill sends messages as the harness does, so many at a time.
func (r *rig) fill(
	ctx context.Context, s *stage, p *passage, list []load.Message, book *ledger.Ledger,
) error {
	client, err := r.harness(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(len(list)))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return err
	}
	var mu sync.Mutex
	var failed error
	return r.measure(ctx, s, func() error {
		for i := range list {
			m := &list[i]
			book.Sent(m.Seq, m.Root, m.At)
			client.Produce(ctx, &kgo.Record{Topic: r.Place.Input, Partition: m.Partition, Key: m.Key,
				Value: m.Value}, func(_ *kgo.Record, err error) {
				if err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = errors.Join(failed, err)
				}
			})
			if (i+1)%p.burst == 0 {
				if err := client.Flush(ctx); err != nil {
					return err
				}
			}
		}
		return errors.Join(client.Flush(ctx), failed)
	})
}

// instance makes the membership static, so that each stage that reads has its partitions at once.
const instance = "calibrate"

// ingest runs the ingest loop until it has committed the load.
func (r *rig) ingest(ctx context.Context, s *stage, p *passage) error {
	sc := kafkaio.DefaultSourceConfig(r.Place.Input, r.Place.Group)
	sc.InstanceID = instance
	source, err := kafkaio.NewSource(r.client(), sc)
	if err != nil {
		return err
	}
	defer source.Close()
	letters, err := kafkaio.NewProducer(ctx, r.client(), kafkaio.DefaultProducerConfig(r.Place.Letters))
	if err != nil {
		return err
	}
	defer letters.Close()
	store := &counted{Store: r.store}
	watched := &watchedSource{Source: source, done: make(chan struct{})}
	if watched.left, err = r.ends(ctx, r.Place.Input); err != nil {
		return err
	}
	maps.DeleteFunc(watched.left, func(n int32, end int64) bool { return end == r.read[n] })
	maps.Copy(r.read, watched.left)
	cfg := ingest.DefaultConfig(r.Place.Input, r.Place.Letters)
	cfg.Options = r.options
	if cfg.MaxBatch = p.batch; p.batch < ingest.DefaultConfig("", "").MaxBatch {
		cfg.BatchGrowth = 1
	}
	loop, err := ingest.New(cfg, ingest.Ports{
		Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Source: watched, Store: store,
		Decoder: r.codec, DeadLetters: letters, Gate: openGate{}, Assigner: openGate{},
	})
	if err != nil {
		return err
	}
	// The first poll joins the group, which is no part of what is measured.
	if err := watched.join(ctx); err != nil {
		return err
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	return r.measure(ctx, s, func() error {
		ended := make(chan error, 1)
		go func() { ended <- loop.Run(ctx, stop) }()
		select {
		case <-watched.done:
			cancel()
			err = <-ended
		case err = <-ended:
			err = errors.Join(err, errors.New("the loop ended early"))
		}
		s.calls = store.calls.Load()
		return err
	})
}

// openGate is no supervisor.
type openGate struct{}

func (openGate) Closed() map[buffer.Shard]string { return nil }
func (openGate) Full() bool                      { return false }
func (openGate) Assign([]buffer.Shard)           {}

// watchedSource is a source that tells when everything has been committed.
type watchedSource struct {
	*kafkaio.Source
	first flusher.Fetch // what joining brought
	begun bool
	left  map[int32]int64 // by partition, the offset that is to be committed
	over  bool
	done  chan struct{} // closed when nothing is left
}

// join polls until all partitions are assigned.
func (w *watchedSource) join(ctx context.Context) error {
	for len(w.first.Assigned) < Partitions {
		fetch, err := w.Source.Poll(ctx, 1, time.Second)
		if err != nil {
			return err
		}
		w.first.Assigned = append(w.first.Assigned, fetch.Assigned...)
		w.first.Batches = append(w.first.Batches, fetch.Batches...)
	}
	return nil
}

// Poll implements flusher.Source.
func (w *watchedSource) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	if !w.begun {
		w.begun = true
		return w.first, nil
	}
	return w.Source.Poll(ctx, limit, wait)
}

// Commit implements flusher.Source.
func (w *watchedSource) Commit(ctx context.Context, last []flusher.Message) error {
	if err := w.Source.Commit(ctx, last); err != nil {
		return err
	}
	for _, m := range last {
		if end, ok := w.left[m.Position.Partition]; ok && m.Position.Offset+1 >= end {
			delete(w.left, m.Position.Partition)
		}
	}
	if len(w.left) == 0 && !w.over {
		w.over = true
		close(w.done)
	}
	return nil
}

// flush runs a worker over all shards until all is flushed.
func (r *rig) flush(ctx context.Context, s *stage, p *passage) error {
	producer, err := kafkaio.NewProducer(ctx, r.client(),
		kafkaio.DefaultProducerConfig(r.Place.Output, r.Place.Letters))
	if err != nil {
		return err
	}
	defer producer.Close()
	spec := flusher.WorkerSpec{Start: 1}
	for n := range buffer.Shard(Partitions) {
		fenced, err := r.store.Fence(ctx, n, buffer.AnyEpoch)
		if err != nil {
			return err
		}
		spec.Owners = append(spec.Owners, fenced)
	}
	// As in a worker's process.
	limits := worker.DefaultLimits()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(limits.Threads))
	defer debug.SetGCPercent(debug.SetGCPercent(limits.GCPercent))
	cfg := flusher.DefaultWorkerConfig()
	cfg.OutputTopic, cfg.DeadLetterTopic, cfg.InputTopic = r.Place.Output, r.Place.Letters, r.Place.Input
	cfg.MaxFlushSegments = p.segments
	store := &counted{Store: r.store}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	until := &untilFlushed{want: uint64(p.spans), stop: cancel}
	ports := flusher.WorkerPorts{Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Store: allDue{store},
		Producer: producer, Encoder: r.codec, Reporter: until}
	return r.measure(ctx, s, func() error {
		err := flusher.RunWorker(ctx, stop, cfg, ports, spec)
		s.calls = store.calls.Load()
		return err
	})
}

// ahead is how much later than now a worker leases here: all that waits for its time-out is due.
const ahead = 2 * time.Hour

// allDue is a store in which everything is due.
type allDue struct{ *counted }

// Lease implements buffer.Store.
func (d allDue) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return d.counted.Lease(ctx, owner, now.Add(ahead), limit)
}

// untilFlushed is a reporter that stops the worker when so many spans are flushed.
type untilFlushed struct {
	want uint64
	stop func()
}

// Report implements flusher.Reporter.
func (u *untilFlushed) Report(status flusher.Status) {
	if status.Spans >= u.want {
		u.stop()
	}
}

// Fresh implements flusher.Reporter.
func (u *untilFlushed) Fresh([]time.Duration) {}

// collect reads and checks what came out since, as the harness does.
func (r *rig) collect(
	ctx context.Context, s *stage, p *passage, since map[int32]int64, book *ledger.Ledger,
) error {
	ends, err := r.ends(ctx, r.Place.Output)
	if err != nil {
		return err
	}
	left := int64(0)
	from := map[int32]kgo.Offset{}
	for _, partition := range slices.Sorted(maps.Keys(ends)) {
		left += ends[partition] - since[partition]
		from[partition] = kgo.NewOffset().At(since[partition])
	}
	p.records = int(left)
	client, err := r.harness(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Place.Output: from}),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	return r.measure(ctx, s, func() error {
		for left > 0 {
			fetches := client.PollRecords(ctx, 10_000)
			if err := fetches.Err(); err != nil {
				return err
			}
			fetches.EachRecord(func(record *kgo.Record) {
				left--
				in := ledger.Record{Partition: record.Partition, Offset: record.Offset, Key: record.Key,
					Value: record.Value}
				for _, h := range record.Headers {
					in.Headers = append(in.Headers, ledger.Header{Key: h.Key, Value: h.Value})
				}
				p.bytesOut += len(record.Key) + len(record.Value)
				book.Output(in)
			})
		}
		return nil
	})
}
