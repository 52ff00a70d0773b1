package instance

import (
	"bufio"
	"encoding/json"
	"os"
	"sync"
	"time"
)

const (
	// queueMax bounds what waits for a harness that does not read: looks are dropped beyond it. Of
	// everything else there is no more than happens, and none of it may be missed.
	queueMax = 1024
	// farewellMax bounds how long an ending consumer waits for a harness that does not read.
	farewellMax = 5 * time.Second
)

// outbox sends reports in their order. Sending never blocks: a harness that is slow to read must not
// stop the supervisor.
type outbox struct {
	pipe *os.File
	done chan struct{}

	mu     sync.Mutex
	filled *sync.Cond
	queue  []report
	closed bool
}

func newOutbox(pipe *os.File) *outbox {
	b := &outbox{pipe: pipe, done: make(chan struct{})}
	b.filled = sync.NewCond(&b.mu)
	go b.run()
	return b
}

func (b *outbox) send(r report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || r.Look != nil && len(b.queue) >= queueMax {
		return
	}
	b.queue = append(b.queue, r)
	b.filled.Signal()
}

// close sends a last report, if it says anything, and what is queued.
func (b *outbox) close(last report) {
	if last != (report{}) {
		b.send(last)
	}
	b.mu.Lock()
	b.closed = true
	b.filled.Signal()
	b.mu.Unlock()
	select {
	case <-b.done:
	case <-time.After(farewellMax):
	}
}

func (b *outbox) run() {
	defer close(b.done)
	out := bufio.NewWriter(b.pipe)
	encoder := json.NewEncoder(out)
	for {
		b.mu.Lock()
		for len(b.queue) == 0 && !b.closed {
			b.filled.Wait()
		}
		batch := b.queue
		b.queue = nil
		b.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for i := range batch {
			if encoder.Encode(&batch[i]) != nil {
				return // nobody reads any more; the end of the orders says so, too
			}
		}
		if out.Flush() != nil {
			return
		}
	}
}
