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

// rig is what faults are between: callers of ports, and the store, broker and source behind them.
// All that happens behind is in its log, in order.
type rig struct {
	consumer consumer.Ports
	worker   flusher.WorkerPorts
	log      []string
	hear     bool
}

// newRig returns a consumer and a worker with the same faults.
func newRig(t *testing.T, faults string) *rig {
	t.Helper()
	list, err := portfault.Parse(faults)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{}
	crash := func() { r.note("crash") }
	r.consumer = consumer.Ports{
		Clock: clock{log: r}, Store: logged{log: r}, Source: input{log: r},
		DeadLetters: broker{r, portfault.DeadLetter},
		Memory:      watched{log: r}, Auditor: watched{log: r}, Spawner: started{log: r}, Tasks: tasks{r},
	}
	r.worker = flusher.WorkerPorts{
		Clock: clock{log: r}, Store: logged{log: r}, Producer: broker{r, portfault.Produce},
	}
	Consumer(list, &r.consumer, crash, r.heard)
	Worker(list, &r.worker, crash, r.heard)
	return r
}

// heard notes when a fault hits, if the test wants to know.
func (r *rig) heard(f portfault.Fault) {
	if r.hear {
		r.note("hit by " + string(f.Kind))
	}
}

func (r *rig) note(what string) { r.log = append(r.log, what) }

// call calls a port once, and tells whether there was an answer.
func (r *rig) call(ctx context.Context, port portfault.Port) (answer bool, err error) {
	switch port {
	case portfault.StoreAttach:
		a, err := r.consumer.Store.Attach(ctx, buffer.Delivery{}, nil)
		return a != nil, err
	case portfault.StoreEnqueue:
		return false, r.consumer.Store.Enqueue(ctx, 0, buffer.QueueUpdate{})
	case portfault.StoreFence:
		a, err := r.consumer.Store.Fence(ctx, 0, buffer.AnyEpoch)
		return a.Owner.Epoch > 0, err
	case portfault.StoreLease:
		a, err := r.worker.Store.Lease(ctx, buffer.Owner{}, 0, 1)
		return a.Due != nil, err
	case portfault.StoreClaim:
		a, err := r.worker.Store.Claim(ctx, buffer.Owner{}, nil)
		return a != nil, err
	case portfault.StoreLoad:
		a, err := r.worker.Store.Load(ctx, buffer.Owner{}, nil)
		return a != nil, err
	case portfault.StoreAck:
		a, err := r.worker.Store.Ack(ctx, buffer.Owner{}, nil)
		return a != nil, err
	case portfault.StoreRelease:
		return false, r.worker.Store.Release(ctx, buffer.Owner{}, buffer.Release{})
	case portfault.Produce:
		return false, r.worker.Producer.Produce(ctx, flusher.Record{}).Wait(ctx)
	case portfault.DeadLetter:
		return false, r.consumer.DeadLetters.Produce(ctx, flusher.Record{}).Wait(ctx)
	case portfault.SourcePoll:
		a, err := r.consumer.Source.Poll(ctx, 1, time.Second)
		return a.InTouch, err
	case portfault.SourceCommit:
		return false, r.consumer.Source.Commit(ctx, nil)
	case portfault.StoreMemory:
		a, err := r.consumer.Memory.Memory(ctx)
		return a != nil, err
	case portfault.StoreBeat:
		a, err := r.consumer.Auditor.Beat(ctx, 1)
		return a != nil, err
	case portfault.StoreSweep:
		a, err := r.consumer.Auditor.Sweep(ctx, "", 1)
		return a.Traces > 0, err
	case portfault.StoreAdopt:
		a, err := r.consumer.Auditor.Adopt(ctx, 0, 0, 0, nil)
		return a != nil, err
	case portfault.SpawnerStart:
		a, err := r.consumer.Spawner.Start(ctx, flusher.WorkerSpec{})
		return a != nil, err
	case portfault.SpawnerStop, portfault.SpawnerKill:
		worker, err := r.consumer.Spawner.Start(ctx, flusher.WorkerSpec{})
		r.log = nil // the start is not the matter here
		if port == portfault.SpawnerStop {
			worker.Stop()
		} else {
			worker.Kill()
		}
		return false, err
	}
	panic("no port " + port)
}

