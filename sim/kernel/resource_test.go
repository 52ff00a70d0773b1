package kernel_test

import (
	"context"
	"testing"
	"time"
)

func TestCond(t *testing.T) {
	r := newRig(t)
	c := r.NewCond("answer")
	ctx, cancel := r.WithTimeout(context.Background(), 3)
	defer cancel()
	for _, name := range []string{"a", "b", "c", "d"} {
		with := context.Background()
		if name == "b" {
			with = ctx
		}
		r.Go(name, func() { r.log("%s: %v", name, c.Wait(with)) })
	}
	r.pass(1)
	if !c.Signal() {
		t.Error("nobody was there")
	}
	r.pass(4)
	c.Broadcast()
	if c.Signal() {
		t.Error("somebody was there")
	}
	r.pass(1)
	if err := c.Wait(ctx); err != context.DeadlineExceeded {
		t.Errorf("an ended context gives %v", err)
	}
	r.want("1ns a: <nil>", "3ns b: context deadline exceeded", "5ns c: <nil>", "5ns d: <nil>")
}

// TestCondWaitsForSoLong: who is signalled at the last moment has the signal.
func TestCondWaitsForSoLong(t *testing.T) {
	r := newRig(t)
	c := r.NewCond("answer")
	ctx, cancel := r.WithCancel(context.Background())
	r.After(2, cancel)
	r.After(4, func() { c.Signal() })
	r.Go("a", func() { r.log("a: %v", c.WaitFor(ctx, 3)) })
	r.Go("b", func() { r.log("b: %v", c.WaitFor(context.Background(), 3)) })
	r.Go("c", func() { r.log("c: %v", c.WaitFor(context.Background(), 4)) })
	r.Go("d", func() { r.log("d: %v", c.WaitFor(context.Background(), 0)) })
	r.pass(10)
	r.want("0s d: context deadline exceeded", "2ns a: context canceled",
		"3ns b: context deadline exceeded", "4ns c: <nil>")
}

// TestSignalIsNotLost: who is signalled and whose context ends in one instant has the signal.
func TestSignalIsNotLost(t *testing.T) {
	r := newRig(t)
	c := r.NewCond("answer")
	ctx, cancel := context.WithCancel(context.Background())
	r.Go("t", func() { r.log("%v", c.Wait(ctx)) })
	r.After(1, func() { c.Signal(); cancel() })
	r.pass(2)
	r.want("1ns <nil>")
}

// TestTheDead signal nothing, and are not served.
func TestTheDead(t *testing.T) {
	r := newRig(t)
	c := r.NewCond("answer")
	r.Go("t", func() { _ = c.Wait(context.Background()); r.log("signalled") })
	p := r.Process("p")
	s := r.NewServer("redis", nil)
	p.Go("t", func() {
		defer c.Signal()
		defer func() { _ = s.Serve(context.Background(), 100) }()
		r.nap(100)
	})
	r.pass(1)
	p.Kill()
	if s.Backlog() > 0 {
		t.Error("the dead are served")
	}
	r.pass(1)
	r.want()
}

func TestServer(t *testing.T) {
	r := newRig(t)
	s := r.NewServer("redis", nil)
	ctx, cancel := context.WithCancel(context.Background())
	for i, cost := range []time.Duration{10, 20, 5, 0} {
		with := context.Background()
		if i == 1 {
			with = ctx
		}
		r.Go("client", func() { r.log("%d: %v", i, s.Serve(with, cost)) })
	}
	r.After(12, cancel)
	r.pass(15)
	if s.Backlog() != 20 {
		t.Errorf("backlog %v, want 20", s.Backlog())
	}
	r.pass(85)
	if s.Backlog() != 0 {
		t.Errorf("backlog %v, want 0", s.Backlog())
	}
	if s.Serve(context.Background(), 0) != nil || s.Serve(ctx, 1) != context.Canceled {
		t.Error("no time, or no context, has a wrong answer")
	}
	r.want("10ns 0: <nil>", "12ns 1: context canceled", "35ns 2: <nil>", "35ns 3: <nil>")
}

// TestHost: work is done by the core that is free first, and a server that shares the cores waits for
// one.
func TestHost(t *testing.T) {
	r := newRig(t)
	h := r.NewHost("host", 2)
	s := r.NewServer("redis", h)
	ctx, cancel := context.WithCancel(context.Background())
	for i, cost := range []time.Duration{10, 30, 20, 5} {
		with := context.Background()
		if i == 2 {
			with = ctx
		}
		r.Go("client", func() { r.log("%d: %v", i, h.Work(with, cost)) })
	}
	r.After(12, func() { cancel(); s.Take(5) })
	r.pass(20)
	if h.Busy() != 40 {
		t.Errorf("busy %v, want 40ns", h.Busy())
	}
	if s.Backlog() != 15 {
		t.Errorf("backlog %v, want 15ns", s.Backlog())
	}
	r.pass(80)
	if h.Busy() != 70 || s.Backlog() != 0 {
		t.Errorf("busy %v, backlog %v, want 70ns and 0s", h.Busy(), s.Backlog())
	}
	r.want("10ns 0: <nil>", "12ns 2: context canceled", "30ns 1: <nil>", "35ns 3: <nil>")
}
