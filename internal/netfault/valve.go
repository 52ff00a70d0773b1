package netfault

import (
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// valveType is the name by which toxiproxy knows the valve.
const valveType = "sluice-valve"

func init() { toxics.Register(valveType, new(valve)) }

// valve is the toxic through which all bytes of a direction go. There is one per direction of a
// proxy; each connection has a pipe through it.
type valve struct{ half *half }

// Bounds of what a pipe holds back; the rest stays with the sender, as in a network.
const (
	heldMax = 4 << 20
	// heldThrottled is less, so that a slow connection does not become a long one.
	heldThrottled = 64 << 10
)

// pieceEvery is how often a throttled connection gets its next piece.
const pieceEvery = 20 * time.Millisecond

// forever is longer than any run.
const forever = 1000 * time.Hour

// pipe is one connection's way through a valve.
type pipe struct {
	queue []*stream.StreamChunk
	held  int       // bytes in the queue
	free  time.Time // when a throttled connection may go on
}

// Pipe carries the bytes of one connection, until it is closed.
func (v *valve) Pipe(stub *toxics.ToxicStub) {
	gone := v.half.enter()
	defer v.half.leave()
	var p pipe
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for open := true; ; {
		now, changed := v.half.now()
		if now.swallow {
			p.queue, p.held = nil, 0
		}
		if !open && len(p.queue) == 0 {
			stub.Close()
			return
		}
		piece, wait := p.next(now)
		var out chan<- *stream.StreamChunk
		if piece != nil && wait <= 0 {
			out, wait = stub.Output, forever
		}
		in := stub.Input
		if !open || p.held >= now.room() {
			in = nil
		}
		timer.Reset(wait)
		select {
		case chunk := <-in:
			if open = chunk != nil; open && !now.swallow {
				p.queue = append(p.queue, chunk)
				p.held += len(chunk.Data)
			}
		case out <- piece:
			p.sent(piece, now)
		case <-timer.C:
		case <-changed:
		case <-gone:
			drain(stub, open)
			return
		case <-stub.Interrupt:
			return // toxiproxy's way to change toxics, which nobody does here
		}
	}
}

// room is how many bytes may be held back.
func (e effect) room() int {
	if e.rate > 0 {
		return heldThrottled
	}
	return heldMax
}

// next returns what is to be sent next, and how long from now; nil for nothing.
func (p *pipe) next(e effect) (piece *stream.StreamChunk, wait time.Duration) {
	if len(p.queue) == 0 || e.hold {
		return nil, forever
	}
	head := p.queue[0]
	now := time.Now()
	due := head.Timestamp.Add(e.delay)
	if e.rate == 0 {
		return head, due.Sub(now)
	}
	if p.free.After(due) {
		due = p.free
	}
	if size := e.piece(); len(head.Data) > size {
		head = &stream.StreamChunk{Data: head.Data[:size], Timestamp: head.Timestamp}
	}
	return head, due.Sub(now)
}

// piece is how many bytes a throttled connection gets at a time.
func (e effect) piece() int {
	return max(1, int(time.Duration(e.rate)*pieceEvery/time.Second))
}

// sent takes a piece from the queue's head.
func (p *pipe) sent(piece *stream.StreamChunk, e effect) {
	if head := p.queue[0]; head == piece || len(head.Data) == len(piece.Data) {
		p.queue = p.queue[1:]
	} else {
		head.Data = head.Data[len(piece.Data):]
	}
	p.held -= len(piece.Data)
	if e.rate > 0 {
		p.free = time.Now().Add(time.Duration(len(piece.Data)) * time.Second / time.Duration(e.rate))
	}
}

// drain closes what is behind the valve, which closes the connection, and lets what is before it
// come to its end: toxiproxy does not, and would wait forever to hand over what nobody takes.
func drain(stub *toxics.ToxicStub, open bool) {
	stub.Close()
	for open {
		open = <-stub.Input != nil
	}
}
