package harness

import (
	"context"
	"sync"
	"time"

	"sluice/internal/judge"
	"sluice/reports"
)

// observer looks at the system ten times a second and keeps what it sees.
type observer struct {
	of        *run
	committed map[int32]int64 // by partition, the offset behind it
	looks     []judge.Look
	samples   []reports.Sample

	mu    sync.Mutex
	phase string
}

func newObserver(r *run) *observer {
	return &observer{of: r, committed: map[int32]int64{}}
}

// sampleEvery is how often the observer looks.
const sampleEvery = 100 * time.Millisecond

// watch looks until ctx is done.
func (o *observer) watch(ctx context.Context) {
	for next := o.of.start; ; {
		next = next.Add(sampleEvery)
		if late := o.of.system.Now().Sub(next); late > 0 {
			next = next.Add(late.Truncate(sampleEvery)) // a look that was missed is not made up for
		}
		if o.of.system.Sleep(ctx, next.Sub(o.of.system.Now())) != nil || ctx.Err() != nil {
			return
		}
		o.look()
	}
}

func (o *observer) enter(phase string) {
	o.mu.Lock()
	o.phase = phase
	o.mu.Unlock()
	o.of.sink.record.phase(o.of.system.Now(), phase)
}

func (o *observer) look() {
	now := o.of.system.Now()
	l, sample := o.of.system.Look()
	l.T = now.Sub(o.of.start).Seconds()
	o.mu.Lock()
	l.Phase = o.phase
	o.mu.Unlock()
	o.measure(&sample, l)
	o.looks = append(o.looks, l)
	o.samples = append(o.samples, sample)
	if o.of.cfg.Progress != nil {
		o.of.cfg.Progress(Progress{Phase: l.Phase, Sample: sample, States: o.of.sink.record.statesNow(),
			Faults: o.of.injector.lasting()})
	}
}

// measure adds to a sample what the harness itself knows.
func (o *observer) measure(s *reports.Sample, l judge.Look) {
	s.T = l.T
	s.Sent, s.Flushed = o.of.sink.Ledger.Counts()
	s.Repeated, s.OutBytes = o.of.sink.Ledger.Traffic()
	for _, c := range l.Consumers {
		s.Paused += len(c.Closed)
		// What a consumer knows of offsets ends with it, so the greatest is kept.
		for partition, next := range c.Committed { //order-free: each by itself
			o.committed[partition] = max(o.committed[partition], next)
		}
	}
	// Messages that were sent and are not committed yet, as far as the consumers have said.
	s.Backlog = o.of.sink.Ledger.Messages()
	for _, next := range o.committed { //order-free: adds up
		s.Backlog -= next
	}
	s.Backlog = max(s.Backlog, 0)
	fresh := o.of.sink.record.fresh.lately(o.of.system.Now())
	s.FreshP50, s.FreshP90, s.FreshP99 = fresh.P50, fresh.P90, fresh.P99
}
