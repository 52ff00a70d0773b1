package redisstore_test

import (
	"context"
	"reflect"
	"slices"
	"testing"

	"sluice/buffer"
	"sluice/buffer/conformance"
	"sluice/buffer/redisstore"
)

// begun attaches a small segment, and leases it.
func begun(t *testing.T, store *redisstore.Store) *cycle {
	t.Helper()
	c := &cycle{t: t, store: store}
	for _, step := range []func() error{
		func() error { return c.attach(1) }, c.enqueue, c.fence, c.lease,
	} {
		must(t, step())
	}
	return c
}

// late attaches a span below the segment.
func late(t *testing.T, store *redisstore.Store) {
	t.Helper()
	child := buffer.Span{
		TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}, ID: buffer.SpanID{9},
		Parent: buffer.SpanID{1}, Payload: []byte("late"), Size: 4,
	}
	traces, _ := buffer.Group([]buffer.Span{child})
	answers, err := store.Attach(t.Context(), delivery(2), traces)
	if must(t, err); answers[0].Stored != 1 || len(answers[0].Live) != 1 {
		t.Fatalf("the late span gives %+v", answers[0])
	}
}

func TestASmallTraceIsAString(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis, onCluster, onFew} {
		for name, claimed := range map[string]bool{"late before the claim": false, "late after it": true} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				store := p.open(t)
				wiped(t, store)
				c := begun(t, store)
				is := func(want string) {
					t.Helper()
					if got := store.Type(t.Context(), t, c.names[0].TraceKey); got != want {
						t.Errorf("the trace is a %s, want a %s", got, want)
					}
				}
				is("string")
				want := 3
				if !claimed {
					late(t, store)
					want++
				}
				claims, err := store.Claim(t.Context(), c.owner, c.names)
				if must(t, err); claims[0].Loaded == nil {
					t.Fatalf("a claim of a small trace loads nothing along: %+v", claims[0])
				}
				along := claims[0].Loaded
				is("string")
				if claimed {
					late(t, store)
					is("hash")
				}
				claims, err = store.Claim(t.Context(), c.owner, c.names)
				if must(t, err); claims[0].State != buffer.ClaimOwned {
					t.Errorf("claimed again: %+v", claims[0])
				}
				loaded, err := store.Load(t.Context(), c.owner, c.names)
				if must(t, err); !loaded[0].Owned || len(loaded[0].Spans) != want {
					t.Errorf("loaded %+v, want %d spans", loaded[0], want)
				}
				if !reflect.DeepEqual(*along, loaded[0]) {
					t.Errorf("loaded %+v, by the claim %+v", loaded[0], *along)
				}
			})
		}
	}
}

// A trace may come twice in one call.
func TestASmallTraceGrowsTwiceInOneCall(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis} {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t)
			wiped(t, store)
			c := begun(t, store)
			var traces []buffer.TraceBatch
			for id := byte(5); id < 8; id++ {
				span := buffer.Span{
					TraceKey: c.names[0].TraceKey, ID: buffer.SpanID{id}, Parent: buffer.SpanID{id - 1},
					Payload: []byte{id}, Size: 1,
				}
				if id == 5 {
					span.Parent = buffer.SpanID{1}
				}
				one, _ := buffer.Group([]buffer.Span{span})
				traces = append(traces, one...)
			}
			_, err := store.Attach(t.Context(), delivery(2), traces)
			must(t, err)
			if got := store.Type(t.Context(), t, c.names[0].TraceKey); got != "string" {
				t.Errorf("a %s, want a string", got)
			}
			claims, err := store.Claim(t.Context(), c.owner, c.names)
			must(t, err)
			if got := conformance.SpanIDs(claims[0].Loaded.Spans); len(got) != 6 ||
				!slices.Equal(got[3:], []buffer.SpanID{{5}, {6}, {7}}) {
				t.Errorf("claimed with %v, want 5, 6 and 7 behind the three", got)
			}
		})
	}
}

