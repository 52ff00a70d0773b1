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
