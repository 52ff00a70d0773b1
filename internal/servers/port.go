package servers

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
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

// FreePort finds a port of 127.0.0.1 that nobody listens on, and that no outgoing connection gets,
// so that whoever stops listening on it can do so again.
func FreePort() (int, error) {
	for range 200 {
		port := portMin + rand.IntN(portMax-portMin)
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		return port, l.Close()
	}
	return 0, fmt.Errorf("find a port: 200 random ports of %d..%d are all taken", portMin, portMax)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
