package e2e

import (
	"fmt"
	"net/http"
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

// says waits until /readyz names something.
func (p *program) says(words string) {
	p.t.Helper()
	until(p.t, time.Minute, "/readyz says "+words, func() error {
		code, body, err := p.get("/readyz")
		if err == nil && (code != http.StatusServiceUnavailable || !strings.Contains(body, words)) {
			err = fmt.Errorf("%d: %s", code, body)
		}
		return err
	})
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

// The output topic is deleted while the workers' producers know it, and created again: everything
// comes out.
func TestOutputTopicDeletedAndCreatedAgain(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), small)
	p := start(t, append(append(tr.args(), "--redis", redis.addrs()), options...)...)
	tr.send()
	tr.settled(time.Minute)
	tr = tr.next()
	createAgain := tr.deleteTopic(tr.output)
	tr.send()
	p.says("produce fails since")
	createAgain()
	tr.read()
	tr.settled(time.Minute)
	until(t, 10*time.Second, "the program is ready", p.ready)
	finish(t, tr, p, redis)
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
	createAgain()
	select {
	case err := <-first.done:
		if err == nil || err.Error() != "exit status 1" {
			t.Errorf("the program ended with %v, want exit status 1", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the program did not end within a minute")
	}
	if !first.logged("topic " + tr.input + " was deleted and created again") {
		t.Error("the program does not say why it ended")
	}
	second := start(t, args...)
	tr.send()
	tr.settled(time.Minute)
	finish(t, tr, second, redis)
}
