package inject

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/portfault"
)

// TestEachKindAtEachPort: what the caller sees, what gets through, and in which order.
func TestEachKindAtEachPort(t *testing.T) {
	for _, port := range portfault.Ports() {
		through := string(port)
		for _, c := range []struct {
			fault string
			fails bool
			want  []string
		}{
			{"refuse ", true, nil},
			{"lose ", true, []string{through}},
			{"slow ", false, []string{"sleep 50ms", through}},
			{"crash before ", true, []string{"crash"}},
			{"crash after ", true, []string{through, "crash"}},
		} {
			text := c.fault + through
			if port.Never(portfault.Kind(strings.TrimSpace(c.fault))) != "" {
				continue
			}
			if c.fault == "slow " {
				text += " by 50ms"
			}
			switch {
			case port == portfault.SpawnerStop || port == portfault.SpawnerKill: // nobody hears whether it works
				c.fails = false
				if c.fault == "slow " {
					c.want = append([]string{"task"}, c.want...) // nobody waits for it either
				}
			case port == portfault.SourcePoll && len(c.want) < 2: // that it waits is all there is to see
				c.fails, c.want = false, append(c.want, "sleep 1s")
			}
			r := newRig(t, text)
			answer, err := r.call(t.Context(), port)
			if !slices.Equal(r.log, c.want) || (err != nil) != c.fails {
				t.Errorf("%s: %q happened, want %q; %v", text, r.log, c.want, err)
			}
			if err != nil && (!strings.Contains(err.Error(), text) || answer && port != portfault.SourcePoll) {
				t.Errorf("%s: answer %v, error %v", text, answer, err)
			}
			if store := strings.HasPrefix(through, "store."); err != nil && buffer.Retryable(err) != store {
				t.Errorf("%s: retryable: %v, want %v", text, !store, store)
			}
		}
	}
}

// TestHitsAreHeardOf when they begin and end, and what is not hit is not.
func TestHitsAreHeardOf(t *testing.T) {
	for fault, want := range map[string][]string{
		"refuse store.ack 2":                 {"store.ack"},
		"refuse store.ack 1":                 {"hit by refuse"},
		"slow store.ack by 1s":               {"hit by slow", "sleep 1s", "hit by slow", "store.ack"},
		"lose store.ack":                     {"hit by lose", "store.ack", "hit by lose"},
		"crash before store.ack":             {"hit by crash before", "crash"},
		"crash after store.ack":              {"hit by crash after", "store.ack", "hit by crash after", "crash"},
		"lose producer.produce":              {"store.ack"},
		"lose store.ack 1, lose store.ack 2": {"hit by lose", "store.ack", "hit by lose"},
	} {
		r := newRig(t, fault)
		r.hear = true
		_, _ = r.call(t.Context(), portfault.StoreAck) // what it answers is not the matter here
		if !slices.Equal(r.log, want) {
			t.Errorf("%s: %q happened, want %q", fault, r.log, want)
		}
	}
}

// TestFaultsLastFromTheirFirstHitToTheirLast, within the load; one that hits nothing is told apart.
func TestFaultsLastFromTheirFirstHitToTheirLast(t *testing.T) {
	list, err := portfault.Parse("lose store.ack, lose store.load, lose store.claim, lose store.fence, refuse store.fence")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var got []string
	h := Hits{Note: func(f portfault.Fault, begins bool, at time.Time) {
		got = append(got, fmt.Sprint(f.Port, " ", begins, " ", at.Unix()))
	}}
	h.Add(list[0], at(1))
	h.Add(list[4], at(1))
	h.Begin(list, at(10), false)
	h.Add(list[0], at(11))
	h.Add(list[1], at(12))
	h.Add(list[1], at(14))
	h.Add(list[2], at(29))
	idle := h.End(list, at(30))
	want := []string{"store.ack true 10", "store.fence true 10", "store.load true 12", "store.claim true 29",
		"store.ack false 13", "store.load false 16", "store.claim false 30", "store.fence false 12"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if len(idle) != 1 || !strings.HasPrefix(idle[0], "lose store.fence: ") {
		t.Errorf("%q hit nothing, want lose store.fence", idle)
	}
}

// TestFaultsAreCountedByPortAndProcess: a consumer's fence is not a worker's, nor an attach.
func TestFaultsAreCountedByPortAndProcess(t *testing.T) {
	r := newRig(t, "refuse store.fence 2, refuse store.attach 2")
	fence := func(store buffer.Store) bool {
		_, err := store.Fence(t.Context(), 0, buffer.AnyEpoch)
		return err == nil
	}
	attach := func() bool {
		_, err := r.consumer.Store.Attach(t.Context(), buffer.Delivery{}, nil)
		return err == nil
	}
	got := []bool{
		fence(r.consumer.Store), attach(), fence(r.worker.Store), attach(), fence(r.consumer.Store),
		attach(), fence(r.consumer.Store), attach(), fence(r.worker.Store),
	}
	want := []bool{true, true, true, false, false, true, true, true, false}
	if !slices.Equal(got, want) {
		t.Errorf("the calls succeed: %v, want %v", got, want)
	}
}

// TestFaultsCompose: those of one call happen in the order of the list.
func TestFaultsCompose(t *testing.T) {
	r := newRig(t, "slow store.ack by 1s, lose store.ack 1, slow store.ack by 2s, "+
		"crash after store.ack, refuse store.ack 2")
	_, first := r.call(t.Context(), portfault.StoreAck)
	_, second := r.call(t.Context(), portfault.StoreAck)
	want := []string{"sleep 1s", "sleep 2s", "store.ack", "crash", "sleep 1s", "sleep 2s"}
	if !slices.Equal(r.log, want) || first == nil || second == nil {
		t.Errorf("%q happened, want %q; %v, %v", r.log, want, first, second)
	}
}

// TestSlowCallEndsWithItsContext, and has no effect then.
func TestSlowCallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, port := range []portfault.Port{portfault.StoreAck, portfault.Produce, portfault.SourceCommit, portfault.SourcePoll} {
		r := newRig(t, "slow "+string(port)+" by 1h")
		if _, err := r.call(ctx, port); !errors.Is(err, context.Canceled) || len(r.log) > 0 {
			t.Errorf("%s: %v, and %q happened", port, err, r.log)
		}
	}
}

