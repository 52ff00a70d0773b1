package kafkaio

import (
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
	"sluice/internal/wallclock"
)

// Brokers is the register of the brokers that cannot be reached, by their address. It is kept by the
// hook of a client, which tries forever.
type Brokers struct{ *flusher.Troubles }

var _ kgo.HookBrokerConnect = Brokers{}

// NewBrokers returns an empty register. What it says must not block; nil: nobody listens.
func NewBrokers(say func(flusher.Trouble)) Brokers {
	return Brokers{flusher.NewTroubles(wallclock.Clock{}, say)}
}

// brokers returns a register that tells the log; role tells the clients apart there.
func (c Config) brokers(role string) Brokers {
	log := c.log().With("client", role)
	return NewBrokers(func(t flusher.Trouble) {
		if t.Over {
			log.Info("kafka broker is back", "broker", t.Name, "after", t.Lasted.Round(time.Millisecond))
		} else {
			log.Warn("kafka broker cannot be reached, trying on", "broker", t.Name, "error", t.Err)
		}
	})
}

// OnBrokerConnect is called by the client with the outcome of every attempt to connect.
func (b Brokers) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	address := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	broker := flusher.Operation{Name: address, Partition: flusher.NoPartition}
	if err == nil {
		b.Works(broker)
	} else {
		b.Fails(broker, "connect", err)
	}
}

// fetching is the operation of a source that is in trouble when it cannot read.
var fetching = flusher.Operation{Name: "fetch", Partition: flusher.NoPartition}

// finding is the operation of a source that is in trouble when its topic is gone or another one, or
// when it is not fetched.
var finding = flusher.Operation{Name: "topic", Partition: flusher.NoPartition}

// newFetching returns the register that says once that a source cannot read, and that it can again.
func newFetching(log *slog.Logger) *flusher.Troubles {
	return flusher.NewTroubles(wallclock.Clock{}, func(t flusher.Trouble) {
		if t.Over {
			log.Info("kafka is read again", "after", t.Lasted.Round(time.Millisecond))
		} else {
			log.Warn("kafka cannot be read, trying on", "error", t.Err)
		}
	})
}
