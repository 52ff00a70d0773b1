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

// health says once that a broker cannot be reached, and once that it can again. The client tries
// forever in between.
type health struct{ brokers *flusher.Troubles }

var _ kgo.HookBrokerConnect = health{}

func newHealth(log *slog.Logger) health {
	return health{flusher.NewTroubles(wallclock.Clock{}, func(t flusher.Trouble) {
		if t.Over {
			log.Info("kafka broker is back", "broker", t.Name, "after", t.Lasted.Round(time.Millisecond))
		} else {
			log.Warn("kafka broker cannot be reached, trying on", "broker", t.Name, "error", t.Err)
		}
	})}
}

// OnBrokerConnect is called by the client with the outcome of every attempt to connect.
func (h health) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	broker := flusher.Operation{Name: addressOf(meta), Partition: flusher.NoPartition}
	if err == nil {
		h.brokers.Works(broker)
	} else {
		h.brokers.Fails(broker, "connect", err)
	}
}

func addressOf(meta kgo.BrokerMetadata) string {
	return net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
}

// fetching is the operation of a source that is in trouble when it cannot read.
var fetching = flusher.Operation{Name: "fetch", Partition: flusher.NoPartition}

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
