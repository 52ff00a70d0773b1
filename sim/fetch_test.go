package sim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/scenarios"
)

// TestAFetchThatIsCut brings nothing, and no gap, however it is held up: what was on its way is read again.
func TestAFetchThatIsCut(t *testing.T) {
	type fault = scenarios.Fault
	s := scenarios.Default()
	s.Topology.Partitions, s.Faults = 1, []fault{{Verb: scenarios.VerbDelete}}
	for name, held := range map[string]fault{
		"nothing": {}, "slow": {Verb: scenarios.VerbSlow, By: 5 * time.Second, Direction: scenarios.Answers},
		"throttle": {Verb: scenarios.VerbThrottle, To: 1, Direction: scenarios.Answers},
	} {
		for _, text := range []string{
			"cut kafka", "refuse kafka for 1m", "stop kafka for 1m", "crash kafka for 1m", "black-hole kafka answers for 1m",
		} {
			r := newRigOf(t, s)
			r.poll("first", 0, assigned)
			r.send()
			if _, err := r.Break(s.Faults[0]); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				r.send()
			}
			ease, in := func() error { return nil }, r.costs.Fetch/2
			if held.Verb != "" {
				ease, _ = r.breakDown(held)
				in = time.Second / 2
			}
			undo := func() error { return nil }
			r.k.Go("breaks", func() {
				_ = r.k.Sleep(context.Background(), in)
				end, err := r.Break(parse(t, "at 1s "+text))
				if err != nil {
					t.Error(err)
				}
				if end != nil {
					undo = end
				}
			})
			begin := r.k.Now()
			fetch, err := r.Poll(t.Context(), 10, in)
			if err != nil || len(fetch.Batches)+len(fetch.Gaps) > 0 {
				t.Errorf("%s: a fetch that %s held up brings %+v, %v", text, name, fetch, err)
			}
			if took := r.k.Now().Sub(begin); took > in && held.Verb != "" && !strings.HasPrefix(text, "black-hole") {
				t.Errorf("%s: a fetch that %s held up hears of that after %v, want %v", text, name, took, in)
			}
			if err := errors.Join(ease(), undo()); err != nil {
				t.Error(err)
			}
			fetch, err = r.Poll(t.Context(), 10, time.Second)
			if err != nil || len(fetch.Batches) != 1 || len(fetch.Batches[0].Messages) != 3 ||
				!slices.Equal(fetch.Gaps, []flusher.Gap{{From: 0, To: 1}}) {
				t.Errorf("%s is over, a fetch that %s held up is made again: %+v, %v", text, name, fetch, err)
			}
		}
	}
}

// What a member was given and lost before it heard of either, it never had.
func TestWhatWasNotHeardOfIsNotLost(t *testing.T) {
	r := newRig(t)
	other := r.join(r.k.Main(), "")
	r.poll("first", 0, assigned)
	r.leave(r.member, true)
	r.leave(other, true) // it was given the partition in between
	other.again()
	got, err := other.Poll(context.Background(), 10, time.Second)
	if err != nil || len(got.Lost) > 0 || !slices.Equal(got.Assigned, []int32{0}) {
		t.Errorf("%+v, %v, want partition 0", got, err)
	}
}

// What a member was given it does not read before it hears of that, also where it could.
func TestWhatWasNotHeardOfIsNotRead(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 2
	s.Faults = []scenarios.Fault{parse(t, "at 1s stop kafka broker 0 for 1s")}
	r := newRigOf(t, s)
	undo, err := r.Break(s.Faults[0])
	if err != nil {
		t.Fatal(err)
	}
	r.add(1, r.k.Now(), nil, []byte("x"))
	r.poll("the coordinator is down", 0, flusher.Fetch{})
	_ = undo()
	r.poll("it is back", 1, flusher.Fetch{Assigned: []int32{0, 1}})
}

