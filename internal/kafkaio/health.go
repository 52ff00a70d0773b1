package kafkaio

import (
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// health says once that a broker cannot be reached, and once that it can again. The client tries
// for ever in between.
type health struct {
	log *slog.Logger

	mu   sync.Mutex
	down map[string]time.Time // broker address -> since when
}

var _ kgo.HookBrokerConnect = (*health)(nil)

func newHealth(log *slog.Logger) *health {
	return &health{log: log, down: make(map[string]time.Time)}
}

// OnBrokerConnect is called by the client with the outcome of every attempt to connect.
func (h *health) OnBrokerConnect(
	meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error,
) {
	address := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	h.mu.Lock()
	defer h.mu.Unlock()
	since, wasDown := h.down[address]
	switch {
	case err != nil && !wasDown:
		h.down[address] = time.Now()
		h.log.Warn("kafka broker cannot be reached, trying on", "broker", address, "error", err)
	case err == nil && wasDown:
		delete(h.down, address)
		h.log.Info("kafka broker is back", "broker", address,
			"after", time.Since(since).Round(time.Millisecond))
	}
}

// saidOnce says that something is wrong when it begins, and that it is over when it ends.
type saidOnce struct {
	log *slog.Logger

	mu    sync.Mutex
	since time.Time // zero: all is well
}

// trouble notes an error; only the first after all was well is logged.
func (s *saidOnce) trouble(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		s.since = time.Now()
		s.log.Warn(what+", trying on", "error", err)
	}
}

// well notes that it worked.
func (s *saidOnce) well(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.since.IsZero() {
		s.log.Info(what, "after", time.Since(s.since).Round(time.Millisecond))
		s.since = time.Time{}
	}
}
