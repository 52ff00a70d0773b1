package netfault

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Net is a network of proxies. It is safe for concurrent use.
type Net struct {
	mu    sync.Mutex
	doors map[string]*door // by upstream
}

// Direction is a half of a connection.
type Direction int

// The directions.
const (
	// Both are requests and answers.
	Both Direction = iota
	// Requests go from the client to the server.
	Requests
	// Answers come from the server to the client.
	Answers
)

// Undo ends a fault. It may be called again, and does nothing then.
type Undo func() error

// Open returns a network without proxies.
func Open() *Net { return &Net{doors: map[string]*door{}} }

// Add opens a proxy to a server, "host:port", and returns the address to dial instead. A server
// that has one already keeps it.
func (n *Net) Add(upstream string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if d, ok := n.doors[upstream]; ok {
		return d.address, nil
	}
	d, err := openDoor(upstream)
	if err != nil {
		return "", fmt.Errorf("open a proxy to %s: %w", upstream, err)
	}
	n.doors[upstream] = d
	return d.address, nil
}

// Routes returns the address to dial for each server that has a proxy.
func (n *Net) Routes() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	routes := map[string]string{}
	for upstream, d := range n.doors {
		routes[upstream] = d.address
	}
	return routes
}

// Slow delays everything that goes over connections to the server.
func (n *Net) Slow(upstream string, d Direction, by time.Duration) (Undo, error) {
	if by <= 0 {
		return nil, fmt.Errorf("a delay of %v delays nothing", by)
	}
	return n.set(upstream, d, effect{delay: by}, nil)
}

// Throttle lets so many bytes per second through, on each connection and in each direction.
func (n *Net) Throttle(upstream string, d Direction, bytesPerSecond int64) (Undo, error) {
	if bytesPerSecond <= 0 {
		return nil, fmt.Errorf("a rate of %d bytes per second lets nothing through", bytesPerSecond)
	}
	return n.set(upstream, d, effect{rate: bytesPerSecond}, nil)
}

// BlackHole swallows what is sent. When it is undone, all connections are closed: a stream with a
// gap must not continue.
func (n *Net) BlackHole(upstream string, d Direction) (Undo, error) {
	return n.set(upstream, d, effect{swallow: true}, (*door).cut)
}

// Hold keeps what is sent until it is undone, and then delivers it: as a server that is frozen, or
// that answers nobody for a while, looks from outside.
func (n *Net) Hold(upstream string, d Direction) (Undo, error) {
	return n.set(upstream, d, effect{hold: true}, nil)
}

// Cut closes all connections to the server; new ones can be opened.
func (n *Net) Cut(upstream string) error {
	d, err := n.door(upstream)
	if err != nil {
		return err
	}
	return d.cut(func() {})
}

// Refuse closes all connections to the server, and refuses new ones.
func (n *Net) Refuse(upstream string) (Undo, error) {
	d, err := n.door(upstream)
	if err != nil {
		return nil, err
	}
	d.refuse()
	return once(d.admit), nil
}

// set puts an effect on the halves of the connections to a server. ending, if not nil, is how it is
// taken away.
func (n *Net) set(
	upstream string, direction Direction, e effect, ending func(d *door, remove func()) error,
) (Undo, error) {
	d, err := n.door(upstream)
	if err != nil {
		return nil, err
	}
	halves := d.halves(direction)
	for _, h := range halves {
		h.add(&e)
	}
	remove := func() {
		for _, h := range halves {
			h.remove(&e)
		}
	}
	return once(func() error {
		if ending != nil {
			return ending(d, remove)
		}
		remove()
		return nil
	}), nil
}

func (n *Net) door(upstream string) (*door, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, ok := n.doors[upstream]
	if !ok {
		return nil, fmt.Errorf("%s has no proxy: there are some to %v", upstream,
			slices.Sorted(maps.Keys(n.doors)))
	}
	return d, nil
}

// Close closes all proxies with their connections, whatever faults last, and returns when nothing
// goes through them any more.
func (n *Net) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range n.doors {
		d.close()
	}
	clear(n.doors)
}

// once makes an Undo of a function that must be called once.
func once(end func() error) Undo {
	var done sync.Once
	return func() (err error) {
		done.Do(func() { err = end() })
		return err
	}
}
