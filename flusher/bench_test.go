package flusher_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// bench is one worker over a memstore, in a bubble.
type bench struct {
	t        *testing.T
	store    *memstore.Store
	feed     feed
	broker   *broker
	encoder  textEncoder
	inbox    *inbox
	cfg      flusher.WorkerConfig
	troubles []flusher.Trouble
	letters  []flusher.DeadLetter
	damaged  []flusher.Damaged
	faulty   *faultyStore
	// refusesAbove and tasks are ports; nil: there is none.
	refusesAbove func(topic string) int
	tasks        flusher.Tasks
	clock        flusher.Clock

	stop, kill context.CancelFunc
	ended      chan struct{}
	err        error
}

func newBench(t *testing.T) *bench {
	store := newStore()
	b := &bench{
		t: t, store: store, feed: newFeed(store), broker: &broker{}, inbox: newInbox(),
		cfg: flusher.DefaultWorkerConfig(), faulty: &faultyStore{Store: store},
		clock: wallclock.Clock{}, ended: make(chan struct{}),
	}
	return b
}

func (b *bench) start(owners ...buffer.Fenced) {
	ctx, kill := context.WithCancel(context.Background())
	stop, stopNow := context.WithCancel(ctx)
	b.kill, b.stop = kill, stopNow
	b.t.Cleanup(kill)
	go func() {
		defer close(b.ended)
		b.err = flusher.RunWorker(ctx, stop, b.cfg, flusher.WorkerPorts{
			Clock: b.clock, Store: b.faulty, Producer: b.broker,
			Tasks:   b.tasks,
			Encoder: boundedEncoder{b.encoder}, RefusesAbove: b.refusesAbove,
			Reporter: b.inbox, Trouble: func(t flusher.Trouble) { b.troubles = append(b.troubles, t) },
			DeadLetter: func(l flusher.DeadLetter) { b.letters = append(b.letters, l) },
			Damaged:    func(d flusher.Damaged) { b.damaged = append(b.damaged, d) },
		}, flusher.WorkerSpec{Worker: 3, Owners: owners, Start: 1})
	}()
}

// join stops the worker and returns its error.
func (b *bench) join() error {
	b.stop()
	<-b.ended
	return b.err
}

func (b *bench) empty() bool { return leftovers(b.t, b.store).Empty() }

// faultyStore passes calls on, unless hook returns an error for one. after is false before the
// call has had its effect and true when it has.
type faultyStore struct {
	buffer.Store
	mu   sync.Mutex
	hook func(step string, after bool) error
	log  []string
}

func (f *faultyStore) set(hook func(step string, after bool) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

func (f *faultyStore) at(step string, after bool) error {
	f.mu.Lock()
	hook := f.hook
	if !after {
		f.log = append(f.log, step)
	}
	f.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook(step, after)
}

func (f *faultyStore) steps() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.log)
}

func faulted[A any](f *faultyStore, step string, call func() (A, error)) (A, error) {
	var none A
	if err := f.at(step, false); err != nil {
		return none, err
	}
	answer, err := call()
	if err == nil {
		if err := f.at(step, true); err != nil {
			return none, err
		}
	}
	return answer, err
}

func (f *faultyStore) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	return faulted(f, "fence", func() (buffer.Fenced, error) {
		return f.Store.Fence(ctx, shard, last)
	})
}

func (f *faultyStore) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	return faulted(f, "lease", func() (buffer.Leased, error) {
		return f.Store.Lease(ctx, owner, now, limit)
	})
}

func (f *faultyStore) Claim(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	return faulted(f, "claim", func() ([]buffer.Claim, error) {
		return f.Store.Claim(ctx, owner, list)
	})
}

func (f *faultyStore) Load(
	ctx context.Context, owner buffer.Owner, list []buffer.Generation,
) ([]buffer.Loaded, error) {
	return faulted(f, "load", func() ([]buffer.Loaded, error) {
		return f.Store.Load(ctx, owner, list)
	})
}

func (f *faultyStore) Ack(
	ctx context.Context, owner buffer.Owner, list []buffer.Flushed,
) ([]buffer.AckResult, error) {
	return faulted(f, "ack", func() ([]buffer.AckResult, error) {
		return f.Store.Ack(ctx, owner, list)
	})
}

func (f *faultyStore) Release(ctx context.Context, owner buffer.Owner, r buffer.Release) error {
	_, err := faulted(f, "release", func() (struct{}, error) {
		return struct{}{}, f.Store.Release(ctx, owner, r)
	})
	return err
}

// once returns a hook that fails the first call of a step with an error.
func once(step string, after bool, err error) func(string, bool) error {
	done := false
	return func(s string, a bool) error {
		if done || s != step || a != after {
			return nil
		}
		done = true
		return fmt.Errorf("%s: %w", step, err)
	}
}
