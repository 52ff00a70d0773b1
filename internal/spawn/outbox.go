package spawn

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"sluice/flusher"
)

const (
	// reportInterval is the least time between two lines to the parent.
	reportInterval = 50 * time.Millisecond
	// farewellMax bounds how long an ending worker waits for a parent that does not read.
	farewellMax = time.Second
)

// outbox sends a worker's reports to its parent. Reports that come faster than reportInterval are
// thinned out to the last one; without a new report nothing is sent.
type outbox struct {
	pipe *os.File
	news chan struct{} // holds one: there is something to send
	end  chan struct{}
	done chan struct{}

	mu     sync.Mutex
	status *flusher.Status // nil: nothing new
	fresh  []time.Duration
	word   string
}

var _ flusher.Reporter = (*outbox)(nil)

func newOutbox(pipe *os.File) *outbox {
	b := &outbox{
		pipe: pipe,
		news: make(chan struct{}, 1),
		end:  make(chan struct{}),
		done: make(chan struct{}),
	}
	go b.run()
	return b
}

// Report replaces what is to be sent. It never blocks: a parent that does not read must not stop
// its workers.
func (b *outbox) Report(status flusher.Status) {
	b.mu.Lock()
	b.status = &status
	b.mu.Unlock()
	b.ring()
}

// Fresh adds samples to what is to be sent.
func (b *outbox) Fresh(samples []time.Duration) {
	b.mu.Lock()
	b.fresh = appendBounded(b.fresh, samples)
	b.mu.Unlock()
	b.ring()
}

func (b *outbox) ring() {
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// close sends what is left, and the last word if there is one.
func (b *outbox) close(err error) {
	if err != nil {
		b.mu.Lock()
		b.word = err.Error()
		b.mu.Unlock()
		b.ring()
	}
	// Set from here too, in case a write to a parent that does not read is under way.
	b.bound()
	close(b.end)
	<-b.done
}

// bound ends writes that take longer than farewellMax. A pipe that cannot do that is no reason to
// keep the worker.
func (b *outbox) bound() { _ = b.pipe.SetWriteDeadline(time.Now().Add(farewellMax)) }

func (b *outbox) run() {
	defer close(b.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-b.end:
			b.send()
			return
		case <-b.news:
		}
		b.send()
		pause.Reset(reportInterval)
		select {
		case <-b.end:
			b.send()
			return
		case <-pause.C:
		}
	}
}

// send writes what is new, if anything. A parent that cannot be written to is gone, and the end of
// stdin says so too.
func (b *outbox) send() {
	b.mu.Lock()
	line := report{Status: b.status, Fresh: b.fresh, LastWord: b.word}
	b.status, b.fresh, b.word = nil, nil, ""
	b.mu.Unlock()
	if line.Status == nil && line.Fresh == nil && line.LastWord == "" {
		return
	}
	line.Usage = usage()
	text, err := json.Marshal(line)
	if err != nil {
		panic("spawn: a report cannot be encoded: " + err.Error())
	}
	_, _ = b.pipe.Write(append(text, '\n'))
}

// usage asks the kernel what this process has used.
func usage() Usage {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return Usage{}
	}
	return Usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), RSS: resident()}
}

// resident is what this process holds now. The greatest ever, as getrusage has it, begins with what
// the parent held when it started this process.
func resident() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(statm), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
