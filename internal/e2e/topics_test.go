package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/servers/servertest"
)

// small is a load that is over soon.
const small = `
name: e2e
seed: 7
duration: 3s
topology: {partitions: 8}
workload:
  rate: constant 2000/s
  traces_at_once: 100
  spans_per_trace: uniform 5..35
`

// soon is how long it may take until /readyz names a trouble.
const soon = 15 * time.Second

// says waits until a line of /readyz has all the words.
func (p *program) says(words ...string) {
	p.t.Helper()
	began := time.Now()
	until(p.t, soon, fmt.Sprintf("/readyz says %q", words), func() error {
		code, body, err := p.get("/readyz")
		if err == nil && (code != http.StatusServiceUnavailable || !hasLine(body, words...)) {
			err = fmt.Errorf("%d: %s", code, body)
		}
		return err
	})
	p.t.Logf("/readyz says %q after %v", words, time.Since(began).Round(time.Millisecond))
}

// hasLine tells whether a line of a text has all the words.
func hasLine(text string, words ...string) bool {
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			return true
		}
	}
	return false
}

// deleteTopic deletes a topic; the returned function creates it again.
func (tr *traffic) deleteTopic(topic string) func() {
	tr.t.Helper()
	admin := kadm.NewClient(tr.client())
	tr.t.Cleanup(admin.Close)
	if _, err := admin.DeleteTopic(tr.t.Context(), topic); err != nil {
		tr.t.Fatal(err)
	}
	return func() {
		tr.t.Helper()
		if _, err := admin.CreateTopic(tr.t.Context(), partitions, 1, nil, topic); err != nil {
			tr.t.Fatal(err)
		}
	}
}

// next is another load on the same topics, once all of this one has come out. Its output is read from
// read on.
func (tr *traffic) next() *traffic {
	tr.unread()
	next := *tr
	next.begun, next.sent = make(chan struct{}), make(chan struct{})
	next.scenario.Seed++
	next.ledger = ledger.New(
		load.NewRecipe(next.scenario.Workload, partitions, next.scenario.Seed))
	return &next
}

// The output and the dead-letter topic are deleted while the producers know them, and created again:
// everything comes out. Meanwhile /readyz and the metrics say what is tried again, and what waits.
func TestOutputTopicsDeletedAndCreatedAgain(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	p := start(t, append(append(tr.args(), "--redis", redis.addrs(), "--max-flush-segments", "5"), options...)...)
	tr.send()
	tr.settled(time.Minute)
	tr = tr.next()
	createOutput, createLetters := tr.deleteTopic(tr.output), tr.deleteTopic(tr.letters)
	tr.send()
	<-tr.sent
	tr.sendRaw(0, 1)
	p.says("input waits since", "dead letter", "UNKNOWN_TOPIC")
	p.says("worker ", "produce fails since", "UNKNOWN_TOPIC")
	// What is overdue counts from when the input pauses for a worker: after backpressure_after, 10 s.
	until(t, 40*time.Second, "the metrics say what is tried again, and what waits", func() error {
		return errors.Join(
			reach(p, "sluice_retries_total", 1, `step="dead letter"`),
			reach(p, "sluice_worker_retries_total", 4, `step="produce"`),
			reach(p, "sluice_worker_trouble_seconds", 4, `step="produce"`),
			reach(p, "sluice_shard_leased_segments", 4),
			reach(p, "sluice_shard_due_segments", 4),
			reach(p, "sluice_shard_overdue_seconds", 4),
			reach(p, "sluice_shard_queued_segments", sum(p.samples("sluice_shard_due_segments"))),
			reach(p, "sluice_shard_unread_messages", 1, `shard="0"`),
		)
	})
	createOutput()
	createLetters()
	tr.read()
	tr.settled(time.Minute)
	until(t, 10*time.Second, "the program is ready", p.ready)
	until(t, 10*time.Second, "the dead letter has come out", func() error {
		if n := tr.end(tr.letters); n != 1 {
			return fmt.Errorf("%d have", n)
		}
		return nil
	})
	for _, metric := range []string{"worker_trouble_seconds", "shard_leased_segments", "shard_due_segments",
		"shard_overdue_seconds", "shard_queued_segments", "shard_unread_messages"} {
		until(t, 10*time.Second, metric+" is 0", func() error {
			if got := p.samples("sluice_" + metric); sum(got) > 0 {
				return fmt.Errorf("it is %v", got)
			}
			return nil
		})
	}
	finish(t, tr, p, redis, ledger.Unknown)
	if found := tr.ledger.Balance(0).Of(ledger.Unknown); found.Count != 1 {
		t.Errorf("%v, want the one dead letter", found)
	}
}

// The input topic is deleted and created again: the program says so, ends, and the next one reads
// what is in the new topic.
func TestInputTopicDeletedAndCreatedAgain(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	args := append(append(tr.args(), "--redis", redis.addrs()), options...)
	first := start(t, args...)
	until(t, time.Minute, "the program has fetched", func() error {
		_, body, err := first.get("/metrics")
		if n := strings.Count(body, "\nsluice_shard_unread_messages{"); err == nil && n < partitions {
			err = fmt.Errorf("it knows what is unread of %d partitions", n)
		}
		return err
	})
	createAgain := tr.deleteTopic(tr.input)
	first.says("fetch fails since")
	if err := reach(first, "sluice_retries_total", 1, `step="fetch"`); err != nil {
		t.Error(err)
	}
	createAgain()
	first.ends(1)
	if !first.logged("topic " + tr.input + " was deleted and created again") {
		t.Error("the program does not say why it ended")
	}
	second := start(t, args...)
	tr.send()
	tr.settled(time.Minute)
	finish(t, tr, second, redis)
}
