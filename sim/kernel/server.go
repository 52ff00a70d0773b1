package kernel

import (
	"context"
	"time"
)

// Server is a server of one thread: requests are served one after another, in the order in which
// they came. (For arrivals at random it is the M/G/1 queue.)
type Server struct {
	k    *Kernel
	name string
	free int64 // the instant at which all that has come is served
	host *Host
}

// NewServer returns a server that has nothing to do, on a host whose cores it shares with others, or
// with nil on one of its own; reports say that somebody waits for its name.
func (k *Kernel) NewServer(name string, host *Host) *Server {
	return &Server{k: k, name: name, host: host}
}

// Serve returns nil when the request, which takes cost of the server's time, has been served, or
// why the context has ended. A request whose sender has gone, whether by its context or because it
// was killed, is served nevertheless: it has been sent.
func (s *Server) Serve(ctx context.Context, cost time.Duration) error {
	s.k.enter()
	if err := Err(ctx); err != nil {
		return err
	}
	return s.k.sleep(ctx, s.Take(cost), s)
}

// Take gives the server work, and returns how long from now it will take until it is done.
func (s *Server) Take(d time.Duration) time.Duration {
	s.free = max(s.free, s.k.now) + max(0, int64(d))
	if s.host != nil {
		s.free = max(s.free, s.k.now+int64(s.host.Take(d)))
	}
	return s.Backlog()
}

// Backlog returns how long a request that comes now would wait.
func (s *Server) Backlog() time.Duration { return time.Duration(max(0, s.free-s.k.now)) }

// String returns the server's name.
func (s *Server) String() string { return s.name }
