package pipeline

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/ingest"
	"sluice/flusher"
)

// brokerMemory is how long a broker that could not be reached is held against the pipeline. The
// clients try on every few seconds as long as they need it; one that they do not need any more,
// because it left the cluster, is forgotten.
const brokerMemory = time.Minute

// health remembers what is wrong for now, as far as nobody else does.
type health struct {
	mu      sync.Mutex
	ended   bool
	brokers map[string]refusal // by address
}

// refusal is why a broker could not be reached, and when it was last tried.
type refusal struct {
	why string
	at  time.Time
}

var _ kgo.HookBrokerConnect = (*health)(nil)

func newHealth() *health { return &health{brokers: make(map[string]refusal)} }

// OnBrokerConnect is called by the Kafka clients with the outcome of every attempt to connect.
func (h *health) OnBrokerConnect(
	meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error,
) {
	address := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.brokers, address)
		return
	}
	h.brokers[address] = refusal{why: err.Error(), at: time.Now()}
}

func (h *health) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
}

// words returns what is wrong, a line each.
func (h *health) words() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var wrong []string
	if h.ended {
		wrong = append(wrong, "the pipeline has ended")
	}
	for _, address := range slices.Sorted(maps.Keys(h.brokers)) {
		if r := h.brokers[address]; time.Since(r.at) < brokerMemory {
			wrong = append(wrong, fmt.Sprintf("kafka broker %s cannot be reached: %s", address, r.why))
		}
	}
	return wrong
}

// troubleWords returns what of the input fails for now: one line for all partitions, with the
// longest of their troubles, and one for commits.
func troubleWords(troubles []flusher.Trouble) []string {
	var waits, commits []string
	for _, t := range troubles {
		since := t.Since.UTC().Format(time.RFC3339)
		switch {
		case t.Name == ingest.OperationCommit:
			commits = append(commits,
				fmt.Sprintf("offsets cannot be committed since %s: %v", since, t.Err))
		case waits == nil:
			waits = append(waits, fmt.Sprintf("input waits since %s: %s: %v", since, t.Step, t.Err))
		}
	}
	return append(waits, commits...)
}

// Alive returns why the pipeline cannot continue, or nil. What passes by itself is not a reason.
func (p *Pipeline) Alive() []string {
	p.health.mu.Lock()
	defer p.health.mu.Unlock()
	if p.health.ended {
		return []string{"the pipeline has ended"}
	}
	return nil
}

// Ready returns what keeps spans from moving now, in words, one cause each; nil if all is well. A
// member of the group without partitions is ready: another member has them.
func (p *Pipeline) Ready() []string {
	wrong := append(p.health.words(), troubleWords(p.Troubles())...)
	for _, w := range p.Workers() {
		switch w.State {
		case flusher.StateHealthy, flusher.StateStopped, flusher.StateBackpressure:
		default:
			wrong = append(wrong,
				fmt.Sprintf("worker %d (shards %v) is %v", w.Worker, w.Shards, w.State))
		}
	}
	for _, c := range p.Counters().Partitions {
		if c.Assigned && c.Paused != "" {
			wrong = append(wrong,
				fmt.Sprintf("input of partition %d pauses: %s", c.Partition, c.Paused))
		}
	}
	return wrong
}
