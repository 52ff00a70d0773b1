package netfault

import (
	"context"
	"errors"
	"net"
	"os"
	"time"
)

// pipe is one direction of one connection. One goroutine reads and writes; deadlines bring it back
// from either when the next chunk is due, or when a fault begins or ends.
type pipe struct {
	from, to net.Conn
	queue    []chunk
	held     int       // bytes in the queue
	free     time.Time // when a throttled connection may go on

	space []byte // what the chunks of the queue lie in
	rest  []byte // of space, where the next bytes are read to
}

// chunk is what was read at once.
type chunk struct {
	data []byte
	came time.Time
}

// Bounds of what a pipe holds back; the rest stays with the sender, as in a network.
const (
	heldMax = 4 << 20
	// heldThrottled is less, so that a slow connection is not a long one.
	heldThrottled = 64 << 10
)

// readMax is how much is read at once.
const readMax = 64 << 10

// pieceEvery is how often a throttled connection gets its next piece.
const pieceEvery = 20 * time.Millisecond

// carry takes the bytes from one end to the other until either is closed, and closes the other.
func (h *half) carry(ctx context.Context, from, to net.Conn) {
	p := &pipe{from: from, to: to}
	h.enter(p)
	defer h.leave(p)
	defer to.Close()
	for open := true; ; {
		now, piece, due, changed := h.plan(p)
		var err error
		switch {
		case piece != nil && !due.After(time.Now()):
			var n int
			n, err = to.Write(piece)
			p.sent(n, now)
		case !open && len(p.queue) == 0:
			return
		case open && p.held < now.heldMax():
			if err = p.read(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				open, err = false, nil // what is held is still delivered
			}
		default:
			wait(ctx, due, changed)
			err = ctx.Err()
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

// wait returns when a chunk is due, if due is not zero, or when the faults have changed.
func wait(ctx context.Context, due time.Time, changed <-chan struct{}) {
	var timer <-chan time.Time
	if !due.IsZero() {
		timer = time.After(time.Until(due))
	}
	select {
	case <-timer:
	case <-changed:
	case <-ctx.Done():
	}
}

// next returns what is to be sent next, and when; nil for nothing.
func (p *pipe) next(e effect) (piece []byte, due time.Time) {
	if e.swallow {
		p.queue, p.held = nil, 0
	}
	if len(p.queue) == 0 || e.hold {
		return nil, time.Time{}
	}
	head := p.queue[0]
	due = head.came.Add(e.delay)
	if e.rate == 0 {
		return head.data, due
	}
	if p.free.After(due) {
		due = p.free
	}
	return head.data[:min(len(head.data), e.piece())], due
}

// sent takes what was sent from the queue's head.
func (p *pipe) sent(n int, e effect) {
	if head := &p.queue[0]; n < len(head.data) {
		head.data = head.data[n:]
	} else {
		p.queue = p.queue[1:]
	}
	p.held -= n
	if e.rate > 0 {
		p.free = time.Now().Add(time.Duration(n) * time.Second / time.Duration(e.rate))
	}
}

// read appends what comes to the queue. Chunks lie one behind the other: a small one that is held
// must not hold the space of a large one.
func (p *pipe) read() error {
	if len(p.queue) == 0 {
		p.rest = p.space
	}
	if len(p.rest) == 0 {
		p.space = make([]byte, readMax)
		p.rest = p.space
	}
	n, err := p.from.Read(p.rest)
	if n > 0 {
		p.queue = append(p.queue, chunk{data: p.rest[:n], came: time.Now()})
		p.held += n
		p.rest = p.rest[n:]
	}
	return err
}