// What a version of 28 November 2026 has left is attached to, claimed, taken over and acknowledged.
func TestSmallTracesOfBefore(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis, onCluster} {
		for _, name := range []string{"live", "grows", "in flight", "in flight, and grows", "acknowledged"} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				store := p.open(t)
				wiped(t, store)
				c := begun(t, store)
				trace, want := c.names[0].TraceKey, 3
				if name != "live" && name != "grows" {
					must(t, c.claim())
				}
				store.Age(t.Context(), t, trace)
				if name == "grows" || name == "in flight, and grows" {
					late(t, store)
				}
				if name == "grows" {
					want++
				}
				if name != "acknowledged" {
					claims, err := store.Claim(t.Context(), c.owner, c.names)
					if must(t, err); claims[0].State != buffer.ClaimOwned || claims[0].Spans != want {
						t.Errorf("claimed %+v, want %d spans", claims[0], want)
					}
				}
				loaded, err := store.Load(t.Context(), c.owner, c.names)
				if must(t, err); len(loaded[0].Spans) != want {
					t.Errorf("%d spans are loaded, want %d", len(loaded[0].Spans), want)
				}
				results, err := store.Ack(t.Context(), c.owner, []buffer.Flushed{{
					Generation: c.names[0], Spans: conformance.SpanIDs(loaded[0].Spans), Along: true,
				}})
				if must(t, err); results[0] != buffer.AckDone {
					t.Errorf("acknowledged: %v", results)
				}
				gone := store.Type(t.Context(), t, trace) == "none"
				if more := name == "in flight, and grows"; gone == more {
					t.Errorf("the trace is gone: %v", gone)
				}
			})
		}
	}
}

// What is attached to a small trace and is not simple makes a hash of it, which has all that came before,
// in the order in which it came.
func TestASmallTraceBecomesAHash(t *testing.T) {
	span := func(id, parent byte, root bool, size int) buffer.Span {
		return buffer.Span{
			TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}, ID: buffer.SpanID{id},
			Parent: buffer.SpanID{parent}, Root: root, Payload: make([]byte, size), Size: size,
		}
	}
	for name, c := range map[string]struct {
		more   []buffer.Span
		want   string
		stored int
	}{
		"a child":            {[]buffer.Span{span(4, 3, false, 10)}, "string", 1},
		"a duplicate":        {[]buffer.Span{span(3, 2, false, 10)}, "hash", 0},
		"its root again":     {[]buffer.Span{span(1, 1, true, 10)}, "hash", 0},
		"another segment":    {[]buffer.Span{span(4, 4, true, 10)}, "hash", 1},
		"another parent":     {[]buffer.Span{span(4, 9, false, 10)}, "hash", 1},
		"a large one":        {[]buffer.Span{span(4, 1, false, 1600)}, "hash", 1},
		"one over the limit": {[]buffer.Span{span(4, 1, false, 500)}, "hash", 1},
	} {
		t.Run(name, func(t *testing.T) {
			limit := buffer.NoSegmentLimit
			if name == "one over the limit" {
				limit = 500
			}
			store := onMiniredis.open(t).Fork(namespace(), limit)
			var want []buffer.SpanID
			// Each has a smaller offset than the one before: the order of arrival is not that of positions.
			for i, s := range append([]buffer.Span{
				span(1, 1, true, 10), span(2, 1, false, 10), span(3, 2, false, 10),
			}, c.more...) {
				s.Position.Offset = int64(100 - i)
				traces, _ := buffer.Group([]buffer.Span{s})
				answers, err := store.Attach(t.Context(), delivery(i+1), traces)
				must(t, err)
				if i < 3 {
					want = append(want, s.ID)
				} else if answers[0].Stored != c.stored {
					t.Errorf("%d spans stored, want %d", answers[0].Stored, c.stored)
				}
			}
			if got := store.Type(t.Context(), t, c.more[0].TraceKey); got != c.want {
				t.Errorf("a %s, want a %s", got, c.want)
			}
			g := buffer.Generation{TraceKey: c.more[0].TraceKey, Segment: want[0], ID: delivery(1).ID}
			owner := buffer.Owner{Epoch: 1}
			_, err := store.Claim(t.Context(), owner, []buffer.Generation{g})
			must(t, err)
			loaded, err := store.Load(t.Context(), owner, []buffer.Generation{g})
			must(t, err)
			if got := conformance.SpanIDs(loaded[0].Spans); len(got) < 3 || !slices.Equal(got[:3], want) {
				t.Errorf("loaded %v, want %v first", got, want)
			}
		})
	}
}

