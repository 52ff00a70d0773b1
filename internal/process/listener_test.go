package process

import (
	"net"
	"os"
	"strings"
	"testing"
)

// TestListeners finds the process behind a port, here this one, and says why it does not where it does
// not.
func TestListeners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := l.Addr().String()
	if pids, why := Listeners([]string{own}); len(pids) != 1 || pids[0] != os.Getpid() {
		t.Errorf("%v, %q; want %d", pids, why, os.Getpid())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		own:            "may not be looked at",
		"192.0.2.1:80": "is on another machine",
		"nowhere":      "missing port",
	} {
		if pids, why := Listeners([]string{address}); pids != nil || !strings.Contains(why, want) {
			t.Errorf("%s: %v, %q, want %q", address, pids, why, want)
		}
	}
}
