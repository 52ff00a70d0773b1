package redisstore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	miniserver "github.com/alicebob/miniredis/v2/server"
	gocmp "github.com/google/go-cmp/cmp"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
)

// A batch that comes again in another cut stores only what is new of each subtree, and what is
// loaded is every span once, whatever was masked.
func TestRedeliveryInOtherCuts(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t).Fork(namespace(), buffer.NoSegmentLimit)
			wiped(t, store)
			whole := traceSpans(1, 9)[0].Subtrees[0]
			var all [][]buffer.Span
			for _, cut := range [][]int{{4}, {2, 4, 6}, {0, 2, 5}, {1, 3, 5, 7, 8}} {
				var spans []buffer.Span
				for _, i := range cut {
					spans = append(spans, whole.Spans[i])
				}
				all = append(all, spans)
			}
			stored := 0
			for n, spans := range all {
				traces, _ := buffer.Group(spans)
				answers, err := store.Attach(t.Context(), delivery(n), traces)
				must(t, err)
				stored += answers[0].Stored
				update := buffer.QueueUpdate{Merged: answers[0].Merged}
				for _, live := range answers[0].Live {
					update.Due = append(update.Due, buffer.Due{Generation: live.Generation})
				}
				must(t, store.Enqueue(t.Context(), 0, update))
			}
			if stored != len(whole.Spans) {
				t.Errorf("%d spans stored, want %d", stored, len(whole.Spans))
			}
			loaded := flushed(t, store)
			if len(loaded) != 1 {
				t.Fatalf("%d segments, want 1", len(loaded))
			}
			want := make([]buffer.Span, 0, len(whole.Spans))
			for _, i := range []int{4, 2, 6, 0, 5, 1, 3, 7, 8} {
				want = append(want, whole.Spans[i])
			}
			if diff := gocmp.Diff(want, loaded[0].Spans); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// A generation is taken over between the two looks of a Load: what the second one reads may be
// another's by then, so the old owner is given nothing.
func TestLoadBelievesTheSecondLook(t *testing.T) {
	small := onMiniredis.open(t)
	for name, store := range map[string]*redisstore.Store{"hash": small.Roomy(), "small": small} {
		t.Run(name, func(t *testing.T) {
			wiped(t, small)
			c := begun(t, store)
			must(t, c.claim())
			old := c.owner
			watched := store.Watched(func(round int) {
				if round == 2 {
					must(t, c.fence())
					must(t, c.claim())
				}
			})
			loaded, err := watched.Load(t.Context(), old, c.names)
			if must(t, err); loaded[0].Owned || len(loaded[0].Spans) > 0 {
				t.Errorf("the old owner %v loads %+v", old, loaded[0])
			}
			must(t, c.load())
		})
	}
}

// A server that takes calls and does not answer them is given up after AnswerTimeout, not after the
// client's own time, and not only when the caller has had enough.
func TestASilentServerIsUnavailable(t *testing.T) {
	server := miniredis.RunT(t)
	settings := config(server.Addr())
	settings.AnswerTimeout = 4 * time.Second // which the answers that open the store must keep, too
	c := &cycle{t: t, store: open(t, settings)}
	thaw := make(chan struct{})
	defer close(thaw)
	server.Server().SetPreHook(func(*miniserver.Peer, string, ...string) bool {
		<-thaw
		return false
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := c.store.Attach(ctx, delivery(1), traceSpans(1, 1))
	if !errors.Is(err, buffer.ErrUnavailable) || ctx.Err() != nil {
		t.Errorf("a call without an answer gives %v, want %v", err, buffer.ErrUnavailable)
	}
}

func TestMemoryAsksEveryNodeOnce(t *testing.T) {
	server := servertest.Redis(t, "--maxmemory", "64mb")
	for _, c := range []struct {
		addresses []string
		maximum   int64
	}{
		{[]string{server.Addr}, 64 << 20},
		{servertest.RedisCluster(t), 0},
	} {
		nodes, err := open(t, config(c.addresses...)).Memory(t.Context())
		must(t, err)
		if len(nodes) != len(c.addresses) {
			t.Errorf("%d nodes answer, want %d", len(nodes), len(c.addresses))
		}
		for _, node := range nodes {
			if node.Used < 1<<16 || node.Max != c.maximum || node.Node == "" {
				t.Errorf("memory %+v, want a maximum of %d", node, c.maximum)
			}
		}
	}
	nodes, err := onMiniredis.open(t).Memory(t.Context())
	if must(t, err); len(nodes) != 1 || nodes[0].Max != 0 {
		t.Errorf("memory of miniredis is %+v", nodes)
	}
}

func TestSlicesSeparateQueues(t *testing.T) {
	one := config(servertest.RedisAddr(t))
	other := one
	other.Slice = "b"
	a, b := &cycle{t: t, store: open(t, one)}, &cycle{t: t, store: open(t, other)}
	wiped(t, a.store)
	must(t, a.attach(1))
	must(t, a.enqueue())
	must(t, b.fence())
	leased, err := b.store.Lease(t.Context(), b.owner, buffer.Seconds(10), 10)
	if must(t, err); len(leased.Due) > 0 {
		t.Errorf("another slice's queue hands out %v", leased.Due)
	}
	must(t, a.fence())
	must(t, a.lease())
}

// What a version of before 29 November 2026 has queued or leased, under other names, is handed out once,
// released for good, and not handed out beside what a later write queued of the same generation.
func TestNamesOfBefore(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis, onCluster} {
		for _, name := range []string{"queued", "leased", "queued again", "leased and queued again"} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				ctx, store := t.Context(), p.open(t)
				wiped(t, store)
				dues, now := named(4), buffer.Seconds(100)
				for i, project := range []buffer.ProjectID{7, -1, 1 << 60, 0} {
					dues[i].Project, dues[i].ID = project, buffer.DeliveryID{Partition: 2, Number: int64(10 - i)}
				}
				store.Former(ctx, t, 0, strings.HasPrefix(name, "leased"), dues...)
				if strings.HasSuffix(name, "again") {
					must(t, store.Enqueue(ctx, 0, buffer.QueueUpdate{Clock: now, Wall: now, Due: dues}))
				}
				fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
				must(t, err)
				leased, err := store.Lease(ctx, fenced.Owner, now, 10)
				must(t, err)
				slices.SortFunc(leased.Due, buffer.Due.Compare)
				want := slices.Clone(dues)
				slices.SortFunc(want, buffer.Due.Compare)
				if !slices.Equal(leased.Due, want) || leased.Outstanding != len(want) {
					t.Errorf("leased %v, %d are, want %v", leased.Due, leased.Outstanding, want)
				}
				var done buffer.Release
				for _, due := range leased.Due {
					done.Done = append(done.Done, due.Generation)
				}
				must(t, store.Release(ctx, fenced.Owner, done))
				left, err := store.Leftovers(ctx)
				if must(t, err); len(left.Shards) > 0 {
					t.Errorf("left over: %+v", left.Shards)
				}
			})
		}
	}
}
