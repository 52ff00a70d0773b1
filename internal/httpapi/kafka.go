package httpapi

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kprom"
)

// KafkaHooks returns the hooks that export metrics of a Kafka client in this process, labelled with
// the client's name. The workers' producers run in other processes, and show in the workers'
// metrics.
func KafkaHooks(registry prometheus.Registerer) func(client string) []kgo.Hook {
	return func(client string) []kgo.Hook {
		return []kgo.Hook{&clientMetrics{Metrics: kprom.NewMetrics("sluice",
			kprom.Subsystem("kafka"),
			kprom.Registerer(registry),
			kprom.WithStaticLabel(prometheus.Labels{"client": client}),
			kprom.FetchAndProduceDetail(kprom.ByTopic, kprom.Batches, kprom.Records,
				kprom.CompressedBytes, kprom.UncompressedBytes),
		)}}
	}
}

// clientMetrics belong to the first client that they are given to, and when that is closed, to the next.
// kafkaio makes a second one of the same config for records that were refused in a batch, and kprom would
// panic on it; and one that takes the place of a client that does not ask for what it was refused.
type clientMetrics struct {
	*kprom.Metrics

	mu    sync.Mutex
	first *kgo.Client
}

var (
	_ kgo.HookNewClient    = (*clientMetrics)(nil)
	_ kgo.HookClientClosed = (*clientMetrics)(nil)
)

// OnNewClient is called by the client.
func (m *clientMetrics) OnNewClient(client *kgo.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == nil {
		m.first = client
		m.Metrics.OnNewClient(client)
	}
}

// OnClientClosed is called by the client.
func (m *clientMetrics) OnClientClosed(client *kgo.Client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first == client {
		m.first = nil
		m.Metrics.OnClientClosed(client)
	}
}
