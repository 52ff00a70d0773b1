package netfault

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"sluice/internal/servers"
)

// door is the proxy to one server.
type door struct {
	upstream, address string
	requests, answers *half

	mu       sync.Mutex
	refusals int // faults that keep it shut
	closed   bool
	shut     func() // closes the listener and all connections, if they are open
}

// openTries is how many ports are tried, should others take them between the look and the use.
const openTries = 5

func openDoor(upstream string) (*door, error) {
	for try := 1; ; try++ {
		port, err := servers.FreePort()
		if err != nil {
			return nil, err
		}
		d := &door{
			upstream: upstream, address: fmt.Sprintf("127.0.0.1:%d", port),
			requests: newHalf(), answers: newHalf(),
		}
		if err = d.open(); err == nil || try == openTries {
			return d, err
		}
	}
}

// open lets connections in until shut is called.
func (d *door) open() error {
	listener, err := net.Listen("tcp", d.address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { d.serve(ctx, client) })
		}
	})
	d.shut = func() {
		listener.Close()
		cancel()
		serving.Wait()
	}
	return nil
}

// serve carries a connection's bytes to the server and back. It closes both ends when one is
// closed, or when ctx ends.
func (d *door) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", d.upstream)
	if err != nil {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})
	defer stop()
	var requests sync.WaitGroup
	requests.Go(func() { d.requests.carry(ctx, client, server) })
	d.answers.carry(ctx, server, client)
	requests.Wait()
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

// cut closes all connections, calls a function while there is none, and lets new ones in.
func (d *door) cut(between func()) error {
	d.refuse()
	between()
	return d.admit()
}

func (d *door) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refusals++; d.refusals == 1 && !d.closed {
		d.shut()
	}
}

// reopenMax bounds the wait for the port, should somebody have taken it.
const reopenMax = 5 * time.Second

func (d *door) admit() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refusals--; d.refusals > 0 || d.closed {
		return nil
	}
	for deadline := time.Now().Add(reopenMax); ; time.Sleep(10 * time.Millisecond) {
		err := d.open()
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// close shuts the door for good, and returns when nothing goes through it any more.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.shut()
}
