// Package logging keeps a log from harming the program that writes it: a reader of the log that goes
// away or stops to read neither ends nor stops the program, and what is repeated is written a few
// times and then counted.
package logging

import (
	"io"
	"sync"
	"time"
)

// outputBytesMax is how much of a log may wait to be written.
const outputBytesMax = 1 << 20

// Output is a writer that neither waits nor fails. What cannot be written yet waits; what is more
// than outputBytesMax, or cannot be written at all, is dropped and counted.
type Output struct {
	to io.Writer

	mu      sync.Mutex
	waiting []byte
	lines   int // in waiting: calls of Write
	writing int // bytes of what is being written
	dropped uint64
	news    chan struct{} // holds one if there is something to write, or to end
	closed  bool
	done    chan struct{}
}

// NewOutput returns an output that writes to a writer until Close.
func NewOutput(to io.Writer) *Output {
	o := &Output{to: to, news: make(chan struct{}, 1), done: make(chan struct{})}
	go o.run()
	return o
}

// Write takes a line, or drops it. It never returns an error.
func (o *Output) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.waiting)+o.writing+len(line) > outputBytesMax {
		o.dropped++
		return len(line), nil
	}
	o.waiting = append(o.waiting, line...)
	o.lines++
	o.ring()
	return len(line), nil
}

// ring wakes the writing goroutine. The caller holds mu.
func (o *Output) ring() {
	select {
	case o.news <- struct{}{}:
	default:
	}
}

func (o *Output) run() {
	defer close(o.done)
	for range o.news {
		o.mu.Lock()
		text, lines, last := o.waiting, o.lines, o.closed
		o.waiting, o.lines, o.writing = nil, 0, len(text)
		o.mu.Unlock()
		_, err := o.to.Write(text)
		o.mu.Lock()
		o.writing = 0
		if err != nil {
			o.dropped += uint64(lines)
		}
		o.mu.Unlock()
		if last {
			return
		}
	}
}

// Dropped returns how many lines were dropped.
func (o *Output) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped
}

// Close writes what waits, if that takes no longer than patience. What is written after it is
// dropped.
func (o *Output) Close(patience time.Duration) {
	o.mu.Lock()
	o.closed = true
	o.ring()
	o.mu.Unlock()
	select {
	case <-o.done:
	case <-time.After(patience):
	}
}
