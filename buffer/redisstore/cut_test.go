package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
)

// dying returns a store whose process dies before the call after so many, and the context that it
// lives in.
func dying(t *testing.T, store *redisstore.Store, calls int) (*redisstore.Store, context.Context) {
	ctx, die := context.WithCancel(t.Context())
	t.Cleanup(die)
	return store.Watched(func(round int) {
		if round > calls {
			die()
		}
	}), ctx
}

// cramped opens a store for which everything is large, so that steps take several calls.
func cramped(t *testing.T) *redisstore.Store { return onMiniredis.open(t).Cramped().Counting() }

// upToItsEnd does a step that dies before its second call, its third, and so on until it is done.
func upToItsEnd(t *testing.T, step func(t *testing.T, calls int) error) {
	for calls := 1; ; calls++ {
		done := false
		t.Run(fmt.Sprintf("after %d calls", calls), func(t *testing.T) {
			err := step(t, calls)
			if done = err == nil; !done && !errors.Is(err, context.Canceled) {
				t.Fatalf("%v, want that it died", err)
			}
		})
		if done || t.Failed() {
			if calls < 2 {
				t.Errorf("the step took %d calls, want several", calls)
			}
			return
		}
	}
}

// named are generations of segments, one trace each, with deadlines.
func named(n int) (dues []buffer.Due) {
	for i := range n {
		dues = append(dues, buffer.Due{
			Generation: buffer.Generation{Segment: buffer.SpanID{byte(i + 1)}},
			Deadline:   buffer.Seconds(int64(n - i)),
		})
	}
	return dues
}

// A fence is cut short. The epoch is the new one then, and whoever leases next under it, or fences
// again, is handed all that was leased, once and before all else.
func TestAFenceThatIsCutShort(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("fenced again %v", again), func(t *testing.T) {
			upToItsEnd(t, func(t *testing.T, calls int) error {
				ctx, store, dues := t.Context(), cramped(t), named(7)
				now := buffer.Seconds(100)
				must(t, store.Enqueue(ctx, 0, buffer.QueueUpdate{Clock: now, Wall: now, Due: dues}))
				old, err := store.Fence(ctx, 0, buffer.AnyEpoch)
				must(t, err)
				leased, err := store.Lease(ctx, old.Owner, now, 7)
				if must(t, err); len(leased.Due) != 7 {
					t.Fatalf("%d leased, want 7", len(leased.Due))
				}
				other := buffer.Due{Generation: buffer.Generation{Segment: buffer.SpanID{99}}}
				must(t, store.Enqueue(ctx, 0, buffer.QueueUpdate{
					Clock: now, Wall: now, Due: []buffer.Due{other},
				}))

				short, life := dying(t, store, calls)
				_, died := short.Fence(life, 0, buffer.AnyEpoch)
				_, err = store.Lease(ctx, old.Owner, now, 1)
				if !errors.Is(err, buffer.ErrStale) {
					t.Errorf("the old owner leases: %v, want that it is stale", err)
				}
				owner := buffer.Owner{Epoch: old.Owner.Epoch + 1}
				if again {
					fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
					must(t, err)
					owner = fenced.Owner
				}
				first, err := store.Lease(ctx, owner, now, 3)
				must(t, err)
				rest, err := store.Lease(ctx, owner, now, 100)
				must(t, err)
				slices.Reverse(dues) // the oldest deadline first
				if got := slices.Concat(first.Due, rest.Due); !slices.Equal(got, append(dues, other)) {
					t.Errorf("leased %v, want %v", got, append(dues, other))
				}
				return died
			})
		})
	}
}

// An Enqueue that is cut short has not advanced the clock, and can be made again.
func TestAnEnqueueThatIsCutShort(t *testing.T) {
	upToItsEnd(t, func(t *testing.T, calls int) error {
		ctx, store := t.Context(), cramped(t)
		early := buffer.QueueUpdate{Clock: buffer.Seconds(2), Wall: buffer.Seconds(5)}
		must(t, store.Enqueue(ctx, 0, early))
		update := buffer.QueueUpdate{Clock: buffer.Seconds(9), Wall: buffer.Seconds(9), Due: named(7)}
		update.Merged = []buffer.Generation{update.Due[0].Generation, update.Due[6].Generation}
		short, life := dying(t, store, calls)
		died := short.Enqueue(life, 0, update)
		fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
		must(t, err)
		if advanced := fenced.Clock.Inputs > 1 || fenced.Clock.Drift > -3*time.Second; advanced != (died == nil) {
			t.Errorf("clock %+v after %v", fenced.Clock, died)
		}
		must(t, store.Enqueue(ctx, 0, update))
		leased, err := store.Lease(ctx, fenced.Owner, buffer.Seconds(100), 100)
		if must(t, err); len(leased.Due) != 5 {
			t.Errorf("%d leased, want all but the merged: 5", len(leased.Due))
		}
		return died
	})
}

