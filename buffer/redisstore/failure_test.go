package redisstore_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
)

// cycle is one segment on its way through the store, step by step.
type cycle struct {
	t     *testing.T
	store *redisstore.Store
	owner buffer.Owner
	names []buffer.Generation
}

func traceSpans(trace byte, n int) []buffer.TraceBatch {
	spans := make([]buffer.Span, n)
	for i := range spans {
		spans[i] = buffer.Span{
			TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{trace}},
			ID:       buffer.SpanID{1, byte(i >> 8), byte(i)},
			Parent:   buffer.SpanID{1},
			Root:     i == 0,
			Payload:  []byte(strings.Repeat("x", 100)),
			Size:     100,
			Position: buffer.Position{Offset: int64(trace)<<32 + int64(i)},
		}
	}
	traces, _ := buffer.Group(spans)
	return traces
}

// delivery is the n-th delivery of partition 0, with the clock of one second.
func delivery(n int) buffer.Delivery {
	return buffer.Delivery{ID: buffer.DeliveryID{Number: int64(n)}, Clock: buffer.Seconds(1)}
}

func (c *cycle) attach(trace byte) error {
	answers, err := c.store.Attach(c.t.Context(), delivery(int(trace)), traceSpans(trace, 3))
	if err == nil {
		c.names = []buffer.Generation{answers[0].Live[0].Generation}
	}
	return err
}

func (c *cycle) enqueue() error {
	return c.store.Enqueue(c.t.Context(), 0, buffer.QueueUpdate{
		Clock: buffer.Seconds(1), Wall: buffer.Seconds(1),
		Due: []buffer.Due{{Generation: c.names[0], Deadline: buffer.Seconds(2)}},
	})
}

func (c *cycle) fence() error {
	fenced, err := c.store.Fence(c.t.Context(), 0, buffer.AnyEpoch)
	c.owner = fenced.Owner
	return err
}

func (c *cycle) lease() error {
	leased, err := c.store.Lease(c.t.Context(), c.owner, buffer.Seconds(3), 10)
	if err == nil && len(leased.Due) != 1 {
		c.t.Errorf("%d generations leased, want 1", len(leased.Due))
	}
	return err
}

func (c *cycle) claim() error {
	claims, err := c.store.Claim(c.t.Context(), c.owner, c.names)
	if err == nil && (claims[0].State != buffer.ClaimOwned || claims[0].Spans != 3) {
		c.t.Errorf("claim is %+v, want 3 spans owned", claims[0])
	}
	return err
}

func (c *cycle) load() error {
	loaded, err := c.store.Load(c.t.Context(), c.owner, c.names)
	if err == nil && len(loaded[0].Spans) != 3 {
		c.t.Errorf("%d spans loaded, want 3", len(loaded[0].Spans))
	}
	return err
}

func (c *cycle) ack() error {
	results, err := c.store.Ack(c.t.Context(), c.owner, []buffer.Flushed{{
		Generation: c.names[0], Spans: []buffer.SpanID{{1}, {1, 0, 1}, {1, 0, 2}},
	}})
	if err == nil && results[0] != buffer.AckDone {
		c.t.Errorf("ack is %v, want done", results[0])
	}
	return err
}

func (c *cycle) release() error {
	return c.store.Release(c.t.Context(), c.owner, buffer.Release{Done: c.names})
}

// steps are those from the first attach to the last release.
func (c *cycle) steps() []func() error {
	return []func() error{
		func() error { return c.attach(1) },
		c.enqueue, c.fence, c.lease, c.claim, c.load, c.ack, c.release,
	}
}

