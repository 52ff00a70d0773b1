package sim

import (
	"context"
	"time"

	"sluice/sim/kernel"
)

// hosts are the machines of a run.
type hosts struct {
	pipeline, kafka *kernel.Host
	// shared is the one on which everything is, nil if there is none, and sender the load there.
	shared *kernel.Host
	sender *kernel.Share
	// wire is that of the pipeline's; nil if it is never full.
	wire *wire
	// What processes computed up to now, by kind; the servers know that of their own.
	consumers, workers, harness time.Duration
}

func newHosts(k *kernel.Kernel, h Hosts, n Network) (on *hosts) {
	if h.Shared {
		host := k.NewHost("host", h.Cores)
		on = &hosts{pipeline: host, kafka: host, shared: host, sender: host.Share("load", 0)}
	} else {
		on = &hosts{pipeline: k.NewHost("host of the pipeline", h.Cores),
			kafka: k.NewHost("host of kafka", h.Cores)}
	}
	on.wire = newWire(k, n, h)
	if h.Others > 0 {
		const slice = 4 * time.Millisecond // about what a scheduler gives
		others := on.pipeline.Share("others", 0)
		k.Go("others", func() {
			for k.Sleep(context.Background(), time.Duration(float64(slice)/h.Others)) == nil {
				others.Take(slice)
			}
		})
	}
	return on
}

// load has the harness compute something, if it is on a host with others. Nobody waits for it.
func (h *hosts) load(cost time.Duration) {
	if h.sender != nil {
		h.sender.Take(cost)
		h.harness += cost
	}
}

// processor is what a process computes with: its share of a host.
type processor struct {
	k    *kernel.Kernel
	on   *kernel.Share
	used *time.Duration // by all processes of its kind
	owed time.Duration  // of what was computed, and has not taken its time yet
}

// owedMax is how much is computed before it takes its time: so not every span is an event.
const owedMax = 200 * time.Microsecond

// compute takes time of a core, now or soon.
func (p *processor) compute(cost time.Duration) {
	if p.owed += cost; p.owed >= owedMax {
		p.settle()
	}
}

// settle takes the time of what was computed.
func (p *processor) settle() {
	cost := p.owed
	if cost <= 0 || !p.k.Alive() {
		return
	}
	p.owed = 0
	*p.used += cost
	_ = p.on.Work(context.Background(), cost)
}

// idleEvery is how finely somebody idles.
const idleEvery = 100 * time.Millisecond

// idles computes what somebody does in each second without being asked, until its process ends.
func idles(k *kernel.Kernel, perSecond time.Duration, compute func(time.Duration)) {
	const turns = time.Second / idleEvery
	for k.Sleep(context.Background(), idleEvery) == nil {
		compute(perSecond / turns)
	}
}

// each is the cost of some of a kind.
func each(n int, cost time.Duration) time.Duration { return time.Duration(n) * cost }

// perKB is the cost of some bytes.
func perKB(bytes int, cost time.Duration) time.Duration { return each(bytes, cost) / 1000 }