// The clock of a batch that is behind that of the shard is known before any of its deadlines, which are all
// over by the shard's own: the first batch of a backlog, and one of messages that are read again.
func TestAnEnqueueSetsTheClockBackFirst(t *testing.T) {
	for name, before := range map[string]buffer.QueueUpdate{
		"first": {}, "later": {Clock: buffer.Seconds(3599), Wall: buffer.Seconds(3600), Seen: buffer.Seconds(3600)},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, store := t.Context(), cramped(t)
			if before.Wall != 0 {
				must(t, store.Enqueue(ctx, 0, before))
			}
			fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
			must(t, err)
			update := buffer.QueueUpdate{Clock: buffer.Seconds(1), Wall: buffer.Seconds(3601),
				Seen: buffer.Seconds(3590), Due: named(7)}
			var rounds, leased int
			watched := store.Watched(func(int) {
				answer, err := store.Lease(ctx, fenced.Owner, buffer.Seconds(3601), 100)
				must(t, err)
				rounds, leased = rounds+1, leased+len(answer.Due)
				if c := answer.Clock; leased > 0 && (c.Drift != -time.Hour ||
					c.Seen != max(before.Seen, update.Seen)) {
					t.Errorf("before call %d: %d leased, with the clock %+v", rounds, leased, c)
				}
			})
			must(t, watched.Enqueue(ctx, 0, update))
			if leased == 0 || rounds < 2 {
				t.Errorf("%d leased before %d calls", leased, rounds)
			}
		})
	}
}

// A Release of many takes several calls.
func TestAReleaseOfMany(t *testing.T) {
	ctx, store, dues := t.Context(), cramped(t), named(7)
	now := buffer.Seconds(100)
	must(t, store.Enqueue(ctx, 0, buffer.QueueUpdate{Clock: now, Wall: now, Due: dues}))
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	must(t, err)
	_, err = store.Lease(ctx, fenced.Owner, now, 7)
	must(t, err)
	var release buffer.Release
	for _, due := range dues[:5] {
		release.Done = append(release.Done, due.Generation)
	}
	release.Back = dues[5:]
	must(t, store.Release(ctx, fenced.Owner, release))
	leased, err := store.Lease(ctx, fenced.Owner, now, 7)
	if must(t, err); len(leased.Due) != 2 {
		t.Errorf("%d leased, want the 2 that came back", len(leased.Due))
	}
}

// An Ack of many spans is cut short. All spans are delivered again, so that those which were forgotten
// are stored once more. The next owner flushes the generation again, and its Ack forgets none of the
// new ones. At the end nothing is left.
func TestAnAckThatIsCutShort(t *testing.T) {
	upToItsEnd(t, func(t *testing.T, calls int) error {
		ctx, store := t.Context(), cramped(t)
		spans := giantTrace(9, func(i int) buffer.SpanID { return giantID(i / 3) })
		attachRounds(t, store, spans, 1)
		old, err := store.Fence(ctx, 0, buffer.AnyEpoch)
		must(t, err)
		names := claimFirst(t, store, old.Owner)
		late := giantTrace(1, func(int) buffer.SpanID { return giantID(1) })
		late[0].ID, late[0].Root = giantID(-1), false
		attachRounds(t, store, late, 1) // so that the trace is not deleted as a whole

		short, life := dying(t, store, calls)
		_, died := short.Ack(life, old.Owner, []buffer.Flushed{allOf(t, store, old.Owner, names[0], 9)})
		traces, _ := buffer.Group(spans)
		forgotten := storedOf(t, store, traces)

		owner := old.Owner
		if died != nil {
			fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
			must(t, err)
			owner = fenced.Owner
			leased, err := store.Lease(ctx, owner, buffer.Seconds(0), 1)
			if must(t, err); len(leased.Due) != 1 || leased.Due[0].Generation != names[0] {
				t.Fatalf("leased %v, want %v", leased.Due, names[0])
			}
			claims, err := store.Claim(ctx, owner, names)
			must(t, err)
			if claims[0].State == buffer.ClaimOwned { // else only its blobs were left
				results, err := store.Ack(ctx, owner, []buffer.Flushed{allOf(t, store, owner, names[0], 9)})
				if must(t, err); results[0] != buffer.AckDone {
					t.Errorf("ack is %v, want done", results[0])
				}
			}
		}
		must(t, store.Release(ctx, owner, buffer.Release{Done: names}))
		if again := storedOf(t, store, traces); again != len(spans)-forgotten {
			t.Errorf("of %d spans that came again %d are new, want all but the %d that are there",
				len(spans), again, forgotten)
		}
		flushed(t, store)
		if left, err := store.Leftovers(ctx); err != nil || !left.Empty() {
			t.Errorf("left over: %v, %v", left, err)
		}
		return died
	})
}

// allOf loads a generation, which has n spans, and returns it as flushed.
func allOf(
	t *testing.T, store *redisstore.Store, owner buffer.Owner, g buffer.Generation, n int,
) buffer.Flushed {
	t.Helper()
	loaded, err := store.Load(t.Context(), owner, []buffer.Generation{g})
	if must(t, err); len(loaded[0].Spans) != n {
		t.Fatalf("%d spans loaded, want %d", len(loaded[0].Spans), n)
	}
	flushed := buffer.Flushed{Generation: g}
	for _, span := range loaded[0].Spans {
		flushed.Spans = append(flushed.Spans, span.ID)
	}
	return flushed
}

// storedOf attaches and enqueues a trace, and returns how many of the spans were new.
func storedOf(t *testing.T, store *redisstore.Store, traces []buffer.TraceBatch) int {
	t.Helper()
	deliveries++
	answers, err := store.Attach(t.Context(), delivery(deliveries), traces)
	must(t, err)
	due := make([]buffer.Due, 0, 1)
	for _, live := range answers[0].Live {
		due = append(due, buffer.Due{Generation: live.Generation})
	}
	must(t, store.Enqueue(t.Context(), 0, buffer.QueueUpdate{Due: due}))
	return answers[0].Stored
}
