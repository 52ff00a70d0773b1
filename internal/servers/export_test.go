package servers

// What the tests ask servers with.
var (
	RedisDo     = redisDo
	ClusterWell = clusterWell
)

// RetryPorts is retryPorts for a start that returns a number.
func RetryPorts(start func() (int, error)) (int, error) { return retryPorts(start) }

// Guard returns the servers' folder and the guard's process.
func Guard() (root string, pid int, err error) {
	g, err := theGuard()
	if err != nil {
		return "", 0, err
	}
	return g.root, g.pid, nil
}

// Dir is the folder of a server.
func Dir(s *RedisServer) string { return s.dir }

// PortsOf draws ports of min up to but not max, as another process would, until its end.
func PortsOf(min, max int) (draw func() (int, error), end func()) {
	p := &ports{min: min, max: max}
	return p.free, func() {
		for _, hold := range p.held {
			if hold != nil {
				_ = hold.Close()
			}
		}
	}
}