func (c *cycle) expectEmpty() {
	c.t.Helper()
	left, err := c.store.Leftovers(c.t.Context())
	if err != nil || !left.Empty() {
		c.t.Errorf("left over: %v, %v", left, err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually repeats a step as long as its error is one that passes.
func eventually(t *testing.T, step func() error) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		err := step()
		if err == nil {
			return
		}
		if !buffer.Retryable(err) {
			t.Fatalf("the error is not retryable: %v", err)
		}
		select {
		case <-deadline:
			t.Fatalf("still failing: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestOutOfMemoryStopsOnlyAttach(t *testing.T) {
	server := servertest.Redis(t)
	c := &cycle{t: t, store: open(t, config(server.Addr))}
	must(t, c.attach(1))
	name := c.names
	must(t, c.store.Do(t.Context(), "CONFIG", "SET", "maxmemory", "1"))
	before, err := c.store.Leftovers(t.Context())
	must(t, err)
	if err := c.attach(2); !errors.Is(err, buffer.ErrFull) || !buffer.Retryable(err) {
		t.Fatalf("attach without room gives %v, want %v", err, buffer.ErrFull)
	}
	after, err := c.store.Leftovers(t.Context())
	must(t, err)
	if len(before.Held) != 1 || !reflect.DeepEqual(before, after) {
		t.Errorf("a refused attach left %v, before it %v", after, before)
	}
	c.names = name
	for _, step := range c.steps()[1:] {
		must(t, step())
	}
	c.expectEmpty()
	must(t, c.store.Do(t.Context(), "CONFIG", "SET", "maxmemory", "0"))
	must(t, c.attach(2))
}

func TestForgottenScripts(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis, onCluster} {
		t.Run(p.name, func(t *testing.T) {
			c := &cycle{t: t, store: p.open(t)}
			wiped(t, c.store)
			for _, step := range c.steps() {
				must(t, c.store.Do(t.Context(), "SCRIPT", "FLUSH"))
				must(t, step())
			}
			c.expectEmpty()
		})
	}
}

func TestRestartBetweenAnySteps(t *testing.T) {
	server := servertest.Redis(t)
	c := &cycle{t: t, store: open(t, config(server.Addr))}
	for _, step := range c.steps() {
		must(t, servertest.Restart(server, true))
		eventually(t, step)
	}
	c.expectEmpty()
}

func TestDeadServerIsUnavailable(t *testing.T) {
	server := servertest.Redis(t)
	c := &cycle{t: t, store: open(t, config(server.Addr))}
	must(t, c.attach(1))
	must(t, c.fence())
	must(t, server.Kill())
	for i, step := range c.steps() {
		if err := step(); !errors.Is(err, buffer.ErrUnavailable) {
			t.Errorf("step %d on a dead server gives %v, want %v", i, err, buffer.ErrUnavailable)
		}
	}
}

// TestAServerWithoutRoomForAConnection: to be refused one passes, as to be unable to connect does.
func TestAServerWithoutRoomForAConnection(t *testing.T) {
	server := servertest.Redis(t)
	c := &cycle{t: t, store: open(t, config(server.Addr))}
	must(t, c.attach(1))
	must(t, c.fence())
	admin, err := net.Dial("tcp", server.Addr)
	must(t, err)
	defer admin.Close()
	lines := bufio.NewScanner(admin)
	ask := func(command string) string {
		_, err := admin.Write([]byte(command + "\r\n"))
		must(t, err)
		if !lines.Scan() {
			t.Fatalf("%s: no answer, %v", command, lines.Err())
		}
		return lines.Text()
	}
	// One place, that of the connection that asks.
	ask("CLIENT KILL TYPE normal SKIPME yes")
	for deadline := time.Now().Add(10 * time.Second); ; {
		if answer := ask("CONFIG SET maxclients 1"); answer == "+OK" {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(answer)
		}
	}
	ask("CLIENT KILL TYPE normal SKIPME yes")
	for range 3 { // the first may meet the connection that is gone
		for i, step := range c.steps() {
			if err := step(); !errors.Is(err, buffer.ErrUnavailable) {
				t.Errorf("step %d without a place gives %v, want %v", i, err, buffer.ErrUnavailable)
			}
		}
	}
	if _, err := redisstore.Open(t.Context(), config(server.Addr)); !errors.Is(err, buffer.ErrUnavailable) {
		t.Errorf("to open a store without a place gives %v, want %v", err, buffer.ErrUnavailable)
	}
	ask("CONFIG SET maxclients 100")
	eventually(t, func() error { return c.attach(2) })
}

func TestFrozenServer(t *testing.T) {
	server := servertest.Redis(t)
	settings := config(server.Addr)
	settings.AnswerTimeout = 2 * time.Second
	c := &cycle{t: t, store: open(t, settings)}
	hurried := open(t, config(server.Addr))
	must(t, c.attach(1))
	must(t, server.Freeze())
	if err := c.attach(2); !errors.Is(err, buffer.ErrUnavailable) {
		t.Errorf("attach on a frozen server gives %v, want %v", err, buffer.ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := hurried.Attach(ctx, delivery(3), traceSpans(3, 1))
	if !errors.Is(err, context.DeadlineExceeded) || buffer.Retryable(err) {
		t.Errorf("a call whose context ends gives %v, want %v", err, context.DeadlineExceeded)
	}
	must(t, server.Thaw())
	eventually(t, func() error { return c.attach(4) })
}

func TestClusterNodeRestarted(t *testing.T) {
	nodes := servertest.NewRedisCluster(t)
	c := &cycle{t: t, store: open(t, config(servertest.Addrs(nodes)...))}
	for i, step := range c.steps() {
		eventually(t, step)
		if i == 0 || i == 4 { // attached; claimed
			must(t, servertest.Restart(nodes[i/4], true))
		}
	}
	// Each node is asked over several connections; one that broke with the restart may fail once more.
	var left buffer.Leftovers
	eventually(t, func() (err error) { left, err = c.store.Leftovers(t.Context()); return err })
	if !left.Empty() {
		t.Errorf("left over: %v", left)
	}
}

func TestOpenRefusals(t *testing.T) {
	dead := servertest.Unused(t)
	evicting := servertest.Redis(t, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb").Addr
	locked := servertest.Redis(t).Addr
	must(t, open(t, config(locked)).Do(t.Context(), "CONFIG", "SET", "requirepass", "secret"))
	single := servertest.RedisAddr(t)
	for _, c := range []struct {
		name      string
		addresses []string
		want      []string
	}{
		{"nobody there", []string{dead}, []string{dead, "refused"}},
		{"one of several", []string{dead, evicting}, []string{"2 addresses", "single server"}},
		{"policy", []string{evicting}, []string{evicting, "allkeys-lru", "noeviction"}},
		{"password", []string{locked}, []string{locked, "NOAUTH"}},
		{"two single servers", []string{single, evicting}, []string{"single server", "one cluster"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			settings := config(c.addresses...)
			store, err := redisstore.Open(t.Context(), settings)
			if err == nil {
				store.Close()
				t.Fatal("no error")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not say %q", err, want)
				}
			}
			if c.name == "nobody there" && !errors.Is(err, buffer.ErrUnavailable) {
				t.Errorf("the error %v is not %v", err, buffer.ErrUnavailable)
			}
		})
	}
}

// TestOpenDoesNotWaitForOneNodeAfterTheOther: those that hang do not keep it from one that answers.
func TestOpenDoesNotWaitForOneNodeAfterTheOther(t *testing.T) {
	var addresses []string
	for range 3 {
		silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts, as if the process were frozen
		must(t, err)
		t.Cleanup(func() { _ = silent.Close() })
		addresses = append(addresses, silent.Addr().String())
	}
	settings := config(append(addresses, servertest.RedisAddr(t))...)
	settings.AnswerTimeout = 4 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), settings.AnswerTimeout/2)
	defer cancel()
	store, err := redisstore.Open(ctx, settings)
	if err == nil {
		store.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "single server") {
		t.Errorf("%v, want the answer of the last: it is a single server", err)
	}
}

// What a policy is called does not count, but what it does: no key has a time to live, and a server
// without a limit is never full.
func TestPoliciesThatDoNoHarm(t *testing.T) {
	server := servertest.Redis(t)
	admin := open(t, config(server.Addr))
	for _, c := range []struct {
		policy, limit string
		doubts        int
	}{
		{"volatile-lru", "0", 0}, {"volatile-ttl", "1gb", 0}, {"noeviction", "1gb", 0},
		{"allkeys-lru", "0", 1}, {"allkeys-random", "0", 1},
	} {
		must(t, admin.Do(t.Context(), "CONFIG", "SET", "maxmemory-policy", c.policy))
		must(t, admin.Do(t.Context(), "CONFIG", "SET", "maxmemory", c.limit))
		store, err := redisstore.Open(t.Context(), config(server.Addr))
		if err != nil {
			t.Errorf("%s with a limit of %s: %v", c.policy, c.limit, err)
			continue
		}
		if doubts := store.Doubts(); len(doubts) != c.doubts ||
			c.doubts > 0 && !strings.Contains(doubts[0], c.policy) {
			t.Errorf("%s with a limit of %s: doubts %q, want %d", c.policy, c.limit, doubts, c.doubts)
		}
		store.Close()
	}
}

// A server that is full and may evict what has a time to live keeps what has none, and says that it
// is full.
func TestAFullServerThatEvictsWhatExpires(t *testing.T) {
	server := servertest.Redis(t, "--maxmemory-policy", "volatile-lru")
	store := open(t, config(server.Addr))
	c := &cycle{t: t, store: store}
	must(t, c.attach(1))
	must(t, store.Do(t.Context(), "CONFIG", "SET", "maxmemory", "1"))
	if err := c.attach(2); !errors.Is(err, buffer.ErrFull) {
		t.Errorf("one more: %v, want %v", err, buffer.ErrFull)
	}
	for _, step := range c.steps()[1:] {
		must(t, step())
	}
	c.expectEmpty()
}

// A user who may not ask INFO or CONFIG is served as long as the other is allowed.
func TestRestrictedUsers(t *testing.T) {
	server := servertest.Redis(t)
	admin := open(t, config(server.Addr))
	for user, c := range map[string]struct {
		rules string
		ok    bool
	}{
		"noinfo":   {"-info", true},
		"noconfig": {"-config", true},
		"neither":  {"-info -config", false},
	} {
		words := append([]string{"ACL", "SETUSER", user, "on", ">pw", "~*", "&*", "+@all"},
			strings.Fields(c.rules)...)
		must(t, admin.Do(t.Context(), words...))
		settings := config(server.Addr)
		settings.Username, settings.Password = user, "pw"
		store, err := redisstore.Open(t.Context(), settings)
		if err == nil {
			store.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("user with %s: %v", c.rules, err)
		}
		if err != nil && !strings.Contains(err.Error(), "INFO or CONFIG GET") {
			t.Errorf("the error %v does not say what is missing", err)
		}
	}
}

// Rights that are taken away pass, whatever the step and in whichever words Redis says so.
func TestRightsTakenAway(t *testing.T) {
	server := servertest.Redis(t)
	admin := open(t, config(server.Addr))
	set := func(rules string) {
		t.Helper()
		words := append([]string{"ACL", "SETUSER", "keeper"}, strings.Fields(rules)...)
		must(t, admin.Do(t.Context(), words...))
	}
	for name, c := range map[string]struct {
		away, back string
		// disconnected is true if the rules are for those who come.
		disconnected bool
	}{
		"commands":          {"-@all", "+@all", false},
		"what a step calls": {"-hmget -hget -mget -set -zrangebyscore -zadd -get -incr -hset -zrem -hdel -hlen", "+@all", false},
		"keys":              {"resetkeys ~other:*", "~*", false},
		"the password":      {"resetpass >other", "resetpass >pw", true},
		"the user as such":  {"off", "on", true},
	} {
		t.Run(name, func(t *testing.T) {
			set("reset on >pw ~* &* +@all")
			settings := config(server.Addr)
			settings.Username, settings.Password = "keeper", "pw"
			one := &cycle{t: t, store: open(t, settings)}
			for i, step := range one.steps() {
				set(c.away)
				if c.disconnected {
					must(t, admin.Do(t.Context(), "CLIENT", "KILL", "USER", "keeper"))
				}
				err := step()
				// At first each connection may say that it was lost.
				for tries := 0; c.disconnected && tries < 100 && errors.Is(err, buffer.ErrUnavailable) &&
					!strings.Contains(err.Error(), "to this user"); tries++ {
					err = step()
				}
				if !errors.Is(err, buffer.ErrUnavailable) || !strings.Contains(err.Error(), "to this user") {
					t.Errorf("step %d without %s gives %v", i, name, err)
				}
				set(c.back)
				eventually(t, step)
			}
			one.expectEmpty()
		})
	}
}