// A member says what was deleted before it read it, once and when the next message has come, and what
// was deleted before it came is none of its business.
func TestAGapIsReported(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions, s.Faults = 1, []scenarios.Fault{{Verb: scenarios.VerbDelete}}
	r := newRigOf(t, s)
	remove := func() {
		t.Helper()
		if _, err := r.Break(s.Faults[0]); err != nil {
			t.Fatal(err)
		}
	}
	gaps := func(when string, want ...flusher.Gap) {
		t.Helper()
		got, err := r.Poll(context.Background(), 10, time.Second)
		if err != nil || !slices.Equal(got.Gaps, want) {
			t.Errorf("%s: %v, %v, want %v", when, got.Gaps, err, want)
		}
	}
	r.send()
	r.poll("first", 1, assigned)
	r.send()
	r.send()
	remove()
	gaps("nothing has come")
	r.send()
	gaps("something has come", flusher.Gap{From: 1, To: 3})
	gaps("it was said")
	r.send()
	remove()
	r.send()
	if waiting := r.input[0].end() - r.input[0].first; waiting != 1 {
		t.Errorf("%d messages are there, want 1", waiting)
	}
	r.leave(r.member, false)
	late := rig{r.join(r.k.Main(), ""), t}
	late.poll("nothing is committed, so it begins where the log does", 1, assigned)
}

// A partition without a leader, or whose broker is down, can neither be read nor written; the others can.
func TestPartitionsOfABroker(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 6
	for _, text := range []string{"at 1s stop kafka broker 1 for 1s", "at 1s depose partition 4 for 1s"} {
		s.Faults = append(s.Faults, parse(t, text))
	}
	for n, hit := range [][]int32{{1, 4}, {4}} {
		r := newRigOf(t, s)
		undo, err := r.Break(s.Faults[n])
		if err != nil {
			t.Fatal(err)
		}
		producer := r.newProducer(r.k.Main(), &processor{k: r.k, on: r.on.pipeline.Share("worker", 0), used: new(time.Duration)}, 0)
		futures := make([]flusher.Future, 0, 50)
		var on []int32
		for i := range 50 {
			key := []byte{byte(i)}
			futures = append(futures, producer.Produce(t.Context(), flusher.Record{Topic: letterTopic, Key: key}))
			on = append(on, ledger.PartitionOf(key, 6))
		}
		for p := range int32(6) {
			r.add(p, r.k.Now(), nil, []byte("x"))
		}
		read := func() (list []int32) {
			for range 3 {
				got, err := r.Poll(context.Background(), 10, 100*time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range got.Batches {
					list = append(list, b.Partition)
				}
			}
			return list
		}
		if got := read(); len(got) != 6-len(hit) || slices.ContainsFunc(hit, func(p int32) bool {
			return slices.Contains(got, p)
		}) {
			t.Errorf("%v: %v are read", s.Faults[n], got)
		}
		for i, future := range futures {
			ctx, cancel := r.k.WithTimeout(context.Background(), 10*time.Millisecond)
			if err := future.Wait(ctx); (err != nil) != slices.Contains(hit, on[i]) {
				t.Errorf("%v: a record for partition %d: %v", s.Faults[n], on[i], err)
			}
			cancel()
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if got := read(); !slices.Equal(got, hit) {
			t.Errorf("%v is over: %v are read", s.Faults[n], got)
		}
		if err := producer.Flush(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// What a poll is to return waits for its turn on a throttled connection no longer than the throttle lasts.
func TestAPollGoesOnWhenNothingThrottlesIt(t *testing.T) {
	r := newRig(t)
	undo, _ := r.breakDown(scenarios.Fault{Verb: scenarios.VerbThrottle, To: 1,
		Direction: scenarios.Answers})
	for range 10 { // which take 10 s at 1 byte/s
		r.send()
	}
	r.k.After(time.Second, func() { _ = undo() })
	begin := r.k.Now()
	r.poll("throttled for a second", 10, assigned)
	if took := r.k.Now().Sub(begin); took < time.Second || took > 2*time.Second {
		t.Errorf("the poll took %v", took)
	}
	r.send()
	begin = r.k.Now()
	r.poll("and then", 1, flusher.Fetch{})
	if took := r.k.Now().Sub(begin); took > time.Second {
		t.Errorf("the next poll took %v", took)
	}
}
