package harness_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
)

// TestSabotage damages the servers behind the system's back while a run goes on. The harness must
// find the damage, and name it.
func TestSabotage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		damage    func(t *testing.T, redis *miniredis.Miniredis, kafka string)
		invariant string
		detail    string
		also      string // may be violated as well
	}{
		// If spans of the trace are still to come, their root is gone.
		{"traces that Redis loses", loseTraces, "conservation", " lost", "segment integrity"},
		{"a record under another flush id", again(underAnotherID), "duplicates", "duplicated span", ""},
		{"a record on another partition", again(elsewhere), "segment integrity", "stray record",
			"duplicates"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			redis := miniredis.RunT(t)
			kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			defer kafka.Close()
			s := short(t, "")
			s.Expectations.DrainMax = 15 * time.Second
			var once sync.Once
			outcome := runOn(t, harness.Config{
				Scenario: s,
				World:    real.World{Redis: []string{redis.Addr()}, Kafka: kafka.ListenAddrs()},
				Progress: func(p harness.Progress) {
					if p.Event == nil && p.Sample.Flushed > 100 {
						once.Do(func() { c.damage(t, redis, kafka.ListenAddrs()[0]) })
					}
				},
			})
			if outcome.Code != judge.ExitSafety {
				t.Errorf("exit code %d: %s", outcome.Code, outcome.Verdict())
			}
			for _, j := range outcome.Result.Invariants {
				found := j.Name == c.invariant
				if found && (j.Verdict != reports.Violated || !strings.Contains(j.Detail, c.detail)) ||
					!found && j.Name != "liveness" && j.Name != c.also && j.Verdict == reports.Violated {
					t.Errorf("%s is %s: %s", j.Name, j.Verdict, j.Detail)
				}
			}
		})
	}
}

// loseTraces deletes the state of all traces that there are. What a worker has loaded already comes out all
// the same, so one alone might not be lost.
func loseTraces(t *testing.T, redis *miniredis.Miniredis, _ string) {
	n := 0
	for _, key := range redis.Keys() {
		if strings.Contains(key, ":t:") && redis.Del(key) {
			n++
		}
	}
	if n == 0 {
		t.Error("Redis holds no trace")
	}
}

// again sends an output record once more, changed.
func again(change func(r *kgo.Record)) func(*testing.T, *miniredis.Miniredis, string) {
	return func(t *testing.T, _ *miniredis.Miniredis, kafka string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		client, err := kgo.NewClient(kgo.SeedBrokers(kafka),
			kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		topics, err := kadm.NewClient(client).ListTopics(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		for _, topic := range topics.Names() {
			if strings.HasSuffix(topic, "-segments") {
				client.AddConsumeTopics(topic)
			}
		}
		records := client.PollRecords(ctx, 1).Records()
		if len(records) == 0 {
			t.Error("there is no output")
			return
		}
		r := records[0]
		repeat := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key,
			Value: bytes.Clone(r.Value), Headers: r.Headers}
		change(repeat)
		if err := client.ProduceSync(ctx, repeat).FirstErr(); err != nil {
			t.Error(err)
		}
	}
}

func underAnotherID(r *kgo.Record) {
	const start = len(`{"flush_id":"`)
	if r.Value[start] == '0' { // another hex digit
		r.Value[start] = '1'
	} else {
		r.Value[start] = '0'
	}
}

// elsewhere moves a record to one of the first two partitions, on which it was not.
func elsewhere(r *kgo.Record) {
	if r.Partition == 0 {
		r.Partition = 1
	} else {
		r.Partition = 0
	}
}
