package kernel

import (
	"iter"
	"testing"
)

// BenchmarkPull is a bare step of a coroutine, of which an event takes two or three: the measure of
// the machine.
func BenchmarkPull(b *testing.B) {
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		for yield(struct{}{}) {
		}
	})
	defer stop()
	for b.Loop() {
		next()
	}
}

// BenchmarkPrototype is BenchmarkSleep/1000 on the least that could do it: coroutines and a heap, without
// contexts, processes, kills, a digest and reports. It is what the kernel was planned by.
func BenchmarkPrototype(b *testing.B) {
	var p prototype
	for i := range 1000 {
		p.begin(func() {
			for n := i; p.sleep(int64(1000 + n%97)); n++ {
			}
		})
	}
	b.Cleanup(p.stop)
	p.run(10_000)
	before := p.events
	b.ReportAllocs()
	for b.Loop() {
		p.run(p.now + 1000)
	}
	events := float64(p.events - before)
	b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
}

// prototype is a kernel with a heap of four children.
type prototype struct {
	now, number int64
	events      int
	heap        []wake
	running     *sleeper
	stops       []func()
}

type sleeper struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
}

type wake struct {
	at, number int64
	who        *sleeper
}

func (w wake) before(o wake) bool { return w.at < o.at || w.at == o.at && w.number < o.number }

func (p *prototype) begin(do func()) {
	s := &sleeper{}
	var stop func()
	s.next, stop = iter.Pull(func(yield func(struct{}) bool) {
		s.yield = yield
		do()
	})
	p.stops = append(p.stops, stop)
	p.push(s, p.now)
}

func (p *prototype) stop() {
	for _, stop := range p.stops {
		stop()
	}
}

// sleep returns false when the sleeper is stopped.
func (p *prototype) sleep(d int64) bool {
	s := p.running
	p.push(s, p.now+d)
	return s.yield(struct{}{})
}

func (p *prototype) run(until int64) {
	for p.heap[0].at <= until {
		w := p.pop()
		p.now, p.running = w.at, w.who
		p.events++
		w.who.next()
	}
	p.now = until
}

func (p *prototype) push(s *sleeper, at int64) {
	p.number++
	w := wake{at, p.number, s}
	p.heap = append(p.heap, w)
	i := len(p.heap) - 1
	for ; i > 0 && w.before(p.heap[(i-1)/4]); i = (i - 1) / 4 {
		p.heap[i] = p.heap[(i-1)/4]
	}
	p.heap[i] = w
}

func (p *prototype) pop() wake {
	first, last := p.heap[0], p.heap[len(p.heap)-1]
	p.heap = p.heap[:len(p.heap)-1]
	i := 0
	for {
		least := 4*i + 1
		if least >= len(p.heap) {
			break
		}
		for child := least + 1; child < min(4*i+5, len(p.heap)); child++ {
			if p.heap[child].before(p.heap[least]) {
				least = child
			}
		}
		if !p.heap[least].before(last) {
			break
		}
		p.heap[i] = p.heap[least]
		i = least
	}
	if len(p.heap) > 0 {
		p.heap[i] = last
	}
	return first
}
