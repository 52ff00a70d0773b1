package sim

import (
	"context"
	"errors"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/harness"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// newCluster returns a cluster and a client of it.
func newCluster(t *testing.T) (*redis, client) {
	t.Helper()
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	on := newHosts(k, Hosts{}, Network{})
	r := newRedis(k, DefaultCosts(), on, buffer.DefaultOptions(), clusterNodes)
	cpu := &processor{k: k, on: on.pipeline.Share("consumer", 0), used: &on.consumers}
	return r, client{redis: r, conns: r.connect(), answerMax: time.Second, cpu: cpu}
}

// traces are batches of one span each.
func traces(from, n int) (list []buffer.TraceBatch) {
	for i := from; i < from+n; i++ {
		id, key := buffer.SpanID{byte(i)}, buffer.TraceKey{Trace: buffer.TraceID{15: byte(i)}, Project: 1}
		list = append(list, buffer.TraceBatch{TraceKey: key, Subtrees: []buffer.Subtree{{Parent: id,
			Spans: []buffer.Span{{TraceKey: key, ID: id, Parent: id, Root: true, Size: 1}}}}})
	}
	return list
}

// TestClusterBySlot: what is in the slots of a node that is down, full or wiped is what that happens
// to, and nothing else.
func TestClusterBySlot(t *testing.T) {
	const n, down = 30, 1
	ctx := context.Background()
	for _, c := range []struct {
		fault string
		err   error
	}{
		{"at 1s stop redis node 1 for 1s", buffer.ErrUnavailable},
		{"at 1s black-hole redis node 1 for 1s", buffer.ErrUnavailable},
		{"at 1s fill redis node 1 for 1s", buffer.ErrFull},
	} {
		r, client := newCluster(t)
		var fault scenarios.Fault
		if err := fault.UnmarshalText([]byte(c.fault)); err != nil {
			t.Fatal(err)
		}
		undo, err := r.Break(fault)
		if err != nil {
			t.Fatal(err)
		}
		answers, err := client.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}}, traces(0, n))
		if !errors.Is(err, c.err) || len(answers) != n {
			t.Fatalf("%s: %d answers, %v", c.fault, len(answers), err)
		}
		done := 0
		for i, batch := range traces(0, n) {
			if answers[i].Done != (r.ofTrace(batch.TraceKey) != down) {
				t.Errorf("%s: trace %d of node %d: done %v", c.fault, i, r.ofTrace(batch.TraceKey),
					answers[i].Done)
			}
			if answers[i].Done {
				done++
			}
		}
		if done < n/3 || done > n-n/5 {
			t.Errorf("%s: %d of %d traces are on two nodes of three", c.fault, done, n)
		}
		for shard := range buffer.Shard(9) {
			_, err := client.Fence(ctx, shard, buffer.AnyEpoch)
			if mine := r.ofShard(shard) == down && c.err == buffer.ErrUnavailable; (err != nil) != mine {
				t.Errorf("%s: shard %d of node %d: %v", c.fault, shard, r.ofShard(shard), err)
			}
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 2}},
			traces(0, n)); err != nil {
			t.Errorf("%s: when it is over: %v", c.fault, err)
		}
		left, err := r.leftovers(ctx)
		if err != nil || len(left.Held) != n {
			t.Errorf("%s: %v are held, %v", c.fault, left, err)
		}
	}
}

// TestWipeOfANode forgets what is in its slots.
func TestWipeOfANode(t *testing.T) {
	const n = 30
	ctx := context.Background()
	r, client := newCluster(t)
	if _, err := client.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}},
		traces(0, n)); err != nil {
		t.Fatal(err)
	}
	var fault scenarios.Fault
	if err := fault.UnmarshalText([]byte("at 1s wipe redis node 2")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Break(fault); err != nil {
		t.Fatal(err)
	}
	left, err := r.leftovers(ctx)
	if err != nil || len(left.Held) == 0 || len(left.Held) == n {
		t.Errorf("%d of %d are held, %v", len(left.Held), n, err)
	}
	for _, key := range left.Held {
		if r.ofTrace(key) == 2 {
			t.Errorf("%v is held on the node that was wiped", key)
		}
	}
}

