package pipeline

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/ingest"
	"sluice/flusher"
)

func TestHealthInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHealth()
		wants := func(want string) {
			t.Helper()
			if got := strings.Join(h.words(), "; "); got != want {
				t.Errorf("wrong is %q, want %q", got, want)
			}
		}
		broker := kgo.BrokerMetadata{Host: "k", Port: 9092}
		wants("")
		h.OnBrokerConnect(broker, 0, nil, errors.New("refused"))
		wants("kafka broker k:9092 cannot be reached: refused")
		h.OnBrokerConnect(broker, 0, nil, nil)
		wants("")
		h.OnBrokerConnect(broker, 0, nil, errors.New("refused"))
		<-time.After(brokerMemory) // it left the cluster, and is not tried any more
		wants("")
		h.end()
		wants("the pipeline has ended")
	})
}

func TestInputTroubleInWords(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	trouble := func(
		name string, partition int32, age time.Duration, step, err string,
	) flusher.Trouble {
		return flusher.Trouble{
			Operation: flusher.Operation{Name: name, Partition: partition},
			Since:     now.Add(-age), Step: step, Err: errors.New(err),
		}
	}
	got := troubleWords([]flusher.Trouble{
		trouble(ingest.OperationCommit, flusher.NoPartition, 2*time.Second, "commit", "no answer"),
		trouble(ingest.OperationInput, 3, time.Second, "attach", "full"),
		trouble(ingest.OperationInput, 1, 0, "enqueue", "away"),
	})
	want := []string{
		"input waits since 2030-01-02T03:04:04Z: attach: full",
		"offsets cannot be committed since 2030-01-02T03:04:03Z: no answer",
	}
	if !slices.Equal(got, want) {
		t.Errorf("wrong is %q, want %q", got, want)
	}
	if words := troubleWords(nil); len(words) > 0 {
		t.Errorf("without trouble wrong is %q", words)
	}
}

func TestFreshnessBuckets(t *testing.T) {
	var f freshness
	f.add(1, []time.Duration{5 * time.Millisecond, 10 * time.Millisecond, time.Hour})
	f.add(1, []time.Duration{20 * time.Millisecond})
	got := fmt.Sprint(f.workers[0].Count, f.workers[1].Count, f.workers[1].Buckets[:3], f.workers[1].Sum)
	if want := "0 4 [2 3 3] 1h0m0.035s"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if all := f.workers[1].Buckets[len(FreshnessBounds)-1]; all != 3 {
		t.Errorf("the last bucket has %d, want all but the hour", all)
	}
}

func TestConfigFaultsAreAllNamed(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Fatalf("the defaults are wrong: %v", err)
	}
	c.Mode, c.OutputTopic, c.Partitions, c.Limits.MemoryMax = "thread", c.InputTopic, 0, -1
	c.Redis.TLS.CertFile, c.Kafka.TLS.Enabled, c.Kafka.TLS.KeyFile = "x", true, "y"
	c.Flusher.RestartBudget, c.Ingest.MaxBatch, c.Worker.MaxFlushSegments = -1, 0, 0
	err := c.Validate()
	for _, want := range []string{`"thread"`, "output topic and input topic", "partitions 0",
		"worker memory -1", "redis: TLS", "kafka: a client certificate", "restart_budget", "max_batch",
		"max_flush_segments"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %q", err, want)
		}
	}
}

// A worker that waits for a server gives signs of life more often than it would be taken for hung.
func TestWaitsAreShorterThanAHang(t *testing.T) {
	c := DefaultConfig()
	c.Flusher.MaxUnhealthy = 2 * time.Second
	w := c.own().Worker
	if most := c.Flusher.MaxUnhealthy / 2; w.BeatEvery > most || w.RetryMax > most ||
		c.own().AnswerMax() > most {
		t.Errorf("beat %v, retry %v, answer %v: want well below %v", w.BeatEvery, w.RetryMax,
			c.own().AnswerMax(), c.Flusher.MaxUnhealthy)
	}
}
