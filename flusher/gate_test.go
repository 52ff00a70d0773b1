package flusher_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestSupervisorClosesTheShardsConcerned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Worker == 0 {
				return script{full: [2]time.Duration{time.Minute, 90 * time.Second}}
			}
			return script{}
		}
		s.run(4)
		time.Sleep(69 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 0 {
			t.Errorf("closed %v after 9 s of backpressure", closed)
		}
		if w := s.sup.Workers()[0]; w.State != flusher.StateBackpressure {
			t.Errorf("state %v, want backpressure", w.State)
		}
		time.Sleep(2 * time.Second)
		reason := "worker 0 is under backpressure for more than 10s"
		want := fmt.Sprintf("map[0:%s 2:%s]", reason, reason)
		if got := fmt.Sprint(s.sup.Closed()); got != want {
			t.Errorf("closed %s, want %s", got, want)
		}
		time.Sleep(20 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 0 {
			t.Errorf("closed %v after it was over", closed)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
		if !inOrder(s.story(0), []string{"backpressure on", "backpressure off"}) {
			t.Errorf("events %s", s.story(0))
		}
		var gate []string
		for _, e := range s.events {
			if e.Kind == flusher.EventGateClosed || e.Kind == flusher.EventGateOpened {
				gate = append(gate, fmt.Sprintf("%v%v", e.Kind, e.Shards))
			}
		}
		want = "gate closed[0 2] gate opened[0 2]"
		if got := strings.Join(gate, " "); got != want {
			t.Errorf("events %s, want %s", got, want)
		}
	})
}

// meter is a memory meter that can be set.
type meter struct {
	mu    sync.Mutex
	nodes []buffer.NodeMemory
	err   error
}

func (m *meter) Memory(context.Context) ([]buffer.NodeMemory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.nodes, m.err
}

func (m *meter) set(err error, nodes ...buffer.NodeMemory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.nodes, m.err = nodes, err
}

func TestSupervisorHeedsTheFullestNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 2)
		s.cfg.MaxMemory = 0.8
		m := &meter{}
		s.runWith(flusher.SupervisorPorts{Memory: m})
		s.sup.Assign(shardRange(2))
		eventually(t, time.Second, "two healthy workers", s.healthy(2))
		m.set(nil, buffer.NodeMemory{Node: "a", Used: 1, Max: 100},
			buffer.NodeMemory{Node: "b", Used: 95, Max: 100})
		time.Sleep(2 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 2 || !strings.Contains(closed[1], "node b uses 95%") {
			t.Errorf("closed %v, want both because of b", closed)
		}
		if !s.sup.Full() {
			t.Error("node b is not said to be full")
		}
		m.set(errors.New("no answer"))
		time.Sleep(time.Minute)
		if closed := s.sup.Closed(); len(closed) != 2 {
			t.Errorf("closed %v while nobody knows better", closed)
		}
		m.set(errors.New("no answer of a"), buffer.NodeMemory{Node: "b", Used: 10, Max: 100})
		time.Sleep(2 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 0 {
			t.Errorf("closed %v, though b has room again: that a does not answer says nothing of it", closed)
		}
		m.set(errors.New("no answer of b"), buffer.NodeMemory{Node: "a", Used: 90, Max: 100})
		time.Sleep(2 * time.Second)
		m.set(errors.New("no answer of a"), buffer.NodeMemory{Node: "b", Used: 10, Max: 100})
		time.Sleep(2 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 2 || !strings.Contains(closed[1], "node a uses 90%") {
			t.Errorf("closed %v, want both because of a, as it was when it last answered", closed)
		}
		m.set(nil, buffer.NodeMemory{Node: "b", Used: 10, Max: 100})
		time.Sleep(2 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 0 || s.sup.Full() {
			t.Errorf("closed %v, or full, with room again", closed)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
		if n := strings.Count(s.story(flusher.NoWorker), "memory unknown"); n != 1 {
			t.Errorf("told %d times that the memory is unknown, want once", n)
		}
	})
}

// TestBackpressureThatMovesOn: while one shard after the other is full, how long counts from the
// later one, and the events say so.
func TestBackpressureThatMovesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(flusher.WorkerSpec) script {
			return script{full: [2]time.Duration{time.Minute, 90 * time.Second}, next: 65 * time.Second}
		}
		s.run(2)
		time.Sleep(73 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 0 {
			t.Errorf("closed %v after 8 s", closed)
		}
		time.Sleep(4 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 2 {
			t.Errorf("closed %v after 12 s", closed)
		}
		if err := s.end(); err != nil {
			t.Error(err)
		}
		if !inOrder(s.story(0), []string{"backpressure on", "backpressure off", "backpressure on"}) {
			t.Errorf("events %s", s.story(0))
		}
	})
}

// TestAFailureIsForgottenWithTheShards: what a worker did before it had none closes no gate of those that it is
// given later, as if it had failed again.
func TestAFailureIsForgottenWithTheShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Start == 1 {
				return script{dies: time.Second, exit: flusher.Exit{Code: 1}}
			}
			return script{healthy: 5 * time.Second}
		}
		s.run(1)
		time.Sleep(3 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 1 {
			t.Errorf("closed %v, want the shard of the worker that failed", closed)
		}
		s.sup.Assign(nil)
		time.Sleep(time.Hour)
		s.sup.Assign(shardRange(1))
		time.Sleep(3 * time.Second)
		if closed := s.sup.Closed(); len(closed) != 0 {
			t.Errorf("closed %v, though its worker has only begun to start", closed)
		}
		eventually(t, time.Minute, "healthy", s.healthy(1))
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestARowOfFailuresIsForgottenWithTheShards: the first failure with those that it is given later is one alone, and
// its successor is started at once.
func TestARowOfFailuresIsForgottenWithTheShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, 1)
		s.scripts = func(spec flusher.WorkerSpec) script {
			if spec.Start <= 7 {
				return script{healthy: never, dies: time.Second, exit: flusher.Exit{Code: 1}}
			}
			return script{}
		}
		s.run(1)
		starts := func() int { return s.sup.Workers()[0].Starts }
		eventually(t, time.Minute, "six starts", func() bool { return len(s.sup.Workers()) == 1 && starts() == 6 })
		time.Sleep(2 * time.Second)
		s.sup.Assign(nil)
		time.Sleep(time.Hour)
		s.sup.Assign(shardRange(1))
		time.Sleep(3 * time.Second) // the seventh dies within
		if n := starts(); n != 8 {
			t.Errorf("%d starts, want 8", n)
		}
		eventually(t, time.Second, "healthy", s.healthy(1))
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}
