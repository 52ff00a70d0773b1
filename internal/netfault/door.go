package netfault

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/Shopify/toxiproxy/v2"

	"sluice/internal/servers"
)

// door is the proxy to one server.
type door struct {
	address           string
	proxy             *toxiproxy.Proxy
	requests, answers *half

	mu       sync.Mutex
	refusals int // faults that keep it shut
	closed   bool
}

// openTries is how many ports are tried, should others take them between the look and the use.
const openTries = 5

func openDoor(server *toxiproxy.ApiServer, upstream string) (*door, error) {
	for try := 1; ; try++ {
		port, err := servers.FreePort()
		if err != nil {
			return nil, err
		}
		d := &door{
			address:  fmt.Sprintf("127.0.0.1:%d", port),
			requests: newHalf(), answers: newHalf(),
		}
		d.proxy = toxiproxy.NewProxy(server, upstream, d.address, upstream)
		if err = d.install("upstream", d.requests); err != nil {
			return nil, err
		}
		if err = d.install("downstream", d.answers); err != nil {
			return nil, err
		}
		if err = d.proxy.Start(); err == nil {
			return d, nil
		}
		if try == openTries {
			return nil, err
		}
	}
}

// install puts the valve into a direction, before there are connections.
func (d *door) install(direction string, h *half) error {
	toxic, err := d.proxy.Toxics.AddToxicJson(strings.NewReader(
		fmt.Sprintf(`{"name": %q, "type": %q, "stream": %[1]q}`, direction, valveType)))
	if err != nil {
		return err
	}
	toxic.Toxic.(*valve).half = h
	return nil
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

// shut closes the listener and all connections.
func (d *door) shut() {
	d.proxy.Stop()
	d.requests.drop()
	d.answers.drop()
}

// reopenMax bounds the wait for the port, should somebody have taken it.
const reopenMax = 5 * time.Second

func (d *door) reopen() error {
	for deadline := time.Now().Add(reopenMax); ; time.Sleep(10 * time.Millisecond) {
		err := d.proxy.Start()
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

// close shuts the door for good, and returns when nothing goes through it any more.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.proxy.Stop()
	d.requests.end()
	d.answers.end()
}
