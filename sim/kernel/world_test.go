package kernel_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/sim/kernel"
)

// The world of this file is the smallest one in which the real consumer, supervisor and workers
// run: a store that takes time, an input of a constant rate, an output that counts each span, and a
// process for the consumer and for each of its workers.
const (
	worldRate       = 2000 // spans/s
	worldPartitions = 4
	worldTrace      = 20 // spans of a trace
	worldWorkers    = 2
	worldRTT        = 200 * time.Microsecond
	worldProduce    = 2 * time.Millisecond
)

type world struct {
	*kernel.Kernel
	process *kernel.Process // the consumer's
	workers []*worker

	given    bool
	next     [worldPartitions]int64
	until    time.Duration
	sent     int
	out      map[int64]int // how often each span came out
	restarts int
}

// runWorld sends load for as long as is said, freezes workers meanwhile, and stops the consumer
// when all has come out.
func runWorld(tb testing.TB, load time.Duration, freezes ...time.Duration) *world {
	tb.Helper()
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		tb.Fatal(err)
	}
	defer k.Close()
	w := &world{Kernel: k, until: load, out: make(map[int64]int)}
	w.process = k.Process("consumer-0")
	cfg := consumer.Config{Flusher: flusher.DefaultConfig(), Ingest: ingest.DefaultConfig("in", "dlq")}
	cfg.Flusher.Processes, cfg.Flusher.MaxUnhealthy = worldWorkers, 3*time.Second
	cfg.Ingest.Options.Timeout, cfg.Ingest.Options.RootTimeout = 4*time.Second, 2*time.Second
	store := slowStore{memstore.New(cfg.Ingest.Options), k}
	c, err := consumer.New(cfg, consumer.Ports{
		Clock: k, Tasks: w.process, Source: w, Decoder: w, DeadLetters: w, Store: store,
		Spawner: &spawner{w, store}, KillWorkers: w.killWorkers,
		Events: func(e flusher.Event) { k.Note(e.String()) },
	})
	if err != nil {
		tb.Fatal(err)
	}
	ctx, kill := k.WithCancel(context.Background())
	defer kill()
	stop, end := k.WithCancel(ctx)
	running := w.process.Go("consumer", func() { err = c.Run(ctx, stop) })
	for _, at := range freezes {
		k.After(at, func() { w.workers[len(w.workers)-1].process.Freeze() })
	}
	_ = k.Sleep(ctx, load+30*time.Second)
	end()
	running.Wait()
	if err != nil {
		tb.Fatal(err)
	}
	for _, state := range c.Workers() {
		w.restarts += state.Restarts
	}
	return w
}

// TestWorld: a frozen worker is replaced, every span comes out, and the run is the same each time.
func TestWorld(t *testing.T) {
	var digest string
	defer func() { t.Log("digest", digest) }()
	for range 3 {
		w := runWorld(t, time.Minute, 7*time.Second, 21*time.Second)
		if w.sent != 60*worldRate || len(w.out) != w.sent || w.restarts != 2 {
			t.Errorf("%d of %d spans came out, %d restarts, want all and 2",
				len(w.out), w.sent, w.restarts)
		}
		if digest == "" {
			digest = w.Digest()
		}
		if w.Digest() != digest {
			t.Errorf("digest %s, and then %s", digest, w.Digest())
		}
	}
}

// BenchmarkWorld is the baseline of simulated spans per second: with hardly a model, and an account
// of every span.
func BenchmarkWorld(b *testing.B) {
	b.ReportAllocs()
	var spans, events float64
	for b.Loop() {
		w := runWorld(b, time.Minute, 7*time.Second, 21*time.Second)
		spans, events = spans+float64(w.sent), events+float64(w.Events())
	}
	b.ReportMetric(spans/b.Elapsed().Seconds(), "spans/s")
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
}

// slowStore is a round trip away: the caller may die on the way there or back.
type slowStore struct {
	buffer.Store
	k *kernel.Kernel
}

// call does something at the store.
func call[A any](s slowStore, ctx context.Context, do func() (A, error)) (answer A, err error) {
	if err := s.k.Sleep(ctx, worldRTT); err != nil {
		return answer, err
	}
	answer, err = do()
	if late := s.k.Sleep(ctx, worldRTT); late != nil {
		return answer, late
	}
	return answer, err
}

func (s slowStore) Attach(
	ctx context.Context, d buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	return call(s, ctx, func() ([]buffer.Attached, error) { return s.Store.Attach(ctx, d, traces) })
}

func (s slowStore) Lease(
	ctx context.Context, o buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return call(s, ctx, func() (buffer.Leased, error) { return s.Store.Lease(ctx, o, now, limit) })
}

func (s slowStore) Claim(
	ctx context.Context, o buffer.Owner, g []buffer.Generation,
) ([]buffer.Claim, error) {
	return call(s, ctx, func() ([]buffer.Claim, error) { return s.Store.Claim(ctx, o, g) })
}

