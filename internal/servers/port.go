package servers

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
)

// Ports are taken from below the range that Linux gives to outgoing connections (from 32768), so
// that none can slip in while a server is stopped and must come back on the same port.
const (
	portMin = 20000
	portMax = 32000
)

// retryPorts runs start, which picks new ports each time, again when another program took a port
// between our look and the server's bind.
func retryPorts[S any](start func() (S, error)) (S, error) {
	for tries := 1; ; tries++ {
		s, err := start()
		if err == nil || tries == 5 || !strings.Contains(err.Error(), "Address already in use") {
			return s, err
		}
	}
}

// reserved is how many of the ports that a process was given last it keeps from all others.
const reserved = 256

// ports gives ports of 127.0.0.1, min up to but not max. A port that was given is kept from every other
// drawer of this machine, in this process and in others, also while nobody listens on it (its server
// starts, or was stopped for a while): the drawer holds the UDP port of the same number.
type ports struct {
	min, max int
	mu       sync.Mutex
	held     [reserved]net.PacketConn // nil: not used yet
	next     int                      // in held: what was given first, and is let go when another is given
}

var ours = ports{min: portMin, max: portMax}

// FreePort finds a port of 127.0.0.1 that nobody listens on and that was given to nobody, and that no
// outgoing connection gets, so that whoever stops listening on it can do so again.
func FreePort() (int, error) { return ours.free() }

func (p *ports) free() (int, error) {
	for range 200 {
		port := p.min + rand.IntN(p.max-p.min)
		hold, err := net.ListenPacket("udp", loopback(port))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			_ = hold.Close()
			continue
		}
		return port, errors.Join(l.Close(), p.keep(hold))
	}
	return 0, fmt.Errorf("find a port: 200 random ports of %d..%d are all taken", p.min, p.max-1)
}

// keep keeps a port until as many others as reserved were given.
func (p *ports) keep(hold net.PacketConn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := p.held[p.next]
	p.held[p.next] = hold
	p.next = (p.next + 1) % reserved
	if first == nil {
		return nil
	}
	return first.Close()
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
