package process

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
	_, port, _ := net.SplitHostPort(own)
	// By two names, too, it is one process.
	if pids, why := Listeners([]string{own, "localhost:" + port}); len(pids) != 1 || pids[0] != os.Getpid() {
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

func TestLocal(t *testing.T) {
	for _, c := range []struct {
		addresses []string
		want      bool
	}{
		{nil, true}, {[]string{"127.0.0.1:1"}, true}, {[]string{"[::1]:1", "localhost:2"}, true},
		{[]string{"192.0.2.1:80"}, false}, {[]string{"127.0.0.1:1", "192.0.2.1:80"}, false},
		{[]string{"127.0.0.1"}, false},
	} {
		if got := Local(c.addresses...); got != c.want {
			t.Errorf("%v: %v, want %v", c.addresses, got, c.want)
		}
	}
}

// forward is this program as one that listens for a container, until its standard input ends.
func forward() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// TestAForwarderIsNotTheServer: what listens for a container is not taken for what is in it.
func TestAForwarderIsNotTheServer(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), dockerProxy)
	if err := os.Symlink(own, name); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if pids, why := Listeners([]string{strings.TrimSpace(address)}); pids != nil ||
		!strings.Contains(why, "may not be looked at") {
		t.Errorf("%v, %q; want none", pids, why)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
