package kafkaio

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"sluice/flusher"
	"sluice/internal/syncbuf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// fake starts a cluster inside the test.
func fake(t *testing.T, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// logbook collects log lines.
type logbook struct{ syncbuf.Buffer }

func (l *logbook) count(part string) int { return strings.Count(l.String(), part) }

// configFor returns a config that logs into the logbook.
func configFor(addresses ...string) (Config, *logbook) {
	book := &logbook{}
	cfg := DefaultConfig(addresses...)
	cfg.Log = slog.New(slog.NewTextHandler(book, nil))
	return cfg, book
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not after %v: %s", patience, what)
		}
		<-tick.C
	}
}

// administrator may do everything.
func administrator(t *testing.T, cfg Config) *kadm.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cfg.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	t.Cleanup(admin.Close)
	return admin
}

func producer(t *testing.T, cfg Config, topics ...string) *Producer {
	t.Helper()
	p, err := NewProducer(bounded(t), cfg, DefaultProducerConfig(topics...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// load writes n messages "partition/0"... to each of these partitions.
func load(t *testing.T, cfg Config, topic string, first, n int, partitions ...int32) {
	t.Helper()
	client, err := kgo.NewClient(append(cfg.options(cfg.brokers("load")),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for i := range n {
		for _, p := range partitions {
			records = append(records, &kgo.Record{
				Topic: topic, Partition: p, Value: fmt.Appendf(nil, "%d/%d", p, first+i),
			})
		}
	}
	if err := client.ProduceSync(bounded(t), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// read returns the values of n records of a topic.
func read(t *testing.T, cfg Config, topic string, n int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(append(cfg.options(cfg.brokers("read")), kgo.ConsumeTopics(topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for ctx := bounded(t); len(records) < n; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func record(topic string, bytes int) flusher.Record {
	return flusher.Record{
		Topic: topic, Key: []byte("key"), Value: random(bytes),
		Headers: []flusher.Header{{Key: "h", Value: []byte("v")}},
	}
}

// random returns bytes that do not compress.
func random(n int) []byte {
	out := make([]byte, n)
	state := uint64(n)*0x9e3779b97f4a7c15 + 1
	for i := range out {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		out[i] = byte(state)
	}
	return out
}

// outage is a network that can be cut: connections break and new ones are refused.
type outage struct {
	mu     sync.Mutex
	down   bool
	failed int
	open   []net.Conn
}

func newOutage() *outage { return &outage{} }

func (o *outage) dial(ctx context.Context, network, address string) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		o.failed++
		return nil, &net.OpError{
			Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
		}
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		o.open = append(o.open, conn)
	}
	return conn, err
}

func (o *outage) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = true
	for _, conn := range o.open {
		_ = conn.Close()
	}
	o.open = nil
}

func (o *outage) mend() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = false
}

func (o *outage) refused() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}
