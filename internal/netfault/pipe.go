package netfault

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// pipe is one direction of one connection. What nothing holds up is written as soon as it is read;
// everything else is queued, and written by a task of its own.
type pipe struct {
	half     *half
	from, to net.Conn
	news     chan struct{} // holds one: something was queued
	room     chan struct{} // holds one: something left the queue

	mu    sync.Mutex // held while writing, so that bytes keep their order
	queue []chunk
	held  int       // bytes in the queue
	next  time.Time // when a throttled connection may go on
	ended bool      // nothing more will be queued
}

// chunk is what one read brought, and when.
type chunk struct {
	data []byte
	came time.Time
}

// Bounds of what a pipe holds back; the rest stays with the sender, as in a network.
const (
	heldMax = 4 << 20
	// heldThrottled is less, so that a slow connection has no long queue.
	heldThrottled = 64 << 10
	readMax       = 64 << 10
)

// pieceEvery is how often a throttled connection gets its next piece.
const pieceEvery = 20 * time.Millisecond

// forever is longer than any run.
const forever = 1000 * time.Hour

func newPipe(h *half, from, to net.Conn) *pipe {
	return &pipe{half: h, from: from, to: to, news: make(chan struct{}, 1),
		room: make(chan struct{}, 1)}
}

// ring tells whoever waits that something is new.
func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// read carries bytes until the end of the stream. An error means that the connection is broken.
func (p *pipe) read(ctx context.Context) error {
	defer ring(p.news)
	buffer := make([]byte, readMax)
	for {
		n, err := p.from.Read(buffer)
		if n > 0 {
			if err := p.accept(ctx, buffer[:n]); err != nil {
				return err
			}
		}
		if err != nil {
			p.mu.Lock()
			p.ended = true
			p.mu.Unlock()
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

// accept writes or queues what was read.
func (p *pipe) accept(ctx context.Context, data []byte) error {
	p.mu.Lock()
	now := p.half.now()
	if now.effect == (effect{}) && len(p.queue) == 0 {
		defer p.mu.Unlock()
		_, err := p.to.Write(data)
		return err
	}
	if !now.swallow {
		p.queue = append(p.queue, chunk{append([]byte(nil), data...), time.Now()})
		p.held += len(data)
	}
	p.mu.Unlock()
	ring(p.news)
	for p.full() {
		select {
		case <-p.room:
		case <-p.half.now().changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// full tells whether as much is held back as may be.
func (p *pipe) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.half.now().rate > 0 {
		return p.held >= heldThrottled
	}
	return p.held >= heldMax
}

// write sends what is queued, as the effects of the moment want it, until the stream's end, which it
// passes on. An error means that the connection is broken.
func (p *pipe) write(ctx context.Context) error {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		now := p.half.now()
		wait, done, err := p.step(now.effect)
		if done || err != nil {
			return err
		}
		if wait <= 0 {
			ring(p.room)
			continue
		}
		timer.Reset(wait)
		select {
		case <-p.news:
		case <-timer.C:
		case <-now.changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// step sends the head of the queue if it is due, and returns how long to wait if not. done is true
// once the end of the stream was passed on.
func (p *pipe) step(now effect) (wait time.Duration, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.swallow {
		p.queue, p.held = nil, 0
	}
	if p.ended && len(p.queue) == 0 {
		return 0, true, p.to.(*net.TCPConn).CloseWrite()
	}
	if wait := p.due(now); wait > 0 {
		return wait, false, nil
	}
	return 0, false, p.send(now)
}

// due returns in how long the head of the queue is to be sent.
func (p *pipe) due(now effect) time.Duration {
	if len(p.queue) == 0 || now.hold {
		return forever
	}
	due := p.queue[0].came.Add(now.delay)
	if now.rate > 0 && p.next.After(due) {
		due = p.next
	}
	return time.Until(due)
}

// send sends the head of the queue, or a throttled connection's next piece of it.
func (p *pipe) send(now effect) error {
	piece := p.queue[0].data
	if now.rate > 0 {
		most := max(1, int(time.Duration(now.rate)*pieceEvery/time.Second))
		piece = piece[:min(most, len(piece))]
		p.next = time.Now().Add(time.Duration(len(piece)) * time.Second / time.Duration(now.rate))
	}
	if _, err := p.to.Write(piece); err != nil {
		return err
	}
	p.held -= len(piece)
	if p.queue[0].data = p.queue[0].data[len(piece):]; len(p.queue[0].data) == 0 {
		p.queue = p.queue[1:]
	}
	return nil
}
