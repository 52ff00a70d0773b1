package servers_test

import (
	"errors"
	"net"
	"strings"
	"testing"

	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

func TestTakenPortIsTriedAgainAndOtherFaultsAreNot(t *testing.T) {
	taken := errors.New("bind: Address already in use")
	other := errors.New("bad option")
	tests := []struct {
		name   string
		faults []error // of the tries, in order; then it starts
		tries  int
		err    error
	}{
		{"free", nil, 1, nil},
		{"taken twice", []error{taken, taken}, 3, nil},
		{"always taken", []error{taken, taken, taken, taken, taken, taken}, 5, taken},
		{"other fault", []error{other, nil}, 1, other},
	}
	for _, tt := range tests {
		tries := 0
		_, err := servers.RetryPorts(func() (int, error) {
			tries++
			if tries <= len(tt.faults) {
				return 0, tt.faults[tries-1]
			}
			return 0, nil
		})
		if tries != tt.tries || !errors.Is(err, tt.err) {
			t.Errorf("%s: %d tries, %v; want %d, %v", tt.name, tries, err, tt.tries, tt.err)
		}
	}
}

// TestNoPortIsGivenTwice: a server that is not up yet, or was stopped for a while, must find its port
// free. Kafka's two ports were once the same.
func TestNoPortIsGivenTwice(t *testing.T) {
	// Beside the range that others draw from. A drawer of its own stands for another process.
	draw, end := servers.PortsOf(32000, 32700)
	other, otherEnd := servers.PortsOf(32000, 32700)
	defer end()
	defer otherEnd()
	given := make(map[int]bool)
	for range 150 {
		for _, draw := range []func() (int, error){draw, other} {
			port, err := draw()
			check(t, err)
			if given[port] {
				t.Fatalf("port %d was given twice, of %d", port, len(given))
			}
			given[port] = true
		}
	}
}

// TestServersSayThatTheirPortIsTaken holds the servers' words to what retryPorts looks for.
func TestServersSayThatTheirPortIsTaken(t *testing.T) {
	t.Parallel()
	r := servertest.Redis(t)
	refusesTaken(t, r.Addr, r.Stop, r.Start)
	k := servertest.NewKafka(t)
	refusesTaken(t, k.Addr, k.Stop, k.Start)
}

func refusesTaken(t *testing.T, addr string, stop, start func() error) {
	t.Helper()
	check(t, stop())
	l, err := net.Listen("tcp", addr)
	check(t, err)
	defer l.Close()
	if err := start(); err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("on a taken port: %v", err)
	}
}
