package netfault

import (
	"context"
	"net"
	"sync"
	"time"
)

// door is the proxy to one server.
type door struct {
	upstream, address string
	requests, answers *half

	mu       sync.Mutex
	refusals int // faults that keep it shut
	closed   bool
	opened   *opening // nil while it is shut
}

// opening is the time from when a door lets connections in until it closes them all.
type opening struct {
	listener net.Listener
	ctx      context.Context
	end      context.CancelFunc
	work     sync.WaitGroup
}

func openDoor(upstream string) (*door, error) {
	d := &door{upstream: upstream, address: "127.0.0.1:0", requests: newHalf(), answers: newHalf()}
	if err := d.open(); err != nil {
		return nil, err
	}
	d.address = d.opened.listener.Addr().String()
	return d, nil
}

func (d *door) halves(direction Direction) []*half {
	switch direction {
	case Requests:
		return []*half{d.requests}
	case Answers:
		return []*half{d.answers}
	}
	return []*half{d.requests, d.answers}
}

// open lets connections in.
func (d *door) open() error {
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		return err
	}
	o := &opening{listener: listener}
	o.ctx, o.end = context.WithCancel(context.Background())
	d.opened = o
	o.work.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			o.work.Go(func() { d.connect(o, client) })
		}
	})
	return nil
}

// dialMax bounds the wait for a server that does not answer a connection.
const dialMax = 10 * time.Second

// connect carries the bytes of a connection until one of its ends closes it, or the door does.
func (d *door) connect(o *opening, client net.Conn) {
	defer client.Close()
	dialer := net.Dialer{Timeout: dialMax}
	server, err := dialer.DialContext(o.ctx, "tcp", d.upstream)
	if err != nil {
		return
	}
	defer server.Close()
	ctx, end := context.WithCancel(o.ctx)
	defer end()
	// Closing both is what wakes whoever reads or writes.
	defer context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})()
	var both sync.WaitGroup
	for _, way := range []*pipe{
		newPipe(d.requests, client, server), newPipe(d.answers, server, client),
	} {
		for _, carry := range []func(context.Context) error{way.read, way.write} {
			both.Go(func() {
				if carry(ctx) != nil {
					end()
				}
			})
		}
	}
	both.Wait()
}

// shut closes the listener and all connections, and returns when nothing goes through any more.
func (d *door) shut() {
	if d.opened == nil {
		return
	}
	d.opened.listener.Close()
	d.opened.end()
	d.opened.work.Wait()
	d.opened = nil
}

// reopenMax bounds the wait for the port, should somebody have taken it.
const reopenMax = 5 * time.Second

func (d *door) reopen() error {
	for deadline := time.Now().Add(reopenMax); ; time.Sleep(10 * time.Millisecond) {
		err := d.open()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// cut closes all connections, calls a function while there is none, and lets new ones in.
func (d *door) cut(between func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refusals > 0 || d.closed {
		between()
		return nil
	}
	d.shut()
	between()
	return d.reopen()
}

func (d *door) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refusals++; d.refusals == 1 && !d.closed {
		d.shut()
	}
}

func (d *door) admit() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refusals--; d.refusals > 0 || d.closed {
		return nil
	}
	return d.reopen()
}

// close shuts the door for good.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.shut()
}