// TestFailover: what a node is told after it began is gone when it is over, what it was told before is
// there, and no other node is concerned.
func TestFailover(t *testing.T) {
	const n, at = 30, 2
	ctx := context.Background()
	r, client := newCluster(t)
	attach := func(number int64, from int) {
		t.Helper()
		if _, err := client.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: number}},
			traces(from, n)); err != nil {
			t.Fatal(err)
		}
	}
	attach(1, 0)
	var lost func(buffer.TraceKey) bool
	var began, over time.Time
	over = r.nodes[0].k.Now()
	task := r.nodes[0].k.Go("failover", func() {
		began = r.nodes[0].k.Now()
		undo, err := r.failOver(ctx, parse(t, "at 1s failover redis node 2 by 1s for 1s"),
			func(of func(buffer.TraceKey) bool) { lost, over = of, r.nodes[0].k.Now() })
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := client.Fence(ctx, 0, buffer.AnyEpoch); err != nil && r.ofShard(0) != at {
			t.Error(err)
		}
		if err := r.nodes[at].own.ask(ctx, patient, 0, small, nil); err == nil {
			t.Error("it answers before it is over")
		}
		_ = undo()
	})
	_ = r.nodes[0].k.Sleep(ctx, time.Millisecond)
	attach(2, n)
	if _, err := r.Break(parse(t, "at 1s wipe redis node 2")); !errors.Is(err, harness.ErrBusy) {
		t.Errorf("a wipe meanwhile: %v", err)
	}
	task.Wait()
	if took := over.Sub(began); took != time.Second {
		t.Errorf("it takes over after %v", took)
	}
	left, err := r.leftovers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	held := map[buffer.TraceKey]bool{}
	for _, key := range left.Held {
		held[key] = true
	}
	gone := 0
	for i, batch := range append(traces(0, n), traces(n, n)...) {
		mine := r.ofTrace(batch.TraceKey) == at
		if lost(batch.TraceKey) != mine {
			t.Errorf("trace %d of node %d is said to be on it: %v", i, r.ofTrace(batch.TraceKey), !mine)
		}
		if want := i < n || !mine; held[batch.TraceKey] != want {
			t.Errorf("trace %d of node %d is there: %v", i, r.ofTrace(batch.TraceKey), !want)
		} else if !want {
			gone++
		}
	}
	if gone == 0 {
		t.Error("nothing was lost")
	}
}

// TestAttachCostsByWhatIsThere: what a batch costs the server goes by what it finds: new traces, spans
// that are added to a known one, spans that come again, segments that become part of another.
func TestAttachCostsByWhatIsThere(t *testing.T) {
	const (
		trace, known, span, repeat, merge = 3, 50, 700, 11_000, 130_000 // no sum of some is one of others
	)
	r, client := newCluster(t)
	r.costs = Redis{Trace: trace, Known: known, Span: span, Repeat: repeat, Merge: merge}
	key := buffer.TraceKey{Trace: buffer.TraceID{1}, Project: 1}
	batch := func(ids ...byte) (list []buffer.TraceBatch) { // a span and its parent each, 0 for a root
		b := buffer.TraceBatch{TraceKey: key}
		for i := 0; i < len(ids); i += 2 {
			id, parent := buffer.SpanID{ids[i]}, buffer.SpanID{ids[i+1]}
			root := ids[i+1] == 0
			if root {
				parent = id
			}
			b.Subtrees = append(b.Subtrees, buffer.Subtree{Parent: parent,
				Spans: []buffer.Span{{TraceKey: key, ID: id, Parent: parent, Root: root, Size: 1}}})
		}
		return []buffer.TraceBatch{b}
	}
	for n, c := range []struct {
		what  string
		batch []buffer.TraceBatch
		want  time.Duration
	}{
		{"a new trace of two spans", batch(1, 0, 2, 1), trace + 2*span},
		{"a third span, whose parent has yet to come", batch(4, 3), trace + known + span},
		{"the first again", batch(1, 0), trace + known + span + repeat},
		{"that parent, with which two segments become one", batch(3, 1), trace + known + span + merge},
	} {
		before := r.used()
		if _, err := client.Attach(context.Background(),
			buffer.Delivery{ID: buffer.DeliveryID{Number: int64(n + 1)}}, c.batch); err != nil {
			t.Fatal(err)
		}
		if got := r.used() - before; got != c.want {
			t.Errorf("%s costs %d, want %d", c.what, got, c.want)
		}
	}
}

