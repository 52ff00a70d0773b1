package explore

import (
	"fmt"
	"slices"
	"testing"

	"sluice/buffer"
	"sluice/buffer/memstore"
)

// TestALeaseTakesAnything that is queued, up to its limit and in any order.
func TestALeaseTakesAnything(t *testing.T) {
	c := small("protocol", 1, 3, 3, 0)
	c.Size.Lease = 2
	f := c.search(t.Context(), 0)
	got := make(map[string]bool)
	for _, v := range f.world.(*protocol).machines.answers.values {
		leased, ok := v.(answer).Value.(buffer.Leased)
		if !ok {
			continue
		}
		taken := ""
		for _, due := range leased.Due {
			taken += " " + spanName(due.Segment)
		}
		got[taken] = true
	}
	want := []string{"", " a0", " a'0", " a''0"}
	for _, first := range want[1:] {
		for _, then := range want[1:4] {
			if first != then {
				want = append(want, first+then)
			}
		}
	}
	for _, taken := range want {
		if !got[taken] {
			t.Errorf("no lease takes %q, but %v", taken, got)
		}
	}
	if len(got) != len(want) || !f.exhausted {
		t.Errorf("leases take %v, want %q", got, want)
	}
}

// TestOrders counts and numbers the ways to take something.
func TestOrders(t *testing.T) {
	queue := make([]buffer.Generation, 4)
	for i := range queue {
		queue[i].ID.Number = int64(i)
	}
	for limit, want := range []int{0, 4, 16, 40, 64} {
		ways := make(map[string]bool)
		for n := range orders(len(queue), limit) {
			way := order(queue, n)
			ways[fmt.Sprint(way)] = true
			for i, g := range way {
				if slices.Contains(way[:i], g) {
					t.Errorf("way %d takes %v twice: %v", n, g, way)
				}
			}
			if len(way) > limit {
				t.Errorf("way %d takes %d of at most %d", n, len(way), limit)
			}
		}
		if len(ways) != want || orders(len(queue), limit) != want {
			t.Errorf("at most %d: %d ways of %d, want %d", limit, len(ways), orders(len(queue), limit), want)
		}
	}
}

// TestWhatWasLeasedOnceComesInAnyOrder: a store that would give it first, since it was leased before a
// fence, is one content with a store that would not.
func TestWhatWasLeasedOnceComesInAnyOrder(t *testing.T) {
	a, b := buffer.Generation{ID: buffer.DeliveryID{Number: 1}}, buffer.Generation{ID: buffer.DeliveryID{Number: 2}}
	on := memstore.New(buffer.Options{MaxSegmentBytes: buffer.NoSegmentLimit})
	(enqueue{0, buffer.QueueUpdate{Due: []buffer.Due{{Generation: a, Deadline: 5}, {Generation: b, Deadline: 9}}}}).do(on, nil)
	owner := (fence{0, buffer.AnyEpoch}).do(on, nil).Value.(buffer.Fenced).Owner
	(lease{owner, 2}).do(on, []buffer.Generation{b})
	owner = (fence{0, buffer.AnyEpoch}).do(on, nil).Value.(buffer.Fenced).Owner
	for _, take := range [][]buffer.Generation{{a, b}, {b, a}, {a}, {b}, nil} {
		var taken []buffer.Generation
		for _, due := range (lease{owner, 2}).do(on.Clone(), take).Value.(buffer.Leased).Due {
			taken = append(taken, due.Generation)
		}
		if !slices.Equal(taken, take) {
			t.Errorf("of %v it takes %v", take, taken)
		}
	}
}
