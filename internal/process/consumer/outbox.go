package consumer

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
)

const (
	// stateEvery is how often the state is sent, beside what each event makes new.
	stateEvery = 50 * time.Millisecond
	// farewellMax bounds how long an ending consumer waits for a harness that does not read.
	farewellMax = 5 * time.Second
	// waitingMax bounds the events that wait to be read. None may be lost, since the run is judged
	// by them, so a consumer that has more than these waiting gives up.
	waitingMax = 1 << 16
	// freshMax bounds the freshness samples of a worker that wait to be read; the oldest are dropped
	// beyond it. They are a statistic: dropping some costs precision and nothing else.
	freshMax = 1 << 16
)

// outbox keeps the consumer's reports until they are sent. Its methods never block.
type outbox struct {
	ring func()

	mu      sync.Mutex
	look    func() state // nil: there is no pipeline yet
	waiting []report
	fresh   map[int][]time.Duration
}

func newOutbox(ring func()) *outbox {
	return &outbox{ring: ring, fresh: make(map[int][]time.Duration)}
}

// opened says that there is a pipeline, whose state is what look returns from now on.
func (b *outbox) opened(look func() state) {
	b.mu.Lock()
	b.look = look
	b.mu.Unlock()
	b.ring()
}

func (b *outbox) event(e flusher.Event) { b.post(report{Event: &e}) }

func (b *outbox) ingest(e ingest.Event) { b.post(report{Ingest: fromEvent(e)}) }

func (b *outbox) audit(e consumer.AuditEvent) { b.post(report{Audit: &e}) }

func (b *outbox) post(r report) {
	b.mu.Lock()
	b.waiting = append(b.waiting, r)
	over := len(b.waiting) > waitingMax
	b.mu.Unlock()
	if over {
		panic(fmt.Sprintf("consumer: the harness has not read the last %d events", waitingMax))
	}
	b.ring()
}

// addFresh adds samples to what goes with the next state.
func (b *outbox) addFresh(worker int, samples []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := append(b.fresh[worker], samples...)
	b.fresh[worker] = all[max(0, len(all)-freshMax):]
}

// collect returns what waits, and the state as it is now, which is not older than any of the events
// before it.
func (b *outbox) collect() []report {
	b.mu.Lock()
	reports, look := b.waiting, b.look
	for _, worker := range slices.Sorted(maps.Keys(b.fresh)) {
		reports = append(reports, report{Fresh: &fresh{Worker: worker, Samples: b.fresh[worker]}})
	}
	b.waiting = nil
	clear(b.fresh)
	b.mu.Unlock()
	if look != nil {
		now := look()
		reports = append(reports, report{State: &now})
	}
	return reports
}
