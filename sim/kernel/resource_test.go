package kernel_test

import (
	"context"
	"testing"
	"time"

	"sluice/sim/kernel"
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
	s := r.NewHost("host", 1).Share("redis", 1)
	p.Go("t", func() {
		defer c.Signal()
		defer func() { _ = s.Work(context.Background(), 100) }()
		r.nap(100)
	})
	r.pass(1)
	p.Kill()
	if s.Take(0) > 0 {
		t.Error("the dead are served")
	}
	r.pass(1)
	r.want()
}

// TestShare: what a process is given it does in the order in which it came, whoever waits for it.
func TestShare(t *testing.T) {
	r := newRig(t)
	s := r.NewHost("host", 4).Share("redis", 1)
	ctx, cancel := context.WithCancel(context.Background())
	for i, cost := range []time.Duration{10, 20, 5, 0} {
		with := context.Background()
		if i == 1 {
			with = ctx
		}
		r.Go("client", func() { r.log("%d: %v", i, s.Work(with, cost)) })
	}
	r.After(12, cancel)
	r.pass(15)
	if s.Take(0) != 20 {
		t.Errorf("it takes %v until all is done, want 20ns", s.Take(0))
	}
	r.pass(85)
	if s.Take(0) != 0 {
		t.Errorf("it takes %v until all is done, want 0s", s.Take(0))
	}
	if s.Work(context.Background(), 0) != nil || s.Work(ctx, 1) != context.Canceled {
		t.Error("no time, or no context, has a wrong answer")
	}
	r.want("10ns 0: <nil>", "12ns 1: context canceled", "35ns 2: <nil>", "35ns 3: <nil>")
}

// given is work that a process of some threads is given at a time, and until when it is done if nobody is
// given more.
type given struct {
	to   string
	at   int
	work time.Duration
	want int
}

// TestHost: who has work gets an equal part of the cores, but no more than its threads can use.
func TestHost(t *testing.T) {
	for name, c := range map[string]struct {
		cores   int
		threads map[string]int
		given   []given
	}{
		"alone, with threads":           {4, map[string]int{"a": 0}, []given{{"a", 0, 40, 40}, {"a", 0, 40, 40}, {"a", 0, 80, 80}}},
		"alone, with one thread":        {4, map[string]int{"a": 1}, []given{{"a", 0, 40, 40}, {"a", 0, 40, 80}, {"a", 80, 10, 90}}},
		"a core for each":               {2, map[string]int{"a": 1, "b": 1}, []given{{"a", 0, 40, 40}, {"b", 0, 20, 20}, {"b", 10, 20, 40}}},
		"who has little is soon done":   {1, map[string]int{"a": 0, "b": 0}, []given{{"a", 0, 100, 100}, {"b", 10, 5, 20}, {"a", 20, 0, 105}}},
		"who has much waits for it":     {1, map[string]int{"a": 0, "b": 0}, []given{{"a", 0, 5, 5}, {"b", 0, 100, 105}, {"b", 50, 1, 106}}},
		"equal parts":                   {1, map[string]int{"a": 1, "b": 1, "c": 1}, []given{{"a", 0, 30, 30}, {"b", 0, 30, 60}, {"c", 0, 30, 90}, {"a", 45, 30, 120}}},
		"threads leave cores to others": {4, map[string]int{"a": 1, "b": 0}, []given{{"a", 0, 60, 60}, {"b", 0, 30, 30}, {"b", 0, 120, 120}, {"b", 30, 0, 53}, {"b", 50, 0, 50}}},
		"less than a thread each":       {2, map[string]int{"a": 1, "b": 1, "c": 0, "d": 2}, []given{{"a", 0, 20, 20}, {"b", 0, 20, 20}, {"c", 0, 20, 30}, {"d", 0, 20, 40}, {"d", 40, 1, 41}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			h := r.NewHost("host", c.cores)
			shares := map[string]*kernel.Share{}
			for _, g := range c.given {
				if shares[g.to] == nil {
					shares[g.to] = h.Share(g.to, c.threads[g.to])
				}
				r.pass(time.Duration(g.at) - r.Elapsed())
				if got := g.at + int(shares[g.to].Take(g.work)); got != g.want {
					t.Errorf("at %d %s is given %d: until %d, want %d", g.at, g.to, g.work, got, g.want)
				}
			}
		})
	}
}

// TestThread takes turns among the clients of a server, which has its process's part of the host.
func TestThread(t *testing.T) {
	r := newRig(t)
	h := r.NewHost("host", 1)
	redis := r.Thread("redis", h)
	many, few, other := redis.Share("many", 1), redis.Share("few", 1), h.Share("other", 1)
	check := func(what string, got, want time.Duration) {
		t.Helper()
		if got != want {
			t.Errorf("%s takes %v, want %v", what, got, want)
		}
	}
	check("much", many.Take(100), 100)
	check("little beside much", few.Take(10), 20)
	check("what is on the host", other.Take(30), 60)
	r.pass(60) // of which 30 were Redis'
	check("the rest of much", many.Take(0), 80)
	check("little once more", few.Take(5), 10)
	r.pass(10)
	check("the rest of much", many.Take(0), 75)
	if busy := h.Busy(); busy != 70 {
		t.Errorf("the host was busy for %v, want 70ns", busy)
	}
	alone := r.Thread("redis", nil)
	check("a thread with a core of its own", alone.Share("client", 1).Take(7), 7)
}

// TestNothingOfTheCoresIsLost, however many processes share them and however often something happens: none is
// left without work, so all that there was time for is done.
func TestNothingOfTheCoresIsLost(t *testing.T) {
	r := newRig(t)
	h := r.NewHost("host", 2)
	for range 250 {
		h.Share("process", 1).Take(time.Second)
	}
	const events, apart = 1000, 999
	for range events {
		r.pass(apart)
		h.Busy()
	}
	if want, got := time.Duration(2*events*apart), h.Busy(); got < want-want/500 || got > want {
		t.Errorf("%v of %v were used", got, want)
	}
}
