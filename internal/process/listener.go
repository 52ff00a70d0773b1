package process

import (
	"fmt"
	"net"
	"strconv"

	"github.com/prometheus/procfs"
)

// Listeners returns the processes that listen at addresses, "host:port", if all are of this machine and
// may be looked at; or why not, in words.
func Listeners(addresses []string) (pids []int, why string) {
	for _, address := range addresses {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err.Error()
		}
		if !isLocal(host) {
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
		pids = append(pids, pid)
	}
	return pids, ""
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

// listener returns the process of this machine that listens on a port; 0 if none does that may be
// looked at.
func listener(port uint64) int {
	fs, err := system()
	if err != nil {
		return 0
	}
	const listening = 10 // TCP_LISTEN
	sockets := map[string]bool{}
	v4, _ := fs.NetTCP() // one of the two is enough
	v6, _ := fs.NetTCP6()
	for _, table := range []procfs.NetTCP{v4, v6} {
		for _, line := range table {
			if line.St == listening && line.LocalPort == port {
				sockets[fmt.Sprintf("socket:[%d]", line.Inode)] = true
			}
		}
	}
	if len(sockets) == 0 {
		return 0
	}
	all, err := fs.AllProcs()
	if err != nil {
		return 0
	}
	for _, p := range all {
		targets, _ := p.FileDescriptorTargets() // those of other users may not be looked at
		for _, target := range targets {
			if sockets[target] {
				return p.PID
			}
		}
	}
	return 0
}
