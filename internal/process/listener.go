package process

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Listeners returns the processes that listen at addresses, "host:port", each once, if all are of this
// machine and may be looked at; or why not, in words.
func Listeners(addresses []string) (pids []int, why string) {
	for _, address := range addresses {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err.Error()
		}
		if !Local(address) {
			return nil, fmt.Sprintf("%s is on another machine", address)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return nil, err.Error()
		}
		pid := listener(number)
		if pid == 0 {
			return nil, fmt.Sprintf("the process behind %s may not be looked at", address)
		}
		if !slices.Contains(pids, pid) { // it may have several addresses
			pids = append(pids, pid)
		}
	}
	return pids, ""
}

// Local tells whether all addresses, "host:port" each, are of this machine. Of a server in a container those
// are that are forwarded to it, and not its own behind them.
func Local(addresses ...string) bool {
	return !slices.ContainsFunc(addresses, func(address string) bool {
		host, _, err := net.SplitHostPort(address)
		return err != nil || !isLocal(host)
	})
}

// isLocal tells whether a host is this machine.
func isLocal(host string) bool {
	ips, err := net.LookupIP(host)
	if err != nil {
		return false
	}
	own, _ := net.InterfaceAddrs() // without them only loopback counts
	for _, ip := range ips {
		local := ip.IsLoopback()
		for _, address := range own {
			if network, ok := address.(*net.IPNet); ok && network.IP.Equal(ip) {
				local = true
			}
		}
		if !local {
			return false
		}
	}
	return len(ips) > 0
}

// dockerProxy is the name of Docker's process that listens for one in a container, to which it carries what
// comes: what it computes is not what that one does.
const dockerProxy = "docker-proxy"

// listener returns the process of this machine that listens on a port; 0 if none does that may be
// looked at.
func listener(port uint64) int {
	sockets := listening(port)
	fs, err := system()
	if err != nil || len(sockets) == 0 {
		return 0
	}
	all, err := fs.AllProcs()
	if err != nil {
		return 0
	}
	for _, p := range all {
		targets, _ := p.FileDescriptorTargets() // those of other users may not be looked at
		if !slices.ContainsFunc(targets, func(target string) bool { return sockets[target] }) {
			continue
		}
		if name, _ := p.Comm(); name != dockerProxy {
			return p.PID
		}
	}
	return 0
}

// listening returns the sockets that listen on a port, by what a descriptor of them is called. The
// lines of /proc/net/tcp are in proc_pid_net(5).
func listening(port uint64) map[string]bool {
	const (
		columnLocal, columnState, columnInode = 1, 3, 9
		stateListen                           = "0A"
	)
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(table) // one of the two is enough
		for line := range strings.Lines(string(text)) {
			columns := strings.Fields(line)
			if len(columns) <= columnInode || columns[columnState] != stateListen {
				continue
			}
			_, local, _ := strings.Cut(columns[columnLocal], ":")
			if n, err := strconv.ParseUint(local, 16, 16); err == nil && n == port {
				sockets["socket:["+columns[columnInode]+"]"] = true
			}
		}
	}
	return sockets
}