func (s slowStore) Ack(
	ctx context.Context, o buffer.Owner, f []buffer.Flushed,
) ([]buffer.AckResult, error) {
	return call(s, ctx, func() ([]buffer.AckResult, error) { return s.Store.Ack(ctx, o, f) })
}

// Produce accounts for the spans at once, and acknowledges them later.
func (w *world) Produce(_ context.Context, r flusher.Record) flusher.Future {
	if !w.Alive() {
		panic("a dead worker produces")
	}
	for value := r.Value; len(value) > 0; value = value[8:] {
		w.out[int64(binary.BigEndian.Uint64(value))]++
	}
	w.Note("out", int64(len(r.Value)))
	return acknowledgement{w.Kernel, w.Elapsed() + worldProduce}
}

func (w *world) Flush(context.Context) error { return nil }

type acknowledgement struct {
	k  *kernel.Kernel
	at time.Duration
}

func (a acknowledgement) Wait(ctx context.Context) error {
	return a.k.Sleep(ctx, a.at-a.k.Elapsed())
}

// Encode writes the numbers of the spans.
func (w *world) Encode(_ buffer.Generation, spans []buffer.Span) ([]buffer.Chunk, error) {
	value := make([]byte, 0, 8*len(spans))
	for _, span := range spans {
		value = append(value, span.Payload...)
	}
	return []buffer.Chunk{{Count: len(spans), Spans: spans, Value: value}}, nil
}

// Poll returns what has come in by now.
func (w *world) Poll(ctx context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	f := flusher.Fetch{InTouch: true}
	if !w.given {
		w.given = true
		f.Assigned = []int32{0, 1, 2, 3}
		return f, nil
	}
	if err := w.Sleep(ctx, wait); err != nil {
		return f, err
	}
	const every = worldPartitions * time.Second / worldRate
	now := min(w.Elapsed(), w.until)
	for p := range int32(worldPartitions) {
		batch := flusher.Batch{Partition: p}
		for len(batch.Messages) < limit && time.Duration(w.next[p])*every < now {
			offset := w.next[p]
			w.next[p]++
			w.sent++
			batch.Messages = append(batch.Messages, flusher.Message{
				Position: buffer.Position{Partition: p, Offset: offset}, Time: w.Now(),
				Value: binary.BigEndian.AppendUint64(nil, uint64(int64(p)<<40|offset)),
			})
		}
		if len(batch.Messages) > 0 {
			f.Batches = append(f.Batches, batch)
		}
	}
	return f, nil
}

func (w *world) Pause(...int32)    {}
func (w *world) Resume(...int32)   {}
func (w *world) Released(...int32) {}

func (w *world) Commit(context.Context, []flusher.Message) error { return nil }

// Decode makes a trace of every twenty spans of a partition, the first of which is the root.
func (w *world) Decode(value []byte) (d buffer.Decoded, err error) {
	n := binary.BigEndian.Uint64(value)
	root := n - n&(1<<40-1)%worldTrace
	binary.BigEndian.PutUint64(d.Trace[:], root)
	binary.BigEndian.PutUint64(d.ID[:], n)
	binary.BigEndian.PutUint64(d.Parent[:], root)
	d.Project, d.Root, d.Size, d.Payload = 1, n == root, 100, value
	return d, nil
}

func (w *world) killWorkers() {
	for _, one := range w.workers {
		one.Kill()
	}
}

// spawner starts workers as processes of the kernel, children of the consumer's.
type spawner struct {
	w     *world
	store buffer.Store
}

type worker struct {
	k       *kernel.Kernel
	process *kernel.Process
	status  flusher.Status
	at      time.Time
	stop    context.CancelFunc
	exit    flusher.Exit
}

func (s *spawner) Start(_ context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	ctx := context.Background()
	stop, cancel := s.w.WithCancel(ctx)
	one := &worker{
		k: s.w.Kernel, at: s.w.Now(), stop: cancel,
		process: s.w.process.Process(fmt.Sprintf("worker-%d", spec.Worker)),
	}
	one.process.Go("worker", func() {
		one.exit.Err = flusher.RunWorker(ctx, stop, flusher.DefaultWorkerConfig(), flusher.WorkerPorts{
			Clock: s.w, Store: s.store, Producer: s.w, Encoder: s.w, Reporter: one,
		}, spec)
		one.process.Kill()
	})
	s.w.workers = append(s.w.workers, one)
	return one, nil
}

func (o *worker) Report(status flusher.Status) {
	if o.k.Alive() {
		o.status, o.at = status, o.k.Now()
	}
}

func (o *worker) Fresh([]time.Duration)               {}
func (o *worker) Status() (flusher.Status, time.Time) { return o.status, o.at }
func (o *worker) DrainFresh() []time.Duration         { return nil }
func (o *worker) Stop()                               { o.stop() }
func (o *worker) CanKill() bool                       { return true }

func (o *worker) Kill() {
	if !o.process.Dead() {
		o.exit = flusher.Exit{Code: -1, Signal: "SIGKILL"}
		o.process.Kill()
	}
}

func (o *worker) Exited() (flusher.Exit, bool) { return o.exit, o.process.Dead() }
