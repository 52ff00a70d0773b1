package flusher_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// A mortal is a real worker that dies, hangs, freezes and loses answers at any of its calls of a
// port, before or after the call has had its effect. What happens follows from the seed, the worker
// and its start, so that other workers' timing does not change it.
type mortal struct {
	*inbox
	world     *lossWorld
	r         *rand.Rand
	immortal  bool // cannot be killed, as a goroutine cannot
	begun     time.Time
	stop      context.CancelFunc
	killed    chan struct{}
	killOnce  sync.Once
	exited    chan struct{}
	exit      flusher.Exit // before exited is closed
	callsLeft int          // to the fault that ends or stops it
	fault     fate
}

// fate is what ends or stops a mortal.
type fate uint8

const (
	fateNone   fate = iota
	fateCrash       // it ends here
	fateHang        // it stops here until it is killed
	fateFreeze      // it stops here for a while, and goes on if nobody has killed it
	fates
)

var errLost = errors.New("answer lost")

func (w *lossWorld) Start(_ context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	r := rand.New(rand.NewPCG(w.seed, uint64(spec.Worker)<<32|uint64(spec.Start)))
	m := &mortal{
		inbox: newInbox(), world: w, r: r, immortal: w.immortal, begun: time.Now(),
		killed: make(chan struct{}), exited: make(chan struct{}),
		fault: fate(r.IntN(int(fates))), callsLeft: 1 + r.IntN(60),
	}
	if w.healthy {
		m.fault = fateNone
	}
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	w.mortals.Go(func() { m.live(ctx, spec) })
	return m, nil
}

func (m *mortal) live(stop context.Context, spec flusher.WorkerSpec) {
	m.exit = flusher.Exit{Code: -1, Signal: "killed"} // unless it returns
	defer close(m.exited)
	cfg := flusher.DefaultWorkerConfig()
	cfg.MaxFlushSegments, cfg.MaxFlushBytes = 6, 500
	cfg.IdleSleep = 200 * time.Millisecond
	cfg.BeatEvery = time.Second
	store := m.world.store
	err := flusher.RunWorker(context.Background(), stop, cfg, flusher.WorkerPorts{
		Clock: wallclock.Clock{}, Store: &mortalStore{Store: store, m: m}, Producer: mortalProducer{m},
		Encoder: textEncoder{limit: 3}, Reporter: m,
	}, spec)
	m.exit = flusher.Exit{Err: err}
	if err != nil {
		m.exit.Code = 1
	}
}

// point is a moment at which the worker may meet its fate.
func (m *mortal) point() {
	select {
	case <-m.killed:
		runtime.Goexit()
	default:
	}
	m.callsLeft--
	if m.callsLeft != 0 || time.Now().After(m.world.calm) {
		return
	}
	switch m.fault {
	case fateCrash:
		runtime.Goexit()
	case fateHang:
		if m.immortal {
			m.sleep(freezeMax)
			return
		}
		<-m.killed
		runtime.Goexit()
	case fateFreeze:
		m.sleep(time.Duration(m.r.Int64N(int64(freezeMax))))
	}
}

// sleep freezes the worker.
func (m *mortal) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-m.killed:
		runtime.Goexit()
	}
}

// unlucky tells whether a server does not do its part this time.
func (m *mortal) unlucky() bool {
	return time.Now().Before(m.world.calm) && m.r.IntN(100) < m.world.errors
}

func (m *mortal) Status() (flusher.Status, time.Time) { return m.last() }
func (m *mortal) DrainFresh() []time.Duration         { return m.drain() }
func (m *mortal) Stop()                               { m.stop() }
func (m *mortal) CanKill() bool                       { return !m.immortal }

func (m *mortal) Kill() {
	if !m.immortal {
		m.killOnce.Do(func() { close(m.killed) })
	}
}

func (m *mortal) Exited() (flusher.Exit, bool) {
	select {
	case <-m.exited:
		return m.exit, true
	default:
		return flusher.Exit{}, false
	}
}

// mortalStore is the store as a mortal sees it.
type mortalStore struct {
	buffer.Store
	m *mortal
}

// step makes a call between two points. Either the call or its answer may be lost.
func step[A any](m *mortal, call func() (A, error)) (A, error) {
	var none A
	m.point()
	if m.unlucky() {
		return none, buffer.ErrUnavailable
	}
	answer, err := call()
	m.point()
	if err == nil && m.unlucky() {
		return none, buffer.ErrUnavailable
	}
	return answer, err
}

func (s *mortalStore) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	return step(s.m, func() (buffer.Fenced, error) {
		if s.m.world.defect == "lease-forgotten" {
			return buffer.Fenced{Owner: buffer.Owner{Shard: shard, Epoch: last}}, nil
		}
		return s.Store.Fence(ctx, shard, last)
	})
}

func (s *mortalStore) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return step(s.m, func() (buffer.Leased, error) { return s.Store.Lease(ctx, owner, now, limit) })
}

func (s *mortalStore) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	return step(s.m, func() ([]buffer.Claim, error) { return s.Store.Claim(ctx, owner, list) })
}

func (s *mortalStore) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	return step(s.m, func() ([]buffer.Loaded, error) { return s.Store.Load(ctx, owner, list) })
}

func (s *mortalStore) Ack(
	ctx context.Context, owner buffer.Owner, list []buffer.Flushed,
) ([]buffer.AckResult, error) {
	return step(s.m, func() ([]buffer.AckResult, error) { return s.Store.Ack(ctx, owner, list) })
}

func (s *mortalStore) Release(ctx context.Context, owner buffer.Owner, r buffer.Release) error {
	_, err := step(s.m, func() (struct{}, error) { return struct{}{}, s.Store.Release(ctx, owner, r) })
	return err
}

// mortalProducer is Kafka as a mortal sees it.
type mortalProducer struct{ m *mortal }

func (p mortalProducer) Produce(ctx context.Context, r flusher.Record) flusher.Future {
	p.m.point()
	if p.m.unlucky() {
		if p.m.world.defect == "swallow-produce-error" {
			return mortalFuture{m: p.m}
		}
		return mortalFuture{m: p.m, err: errLost}
	}
	f := mortalFuture{m: p.m, ack: p.m.world.broker.Produce(ctx, r)}
	if p.m.unlucky() {
		f.err = errLost
	}
	return f
}

func (p mortalProducer) Flush(ctx context.Context) error { return p.m.world.broker.Flush(ctx) }

type mortalFuture struct {
	m   *mortal
	ack flusher.Future // nil: the broker never had it
	err error
}

func (f mortalFuture) Wait(ctx context.Context) error {
	f.m.point()
	if f.ack != nil {
		if err := f.ack.Wait(ctx); err != nil {
			return err
		}
	}
	f.m.point()
	return f.err
}