type clock struct {
	flusher.Clock
	log *rig
}

func (c clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.log.note("sleep " + d.String())
	return nil
}

// logged is a Store that answers everything with something.
type logged struct{ log *rig }

func (l logged) Attach(
	context.Context, buffer.Delivery, []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	l.log.note(string(portfault.StoreAttach))
	return []buffer.Attached{{}}, nil
}

func (l logged) Enqueue(context.Context, buffer.Shard, buffer.QueueUpdate) error {
	l.log.note(string(portfault.StoreEnqueue))
	return nil
}

func (l logged) Fence(context.Context, buffer.Shard, buffer.Epoch) (buffer.Fenced, error) {
	l.log.note(string(portfault.StoreFence))
	return buffer.Fenced{Owner: buffer.Owner{Epoch: 1}}, nil
}

func (l logged) Lease(
	context.Context, buffer.Owner, buffer.Instant, int,
) (buffer.Leased, error) {
	l.log.note(string(portfault.StoreLease))
	return buffer.Leased{Due: []buffer.Due{{}}}, nil
}

func (l logged) Claim(
	context.Context, buffer.Owner, []buffer.Generation,
) ([]buffer.Claim, error) {
	l.log.note(string(portfault.StoreClaim))
	return []buffer.Claim{{}}, nil
}

func (l logged) Load(
	context.Context, buffer.Owner, []buffer.Generation,
) ([]buffer.Loaded, error) {
	l.log.note(string(portfault.StoreLoad))
	return []buffer.Loaded{{}}, nil
}

func (l logged) Ack(
	context.Context, buffer.Owner, []buffer.Flushed,
) ([]buffer.AckResult, error) {
	l.log.note(string(portfault.StoreAck))
	return []buffer.AckResult{0}, nil
}

func (l logged) Release(context.Context, buffer.Owner, buffer.Release) error {
	l.log.note(string(portfault.StoreRelease))
	return nil
}

type input struct {
	flusher.Source
	log *rig
}

func (i input) Poll(context.Context, int, time.Duration) (flusher.Fetch, error) {
	i.log.note(string(portfault.SourcePoll))
	return flusher.Fetch{InTouch: true}, nil
}

func (i input) Commit(context.Context, []flusher.Message) error {
	i.log.note(string(portfault.SourceCommit))
	return nil
}

type broker struct {
	log  *rig
	port portfault.Port
}

func (b broker) Produce(context.Context, flusher.Record) flusher.Future {
	b.log.note(string(b.port))
	return refused{nil}
}

func (b broker) Flush(context.Context) error { return nil }

// watched is the memory and the audit of a store that answers everything with something.
type watched struct{ log *rig }

func (w watched) Memory(context.Context) ([]buffer.NodeMemory, error) {
	w.log.note(string(portfault.StoreMemory))
	return []buffer.NodeMemory{{}}, nil
}

func (w watched) Beat(context.Context, uint64) ([]buffer.Pulse, error) {
	w.log.note(string(portfault.StoreBeat))
	return []buffer.Pulse{{}}, nil
}

func (w watched) Sweep(context.Context, string, int) (buffer.Swept, error) {
	w.log.note(string(portfault.StoreSweep))
	return buffer.Swept{Traces: 1}, nil
}

func (w watched) Adopt(
	context.Context, buffer.Shard, buffer.Instant, time.Duration, []buffer.Generation,
) ([]buffer.Generation, error) {
	w.log.note(string(portfault.StoreAdopt))
	return []buffer.Generation{{}}, nil
}

// started is a spawner whose workers hear what they are told.
type started struct{ log *rig }

func (s started) Start(context.Context, flusher.WorkerSpec) (flusher.Handle, error) {
	s.log.note(string(portfault.SpawnerStart))
	return told{log: s.log}, nil
}

type told struct {
	flusher.Handle
	log *rig
}

func (w told) Stop() { w.log.note(string(portfault.SpawnerStop)) }

func (w told) Kill() { w.log.note(string(portfault.SpawnerKill)) }

// tasks are done at once, and noted.
type tasks struct{ log *rig }

func (t tasks) Go(_ string, fn func()) flusher.Task {
	t.log.note("task")
	fn()
	return nil
}

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