// TestStopSavesAndLoads: a Redis that is stopped first saves what it holds, answers nobody meanwhile and
// does nothing of what it is asked; started again, it answers when it has read that.
func TestStopSavesAndLoads(t *testing.T) {
	const n, forTrace, forKB = 30, time.Millisecond, 10 * time.Millisecond
	ctx := context.Background()
	stopsBy := func(fault string, hold bool) (ends, starts time.Duration, tried error) {
		r, client := newCluster(t)
		r.costs = Redis{Overhead: 100, Stop: 5 * time.Millisecond, Start: 7 * time.Millisecond,
			SaveTrace: forTrace, SaveKB: forKB, LoadTrace: 2 * forTrace, LoadKB: 3 * forKB}
		k := r.nodes[1].k
		if hold {
			if _, err := client.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 1}},
				traces(0, n)); err != nil {
				t.Fatal(err)
			}
		}
		asked := k.Go("asks while it saves", func() {
			_ = k.Sleep(ctx, time.Millisecond)
			_, tried = client.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: 2}}, traces(n, n))
		})
		began := k.Elapsed()
		undo, err := r.Break(parse(t, fault))
		if err != nil {
			t.Fatal(err)
		}
		ends = k.Elapsed() - began
		if err := r.nodes[1].own.ask(ctx, patient, 0, small, nil); err == nil {
			t.Errorf("%s: it answers when it has ended", fault)
		}
		began = k.Elapsed()
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		starts = k.Elapsed() - began
		asked.Wait()
		left, err := r.leftovers(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range left.Held { // what is of the second batch was done by other nodes
			if ends > 0 && r.ofTrace(key) == 1 && int(key.Trace[15]) >= n {
				t.Errorf("%s: it stored %v after it had begun to save", fault, key)
			}
		}
		return ends, starts, tried
	}
	traced := 0
	for _, batch := range traces(0, n) {
		if r, _ := newCluster(t); r.ofTrace(batch.TraceKey) == 1 {
			traced++
		}
	}
	held := func(trace, kb time.Duration) time.Duration { // a span of 1 byte and its overhead each
		return time.Duration(traced)*trace + time.Duration(traced)*101*kb/1000
	}
	for _, c := range []struct {
		fault        string
		hold         bool
		ends, starts time.Duration
	}{
		{"at 1s stop redis node 1 for 1s", true, 5*time.Millisecond + held(forTrace, forKB),
			7*time.Millisecond + held(2*forTrace, 3*forKB)},
		{"at 1s stop redis node 1 for 1s", false, 5 * time.Millisecond, 7 * time.Millisecond},
		{"at 1s wipe redis node 1 for 1s", true, 0, 7 * time.Millisecond},
		{"at 1s refuse redis node 1 for 1s", true, 0, 0},
	} {
		ends, starts, tried := stopsBy(c.fault, c.hold)
		// What it was given before is done first: that takes as good as nothing here.
		if off := ends - c.ends; off < 0 || off > 10*time.Microsecond {
			t.Errorf("%s: it ends after %v, want %v", c.fault, ends, c.ends)
		}
		if off := starts - c.starts; off < 0 || off > 10*time.Microsecond {
			t.Errorf("%s: it starts within %v, want %v", c.fault, starts, c.starts)
		}
		if c.ends > 0 && !errors.Is(tried, buffer.ErrUnavailable) {
			t.Errorf("%s: who asks meanwhile hears %v", c.fault, tried)
		}
	}
}

