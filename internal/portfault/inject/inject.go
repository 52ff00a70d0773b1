// Package inject makes the calls of ports fail as a portfault.List says: it wraps the ports of a consumer or a
// worker, in any world, sleeps by their Clock, and the world says what a crash is. Nothing that is wrapped
// knows it.
package inject

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/portfault"
)

// Consumer wraps the ports of a consumer. Crash ends its process. If it returns all the same, the
// call fails like one that was refused, or whose answer was lost. Hit hears of each call that a fault
// hits: when it begins, when one that was slow goes on, and when an effect was had whose answer is lost.
// Nil: nobody does.
func Consumer(l portfault.List, p *consumer.Ports, crash func(), hit func(portfault.Fault)) {
	if len(l) == 0 {
		return
	}
	i := newInjector(l, p.Clock, crash, hit)
	p.Source = source{p.Source, i}
	p.Store = store{p.Store, i}
	p.DeadLetters = producer{p.DeadLetters, i, portfault.DeadLetter}
	p.Spawner = spawner{p.Spawner, i, p.Tasks}
	if p.Memory != nil { // without one nobody asks
		p.Memory = memory{p.Memory, i}
	}
	if p.Auditor != nil {
		p.Auditor = auditor{p.Auditor, i}
	}
}

// Worker wraps the ports of a worker, as Consumer does those of a consumer.
func Worker(l portfault.List, p *flusher.WorkerPorts, crash func(), hit func(portfault.Fault)) {
	if len(l) == 0 {
		return
	}
	i := newInjector(l, p.Clock, crash, hit)
	p.Store = store{p.Store, i}
	p.Producer = producer{p.Producer, i, portfault.Produce}
}

// injector does the faults of one process.
type injector struct {
	list  portfault.List
	clock flusher.Clock
	crash func()
	hit   func(portfault.Fault)

	mu    sync.Mutex
	calls map[portfault.Port]int
}

func newInjector(l portfault.List, clock flusher.Clock, crash func(), hit func(portfault.Fault)) *injector {
	if hit == nil {
		hit = func(portfault.Fault) {}
	}
	return &injector{list: l, clock: clock, crash: crash, hit: hit, calls: map[portfault.Port]int{}}
}

// count counts a call, and returns the faults that hit it.
func (i *injector) count(port portfault.Port) portfault.List {
	i.mu.Lock()
	i.calls[port]++
	n := i.calls[port]
	i.mu.Unlock()
	var hits portfault.List
	for _, f := range i.list {
		if f.Port == port && f.Calls.Hit(n) {
			hits = append(hits, f)
			i.hit(f)
		}
	}
	return hits
}

// before does what comes before a call; with an error it must not be made.
func (i *injector) before(ctx context.Context, hits portfault.List) error {
	for _, f := range hits {
		switch f.Kind {
		case portfault.Slow:
			err := i.clock.Sleep(ctx, f.By)
			i.hit(f)
			if err != nil {
				return err
			}
		case portfault.CrashBefore:
			i.crash()
			return failure(f)
		case portfault.Refuse:
			return failure(f)
		}
	}
	return nil
}

// after does what comes after a call had its effect; with an error its answer is lost.
func (i *injector) after(hits portfault.List) (err error) {
	for _, f := range hits {
		switch f.Kind {
		case portfault.CrashAfter:
			i.hit(f)
			i.crash()
			err = failure(f)
		case portfault.Lose:
			i.hit(f)
			err = failure(f)
		}
	}
	return err
}

// failure is what a call fails with. Of a Store, it is one that may pass.
func failure(f portfault.Fault) error {
	if f.Port.OfStore() {
		return fmt.Errorf("%w (planted: %v)", buffer.ErrUnavailable, f)
	}
	return fmt.Errorf("planted: %v", f)
}

// call makes a call with the faults that hit it.
func call[T any](ctx context.Context, i *injector, port portfault.Port, do func() (T, error)) (T, error) {
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
func run(ctx context.Context, i *injector, port portfault.Port, do func() error) error {
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
	hits := s.count(portfault.SourcePoll)
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
	return run(ctx, s.injector, portfault.SourceCommit, func() error { return s.Source.Commit(ctx, last) })
}

type producer struct {
	flusher.Producer
	*injector
	port portfault.Port
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
	hits portfault.List
}

// Wait implements flusher.Future.
func (p produced) Wait(ctx context.Context) error {
	if err := p.Future.Wait(ctx); err != nil {
		return err
	}
	return p.after(p.hits)
}