// TestLostAnswersHaveTheirEffect in a store: it holds what the caller was told nothing of, and the
// repetition finds it there.
func TestLostAnswersHaveTheirEffect(t *testing.T) {
	for _, c := range []struct {
		fault              string
		held, stored, same int
	}{
		{"refuse store.attach 1", 0, 1, 0},
		{"lose store.attach 1", 1, 0, 1},
	} {
		kept := memstore.New(buffer.DefaultOptions())
		list, err := portfault.Parse(c.fault)
		if err != nil {
			t.Fatal(err)
		}
		ports := consumer.Ports{Clock: clock{}, Store: kept}
		Consumer(list, &ports, nil, nil)
		trace := buffer.TraceKey{Project: 1}
		id := buffer.SpanID{1}
		span := buffer.Span{TraceKey: trace, ID: id, Parent: id, Root: true, Size: 1}
		batch := []buffer.TraceBatch{{TraceKey: trace, Subtrees: []buffer.Subtree{
			{Parent: span.ID, Spans: []buffer.Span{span}},
		}}}
		attach := func() ([]buffer.Attached, error) {
			return ports.Store.Attach(t.Context(), buffer.Delivery{ID: buffer.DeliveryID{Number: 1}}, batch)
		}
		if _, err := attach(); !buffer.Retryable(err) {
			t.Errorf("%s: %v", c.fault, err)
		}
		left, err := kept.Leftovers(t.Context())
		if err != nil || len(left.Held) != c.held {
			t.Errorf("%s: the store holds %v, %v, want %d traces", c.fault, left, err, c.held)
		}
		again, err := attach()
		if err != nil || again[0].Stored != c.stored || again[0].Duplicates != c.same {
			t.Errorf("%s: the second time it is %+v, %v", c.fault, again, err)
		}
	}
}

// TestNoFaultsWrapNothing: without faults the ports are the world's own.
func TestNoFaultsWrapNothing(t *testing.T) {
	r := newRig(t, "")
	if _, own := r.consumer.Store.(logged); !own {
		t.Errorf("the store is a %T", r.consumer.Store)
	}
	if _, own := r.worker.Producer.(broker); !own {
		t.Errorf("the producer is a %T", r.worker.Producer)
	}
}

// eager is a Store that reads along with every claim.
type eager struct{ buffer.Store }

func (eager) Claim(
	_ context.Context, _ buffer.Owner, list []buffer.Generation,
) ([]buffer.Claim, error) {
	claims := make([]buffer.Claim, len(list))
	for i := range claims {
		claims[i].Loaded = &buffer.Loaded{Owned: true}
	}
	return claims, nil
}

func TestFaultsOfLoadMeetWhatIsReadWithTheClaim(t *testing.T) {
	list, err := portfault.Parse("refuse store.load 1")
	if err != nil {
		t.Fatal(err)
	}
	ports := flusher.WorkerPorts{Clock: clock{}, Store: eager{}}
	Worker(list, &ports, nil, nil)
	claims, err := ports.Store.Claim(t.Context(), buffer.Owner{}, make([]buffer.Generation, 2))
	if err != nil || len(claims) != 2 || claims[0].Loaded != nil || claims[1].Loaded != nil {
		t.Errorf("Claim = %+v, %v, want nothing that Load would not be asked for", claims, err)
	}
}

// TestNobodyAsksWhatNobodyAnswers: a consumer without a meter of memory and without an auditor is made
// otherwise than one with them, which faults at other ports must not change.
func TestNobodyAsksWhatNobodyAnswers(t *testing.T) {
	list, err := portfault.Parse("refuse store.attach 1")
	if err != nil {
		t.Fatal(err)
	}
	ports := consumer.Ports{Clock: clock{}}
	Consumer(list, &ports, nil, nil)
	if ports.Memory != nil || ports.Auditor != nil {
		t.Errorf("memory %v, auditor %v, want none", ports.Memory, ports.Auditor)
	}
}

// TestASlowKillMeetsTheWorkerThatWasKilled, and no other that was started since.
func TestASlowKillMeetsTheWorkerThatWasKilled(t *testing.T) {
	r := newRig(t, "slow spawner.kill 1 by 1s, slow spawner.kill 1 by 2s")
	later := &waiting{}
	first := &handle{named{name: "first", log: r}, r.consumer.Spawner.(spawner).injector, later}
	second := &handle{named{name: "second", log: r}, first.injector, later}
	first.Kill()
	second.Kill()
	later.fn()
	if want := []string{"kill second", "sleep 1s", "sleep 2s", "kill first"}; !slices.Equal(r.log, want) {
		t.Errorf("%q happened, want %q", r.log, want)
	}
}

// named is a worker with a name.
type named struct {
	flusher.Handle
	name string
	log  *rig
}

func (n named) Kill() { n.log.note("kill " + n.name) }

// waiting keeps a task until the test does it.
type waiting struct{ fn func() }

func (w *waiting) Go(_ string, fn func()) flusher.Task {
	w.fn = fn
	return nil
}