// What is large, has no root yet, or is of several segments is a hash from the start.
func TestWhatIsNoSmallTrace(t *testing.T) {
	store := onMiniredis.open(t)
	large := traceSpans(1, 30)
	rootless := traceSpans(2, 3)
	for i := range rootless[0].Subtrees[0].Spans {
		rootless[0].Subtrees[0].Spans[i].Root = false
	}
	two := traceSpans(3, 3)
	other := two[0].Subtrees[0].Spans[0]
	other.ID, other.Parent = buffer.SpanID{7}, buffer.SpanID{7}
	two[0].Subtrees = append(two[0].Subtrees, buffer.Subtree{Parent: other.ID, Spans: []buffer.Span{other}})
	for name, traces := range map[string][]buffer.TraceBatch{
		"large": large, "no root": rootless, "two segments": two,
	} {
		_, err := store.Attach(t.Context(), delivery(1), traces)
		must(t, err)
		if got := store.Type(t.Context(), t, traces[0].TraceKey); got != "hash" {
			t.Errorf("%s: a %s, want a hash", name, got)
		}
	}
}

// A small trace grows, becomes a hash, or is gone and there anew, after Claim has read it and before it
// freezes it.
func TestClaimOfATraceThatChanges(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis, onCluster} {
		for name, want := range map[string]buffer.Claim{
			"grows":          {State: buffer.ClaimOwned, Spans: 4, Bytes: 304},
			"becomes a hash": {State: buffer.ClaimOwned, Spans: 3, Bytes: 300},
			"comes again":    {State: buffer.ClaimGone},
		} {
			t.Run(p.name+"/"+name, func(t *testing.T) {
				store := p.open(t)
				wiped(t, store)
				c := begun(t, store)
				watched := store.Watched(func(round int) {
					if round != 2 {
						return
					}
					switch name {
					case "grows":
						late(t, store)
					case "becomes a hash":
						traces := traceSpans(1, 3) // they are there
						_, err := store.Attach(t.Context(), delivery(2), traces)
						must(t, err)
					case "comes again":
						must(t, store.Wipe(context.WithoutCancel(t.Context())))
						_, err := store.Attach(t.Context(), delivery(2), traceSpans(1, 3))
						must(t, err)
					}
				})
				claims, err := watched.Claim(t.Context(), c.owner, c.names)
				must(t, err)
				if by := claims[0].Loaded; name == "grows" && (by == nil || len(by.Spans) != want.Spans) {
					t.Errorf("loaded along %+v, want %d spans", by, want.Spans)
				}
				if claims[0].Loaded = nil; !reflect.DeepEqual(claims[0], want) {
					t.Errorf("claimed %+v, want %+v", claims[0], want)
				}
				loaded, err := store.Load(t.Context(), c.owner, c.names)
				if must(t, err); len(loaded[0].Spans) != want.Spans {
					t.Errorf("%d spans are loaded, want %d", len(loaded[0].Spans), want.Spans)
				}
			})
		}
	}
}

// A small trace becomes a hash between the two looks of a Load.
func TestLoadOfATraceThatGrows(t *testing.T) {
	store := onMiniredis.open(t)
	c := begun(t, store)
	must(t, c.claim())
	c.store = store.Watched(func(round int) {
		if round == 2 {
			late(t, store)
		}
	})
	must(t, c.load())
}

// A trace that is flushed and comes again, as a small one, between the two looks of a Sweep is met all
// the same.
func TestSweepMeetsATraceThatComesAgain(t *testing.T) {
	store := onMiniredis.open(t)
	c := begun(t, store.Roomy())
	watched := store.Watched(func(round int) {
		if round == 2 {
			must(t, store.Wipe(context.WithoutCancel(t.Context())))
			must(t, (&cycle{t: t, store: store}).attach(1))
		}
	})
	swept, err := watched.Sweep(t.Context(), "", 10)
	if must(t, err); len(swept.Held) != 1 || swept.Held[0].Generation != c.names[0] {
		t.Errorf("swept %+v, want %v", swept.Held, c.names[0])
	}
}
