package portfault

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
)

// Consumer wraps the ports of a consumer. Crash ends its process. If it returns all the same, the
// call fails like one that was refused, or whose answer was lost. Hit hears of each call that a fault
// hits: when it begins, when one that was slow goes on, and when an effect was had whose answer is lost.
// Nil: nobody does.
func (l List) Consumer(p *consumer.Ports, crash func(), hit func(Fault)) {
	if len(l) == 0 {
		return
	}
	i := newInjector(l, p.Clock, crash, hit)
	p.Source = source{p.Source, i}
	p.Store = store{p.Store, i}
	p.DeadLetters = producer{p.DeadLetters, i, DeadLetter}
}

// Worker wraps the ports of a worker, as Consumer does those of a consumer.
func (l List) Worker(p *flusher.WorkerPorts, crash func(), hit func(Fault)) {
	if len(l) == 0 {
		return
	}
	i := newInjector(l, p.Clock, crash, hit)
	p.Store = store{p.Store, i}
	p.Producer = producer{p.Producer, i, Produce}
}

// injector does the faults of one process.
type injector struct {
	list  List
	clock flusher.Clock
	crash func()
	hit   func(Fault)

	mu    sync.Mutex
	calls map[Port]int
}

func newInjector(l List, clock flusher.Clock, crash func(), hit func(Fault)) *injector {
	if hit == nil {
		hit = func(Fault) {}
	}
	return &injector{list: l, clock: clock, crash: crash, hit: hit, calls: map[Port]int{}}
}

// count counts a call, and returns the faults that hit it.
func (i *injector) count(port Port) List {
	i.mu.Lock()
	i.calls[port]++
	n := i.calls[port]
	i.mu.Unlock()
	var hits List
	for _, f := range i.list {
		if f.Port == port && f.Calls.hit(n) {
			hits = append(hits, f)
			i.hit(f)
		}
	}
	return hits
}

// before does what comes before a call; with an error it must not be made.
func (i *injector) before(ctx context.Context, hits List) error {
	for _, f := range hits {
		switch f.Kind {
		case Slow:
			err := i.clock.Sleep(ctx, f.By)
			i.hit(f)
			if err != nil {
				return err
			}
		case CrashBefore:
			i.crash()
			return f.err()
		case Refuse:
			return f.err()
		}
	}
	return nil
}

// after does what comes after a call had its effect; with an error its answer is lost.
func (i *injector) after(hits List) (err error) {
	for _, f := range hits {
		switch f.Kind {
		case CrashAfter:
			i.hit(f)
			i.crash()
			err = f.err()
		case Lose:
			i.hit(f)
			err = f.err()
		}
	}
	return err
}

// err is what a call fails with. Of a Store, it is one that may pass.
func (f Fault) err() error {
	if f.Port == Produce || f.Port == DeadLetter || f.Port == SourcePoll || f.Port == SourceCommit {
		return fmt.Errorf("planted: %v", f)
	}
	return fmt.Errorf("%w (planted: %v)", buffer.ErrUnavailable, f)
}

// call makes a call with the faults that hit it.
func call[T any](ctx context.Context, i *injector, port Port, do func() (T, error)) (T, error) {
	var none T
	hits := i.count(port)
	if err := i.before(ctx, hits); err != nil {
		return none, err
	}
	answer, err := do()
	if err != nil {
		return answer, err
	}
	if err := i.after(hits); err != nil {
		return none, err
	}
	return answer, nil
}

// run makes a call that has no answer but its error.
func run(ctx context.Context, i *injector, port Port, do func() error) error {
	_, err := call(ctx, i, port, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

type source struct {
	flusher.Source
	*injector
}

// Poll implements flusher.Source.
func (s source) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	hits := s.count(SourcePoll)
	if s.before(ctx, hits) != nil {
		return flusher.Fetch{}, s.clock.Sleep(ctx, wait)
	}
	fetch, err := s.Source.Poll(ctx, limit, wait)
	if err == nil {
		err = s.after(hits)
	}
	return fetch, err
}

// Commit implements flusher.Source.
func (s source) Commit(ctx context.Context, last []flusher.Message) error {
	return run(ctx, s.injector, SourceCommit, func() error { return s.Source.Commit(ctx, last) })
}

type producer struct {
	flusher.Producer
	*injector
	port Port
}

// Produce implements flusher.Producer. It has had its effect when the broker has the record.
func (p producer) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	hits := p.count(p.port)
	if err := p.before(ctx, hits); err != nil {
		return refused{err}
	}
	return produced{p.Producer.Produce(ctx, record), p.injector, hits}
}

type refused struct{ err error }

// Wait implements flusher.Future.
func (r refused) Wait(context.Context) error { return r.err }

type produced struct {
	flusher.Future
	*injector
	hits List
}

// Wait implements flusher.Future.
func (p produced) Wait(ctx context.Context) error {
	if err := p.Future.Wait(ctx); err != nil {
		return err
	}
	return p.after(p.hits)
}