// TestStopsOverlap: a Redis that two faults have stopped is started by the end of the last, and once.
func TestStopsOverlap(t *testing.T) {
	r, _ := newCluster(t)
	r.costs = Redis{Stop: time.Second, Start: time.Minute}
	k := r.nodes[0].k
	var undos []func() error
	for range 2 {
		undo, err := r.Break(parse(t, "at 1s stop redis node 0 for 1s"))
		if err != nil {
			t.Fatal(err)
		}
		undos = append(undos, undo)
	}
	if got := k.Elapsed(); got != time.Second {
		t.Errorf("to stop it twice takes %v", got)
	}
	for i, want := range []time.Duration{time.Second, time.Minute + time.Second} {
		_ = undos[i]()
		if got := k.Elapsed(); got != want {
			t.Errorf("end %d is over at %v, want %v", i, got, want)
		}
		if up := r.nodes[0].up(); up != (i == 1) {
			t.Errorf("after end %d it is up: %v", i, up)
		}
	}
}

// TestKafkaTakesItsTime to end and to start, and is cold then: who is killed ends at once.
func TestKafkaTakesItsTime(t *testing.T) {
	for fault, want := range map[string][2]time.Duration{
		"at 1s stop kafka for 1s":   {2 * time.Second, 3 * time.Second},
		"at 1s crash kafka for 1s":  {0, 3 * time.Second},
		"at 1s refuse kafka for 1s": {0, 0},
	} {
		k, err := kernel.New(kernel.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		costs := DefaultCosts()
		costs.Kafka.Stop, costs.Kafka.Start, costs.Kafka.WarmUp = 2*time.Second, 3*time.Second, time.Second
		b := newKafka(k, costs, newHosts(k, Hosts{}, Network{}), scenarios.Default(), nil)
		undo, err := b.Break(parse(t, fault))
		if err != nil {
			t.Fatal(err)
		}
		ends := k.Elapsed()
		if b.up() {
			t.Errorf("%s: it is up", fault)
		}
		_ = undo()
		if got := [2]time.Duration{ends, k.Elapsed() - ends}; got != want || !b.up() {
			t.Errorf("%s: it ends and starts within %v, want %v; it is up: %v", fault, got, want, b.up())
		}
		b.burn(time.Millisecond)
		if cold := b.used > 2*time.Millisecond; cold != (want[1] > 0) || b.used < time.Millisecond {
			t.Errorf("%s: then it takes %v for what takes a millisecond", fault, b.used)
		}
	}
}

// TestWipeBesideAFailover waits for it, and touches no other node before.
func TestWipeBesideAFailover(t *testing.T) {
	r, client := newCluster(t)
	r.nodes[1].setBack = true
	for range 3 { // it is tried again and again
		if _, err := r.Break(parse(t, "at 1s wipe redis")); !errors.Is(err, harness.ErrBusy) {
			t.Fatalf("beside a failover: %v", err)
		}
	}
	ctx, delivery := context.Background(), buffer.Delivery{ID: buffer.DeliveryID{Number: 1}}
	if _, err := client.Attach(ctx, delivery, traces(0, 30)); err != nil {
		t.Errorf("a node answers no more: %v", err)
	}
	r.nodes[1].setBack = false
	undo, err := r.Break(parse(t, "at 1s wipe redis"))
	if err != nil {
		t.Fatal(err)
	}
	if left, err := r.leftovers(ctx); err != nil || len(left.Held) > 0 {
		t.Errorf("wiped, they hold %v, %v", left.Held, err)
	}
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	delivery.ID.Number++
	if _, err := client.Attach(ctx, delivery, traces(0, 30)); err != nil {
		t.Errorf("when it is over: %v", err)
	}
}
