package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/kafkaio"
)

func TestBrokersInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		brokers := kafkaio.NewBrokers(nil)
		wants := func(want string) {
			t.Helper()
			if got := strings.Join(brokerWords(brokers.All()), "; "); got != want {
				t.Errorf("wrong is %q, want %q", got, want)
			}
		}
		broker := kgo.BrokerMetadata{Host: "k", Port: 9092}
		wants("")
		brokers.OnBrokerConnect(broker, 0, nil, errors.New("refused"))
		wants("kafka broker k:9092 cannot be reached: refused")
		brokers.OnBrokerConnect(broker, 0, nil, nil)
		wants("")
		brokers.OnBrokerConnect(broker, 0, nil, errors.New("refused"))
		<-time.After(brokerMemory) // it left the cluster, and is not tried any more
		wants("")
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
		trouble("fence", 2, 0, "fence", "away"),
	})
	want := []string{
		"offsets cannot be committed since 2030-01-02T03:04:03Z: no answer",
		"input waits since 2030-01-02T03:04:04Z: attach: full",
		"fence fails since 2030-01-02T03:04:05Z: away",
	}
	if !slices.Equal(got, want) {
		t.Errorf("wrong is %q, want %q", got, want)
	}
	words := workerWords(flusher.WorkerState{
		Worker: 1, Shards: []buffer.Shard{1, 3}, Status: flusher.Status{
			Troubles: []flusher.TroubleState{{Step: "produce", Since: now, Error: "silence"}},
		},
	})
	if want := []string{"worker 1 (shards [1 3]): produce fails since 2030-01-02T03:04:05Z: silence"}; !slices.Equal(words, want) {
		t.Errorf("a worker's are %q, want %q", words, want)
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
	c.Flusher.MaxUnhealthy = time.Second
	w := c.own().Worker
	if most := c.Flusher.MaxUnhealthy / 2; w.BeatEvery > most || w.RetryMax > most ||
		w.RetryMin > w.RetryMax || c.own().AnswerMax() > most {
		t.Errorf("beat %v, retry %v to %v, answer %v: want well below %v", w.BeatEvery, w.RetryMin,
			w.RetryMax, c.own().AnswerMax(), c.Flusher.MaxUnhealthy)
	}
}

// A clock that is not seen stops well before it makes due what was not, whatever the time-outs, and
// ticks are seen in time.
func TestClocksStopBeforeATimeout(t *testing.T) {
	for _, timeouts := range [][2]time.Duration{
		{time.Second, time.Minute}, {time.Minute, time.Second},
	} {
		c := DefaultConfig()
		c.Options.Timeout, c.Options.RootTimeout = timeouts[0], timeouts[1]
		unseen, tick := c.own().Worker.UnseenMax, c.own().Ingest.TickEvery
		if unseen > time.Second/2 || tick > unseen/2 {
			t.Errorf("with time-outs %v clocks run on for %v and tick every %v: want well below",
				timeouts, unseen, tick)
		}
	}
}

func TestOneCauseOfAdoptedSegmentsIsOneWarning(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1_700_000_000, 0)
	var p Pipeline
	for _, c := range []struct {
		at   time.Duration
		want slog.Level
	}{
		{0, slog.LevelWarn},
		{time.Second, slog.LevelInfo},
		{50 * time.Second, slog.LevelInfo},
		{100 * time.Second, slog.LevelInfo}, // less than a minute after the one before
		{161 * time.Second, slog.LevelWarn},
	} {
		if got := p.adoptedLevel(begin.Add(c.at)); got != c.want {
			t.Errorf("after %v: %v, want %v", c.at, got, c.want)
		}
	}
}
