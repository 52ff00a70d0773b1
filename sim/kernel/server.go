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
	busy int64
}

// NewServer returns a server that has nothing to do; reports say that somebody waits for its name.
func (k *Kernel) NewServer(name string) *Server { return &Server{k: k, name: name} }

// Serve returns nil when the request, which takes cost of the server's time, has been served, or why
// the context has ended. A request whose sender has gone, whether by its context or because it was
// killed, is served nevertheless: it has been sent.
func (s *Server) Serve(ctx context.Context, cost time.Duration) error {
	k := s.k
	t := k.enter()
	if err := Err(ctx); err != nil {
		return err
	}
	s.Stall(cost)
	if s.free <= k.now {
		return nil
	}
	return k.sleep(t, ctx, s.free, s)
}

// Stall takes the server's time for something that nobody waits for.
func (s *Server) Stall(d time.Duration) {
	s.free = max(s.free, s.k.now) + max(0, int64(d))
	s.busy += max(0, int64(d))
}

// Backlog returns how long a request that comes now would wait.
func (s *Server) Backlog() time.Duration { return time.Duration(max(0, s.free-s.k.now)) }

// Busy returns how long the server has worked up to now.
func (s *Server) Busy() time.Duration { return time.Duration(s.busy) - s.Backlog() }

// String returns the server's name.
func (s *Server) String() string { return s.name }
