package instance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"sluice/consumer/ingest"
	"sluice/flusher"
)

const (
	// stateEvery is how often the state is sent, beside what each event makes new.
	stateEvery = 50 * time.Millisecond
	// farewellMax bounds how long an ending child waits for a harness that does not read.
	farewellMax = 5 * time.Second
	// waitingMax bounds the events that wait to be read. None may be lost, since the run is judged
	// by them, so a child that has more than these waiting gives up.
	waitingMax = 1 << 16
	// freshMax bounds the freshness samples of a worker that wait to be read; the oldest are dropped
	// beyond it. They are a statistic: dropping some costs precision and nothing else.
	freshMax = 1 << 16
)

// outbox sends the child's reports to the harness. Its methods never block: a harness that does not
// read must not stop the pipeline.
type outbox struct {
	pipe *os.File
	news chan struct{} // holds one: there is something to send at once
	end  chan struct{}
	done chan struct{}

	mu      sync.Mutex
	look    func() state // nil: there is no pipeline yet
	waiting []report
	fresh   map[int][]time.Duration
}

func newOutbox(pipe *os.File) *outbox {
	b := &outbox{
		pipe:  pipe,
		news:  make(chan struct{}, 1),
		end:   make(chan struct{}),
		done:  make(chan struct{}),
		fresh: make(map[int][]time.Duration),
	}
	go b.run()
	return b
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

func (b *outbox) post(r report) {
	b.mu.Lock()
	b.waiting = append(b.waiting, r)
	over := len(b.waiting) > waitingMax
	b.mu.Unlock()
	if over {
		panic(fmt.Sprintf("instance: the harness has not read the last %d events", waitingMax))
	}
	b.ring()
}

func (b *outbox) ring() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// addFresh adds samples to what goes with the next state.
func (b *outbox) addFresh(worker int, samples []time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := append(b.fresh[worker], samples...)
	b.fresh[worker] = all[max(0, len(all)-freshMax):]
}

// close sends what is left, and the last word if there is one.
func (b *outbox) close(err error) {
	if err != nil {
		b.post(report{LastWord: err.Error()})
	}
	// Set from here, in case a write to a harness that does not read is under way. A pipe that
	// cannot do that is no reason to keep the child.
	_ = b.pipe.SetWriteDeadline(time.Now().Add(farewellMax))
	close(b.end)
	<-b.done
}

func (b *outbox) run() {
	defer close(b.done)
	ticker := time.NewTicker(stateEvery)
	defer ticker.Stop()
	for {
		select {
		case <-b.end:
			b.send()
			return
		case <-b.news:
		case <-ticker.C:
		}
		b.send()
	}
}

// send writes what waits, and the state as it is now, which is not older than any of the events
// before it. A harness that cannot be written to is gone, and the end of stdin says so too.
func (b *outbox) send() {
	b.mu.Lock()
	lines, look := b.waiting, b.look
	for _, worker := range slices.Sorted(maps.Keys(b.fresh)) {
		lines = append(lines, report{Fresh: &fresh{Worker: worker, Samples: b.fresh[worker]}})
	}
	b.waiting = nil
	clear(b.fresh)
	b.mu.Unlock()
	if look != nil {
		now := look()
		lines = append(lines, report{State: &now})
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			panic("instance: a report cannot be encoded: " + err.Error())
		}
	}
	_, _ = b.pipe.Write(text.Bytes())
}
