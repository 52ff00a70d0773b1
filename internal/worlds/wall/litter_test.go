package wall

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// TestRunOf: everything that a run makes is known as its own, and nothing else is.
func TestRunOf(t *testing.T) {
	began := time.Date(2026, 11, 28, 9, 45, 12, 0, time.UTC)
	of := newNames("kafka-down", began)
	for _, name := range []string{of.group, of.input, of.output, of.letters, of.alive,
		of.namespace + "t:1:ab", of.namespace + "{s::0}:queue"} {
		l, ok := runOf(name)
		if !ok || l.Run != of.run || l.Scenario != "kafka-down" || !l.Began.Equal(began) {
			t.Errorf("%s is of %+v, %v", name, l, ok)
		}
	}
	for _, name := range []string{"", "sluice:t:1:ab", "sluice-sim-notes", "my-" + of.run, of.run + "-other",
		of.input + "-copy", of.alive + "d", "sluice-sim-20261128-094512-ab12cd34",
		"sluice-sim-hang-20261328-094512-ab12cd34"} {
		if l, ok := runOf(name); ok {
			t.Errorf("%s is of %+v", name, l)
		}
	}
}

// TestPulse: a run counts as alive until its sign has expired, and one that has expired comes back.
func TestPulse(t *testing.T) {
	redis := miniredis.RunT(t)
	p, err := startPulse(t.Context(), []string{redis.Addr()}, Access{}, "run.alive")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		defer p.client.Close()
		if err := p.end(context.Background()); err != nil || redis.Exists("run.alive") {
			t.Errorf("a run that is over still gives a sign: %v", err)
		}
	}()
	for _, since := range []time.Duration{0, aliveMax - time.Second, aliveMax + time.Second} {
		redis.FastForward(since)
		if there := redis.Exists("run.alive"); there != (since < aliveMax) {
			t.Errorf("%v after the last sign it is there: %v", since, there)
		}
		if err := p.renew(t.Context()); err != nil || redis.TTL("run.alive") != aliveMax {
			t.Errorf("a new sign lasts %v, want %v: %v", redis.TTL("run.alive"), aliveMax, err)
		}
	}
	if value, _ := redis.Get("run.alive"); whyAlive(value) == "" {
		t.Errorf("%s counts as dead", value)
	}
	if whyAlive("hello") == "" {
		t.Error("a sign that cannot be read counts as none")
	}
}
