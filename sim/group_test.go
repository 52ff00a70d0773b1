package sim

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/load"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// rig is a member of its group alone, with a topic of one partition.
type rig struct {
	*member
	t *testing.T
}

func newRig(t *testing.T) rig {
	t.Helper()
	s := scenarios.Default()
	s.Topology.Partitions = 1
	return newRigOf(t, s)
}

// newRigOf is newRig with the topic, the brokers and the account of a scenario.
func newRigOf(t *testing.T, s scenarios.Scenario) rig {
	t.Helper()
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	sink := harness.NewSink(s, load.NewGenerator(s), nil)
	b := newKafka(k, DefaultCosts(), newHosts(k, Hosts{}, Network{}), s, sink)
	return rig{b.group.join(k.Main(), ""), t}
}

func parse(t *testing.T, text string) (f scenarios.Fault) {
	t.Helper()
	if err := f.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return f
}

// send adds a message to the topic.
func (r rig) send() { r.add(0, r.k.Now(), nil, []byte("x")) }

// poll expects changes of the assignment, and so many messages.
func (r rig) poll(when string, messages int, want flusher.Fetch) {
	r.t.Helper()
	got, err := r.Poll(context.Background(), 10, time.Second)
	n := 0
	for _, b := range got.Batches {
		n += len(b.Messages)
	}
	if err != nil || n != messages || !slices.Equal(got.Assigned, want.Assigned) ||
		!slices.Equal(got.Lost, want.Lost) || len(got.Revoked) > 0 {
		r.t.Errorf("%s: %+v with %d messages (%v), want %+v with %d", when, got, n, err, want, messages)
	}
}

var assigned = flusher.Fetch{Assigned: []int32{0}}

// A partition that was paused, given back and assigned again is read.
func TestAssignmentEndsAPause(t *testing.T) {
	r := newRig(t)
	r.send()
	r.poll("first", 1, assigned)
	r.Pause(0)
	r.send()
	r.poll("paused", 0, flusher.Fetch{})
	r.Released(0)
	r.poll("assigned again, and nothing is committed", 2, assigned)
}

// A member that the group gave up joins again, and hears of the loss before it reads anything.
func TestALostMemberJoinsAgain(t *testing.T) {
	r := newRig(t)
	r.send()
	r.poll("first", 1, assigned)
	r.leave(r.member, true)
	r.poll("lost", 0, flusher.Fetch{Lost: []int32{0}})
	r.poll("assigned again", 1, assigned)
}

// TestASessionExpiresBehindACut: the coordinator lives on while the network to it is cut, in whichever
// direction, and gives up whom it does not hear of; a member hears of that when it is over. While there is no
// coordinator, or a shorter time, nobody is given up.
func TestASessionExpiresBehindACut(t *testing.T) {
	session := DefaultCosts().Kafka.Session
	for text, lost := range map[string]bool{
		"black-hole kafka": true, "black-hole kafka requests": true, "black-hole kafka answers": true,
		"refuse kafka": true, "stop kafka": false, "crash kafka": false, "hang kafka": false,
	} {
		for lasts, lost := range map[time.Duration]bool{
			session - time.Second: false, session + time.Second: lost,
		} {
			r := newRig(t)
			r.send()
			r.poll("first", 1, assigned)
			undo, err := r.Break(parse(t, "at 1s "+text+" for 1m"))
			if err != nil {
				t.Fatal(err)
			}
			for over := r.k.Now().Add(lasts); r.k.Now().Before(over); {
				r.poll(text+" lasts", 0, flusher.Fetch{})
			}
			if err := undo(); err != nil {
				t.Fatal(err)
			}
			if !lost {
				r.poll(text+" is over", 0, flusher.Fetch{})
				continue
			}
			if err := r.Commit(t.Context(), []flusher.Message{{}}); !errors.Is(err, errNotMember) {
				t.Errorf("%s: a member that was given up commits: %v", text, err)
			}
			r.poll(text+" is over", 0, flusher.Fetch{Lost: []int32{0}})
			r.poll("assigned again", 1, assigned)
		}
	}
}

// TestWhatIsLetGoBehindACut: the group hears of it when the member can tell it, and gives it on then. If that takes
// longer than a session it gives up the member, which hears only of the loss of what it still had.
func TestWhatIsLetGoBehindACut(t *testing.T) {
	session := DefaultCosts().Kafka.Session
	s := scenarios.Default()
	s.Topology.Partitions = 2
	for text, expires := range map[string]bool{
		"refuse kafka": true, "black-hole kafka": true, "black-hole kafka requests": true, "stop kafka": false,
		"crash kafka": false, "hang kafka": false,
	} {
		for _, lasts := range []time.Duration{time.Second, session + time.Second} {
			r := newRigOf(t, s)
			r.poll("first", 0, flusher.Fetch{Assigned: []int32{0, 1}})
			other := r.join(r.k.Main(), "")
			got, err := r.Poll(t.Context(), 10, time.Second)
			if err != nil || !slices.Equal(got.Revoked, []int32{1}) {
				t.Fatalf("%+v, %v, want that 1 is to be given back", got, err)
			}
			undo, err := r.Break(parse(t, "at 1s "+text+" for 1m"))
			if err != nil {
				t.Fatal(err)
			}
			r.Released(1)
			_ = r.k.Sleep(t.Context(), lasts-watchEvery)
			if !(expires && lasts > session) && r.owners[1] != r.member {
				t.Errorf("%s: the group has heard that 1 is free", text)
			}
			_ = r.k.Sleep(t.Context(), watchEvery)
			if err := undo(); err != nil {
				t.Fatal(err)
			}
			if expires && lasts > session {
				r.poll(text+" is over", 0, flusher.Fetch{Lost: []int32{0}})
				continue
			}
			_ = r.k.Sleep(t.Context(), 2*watchEvery)
			if r.owners[0] != r.member || r.owners[1] != other {
				t.Errorf("%s is over after %v, and the group has not heard that 1 is free", text, lasts)
			}
		}
	}
}

// What a static member had not given back when it ended, another one gets from its successor.
func TestASuccessorGivesBackToo(t *testing.T) {
	s := scenarios.Default()
	s.Topology.Partitions = 2
	r := newRigOf(t, s)
	r.leave(r.member, false)
	rig{r.join(r.k.Main(), "static"), t}.poll("first", 0, flusher.Fetch{Assigned: []int32{0, 1}})
	other := r.join(r.k.Main(), "")
	next := r.join(r.k.Main(), "static")
	if r.owners[0] != next || r.owners[1] != other {
		t.Error("a partition that was asked for is not given on")
	}
}

// A commit of less than is committed is told of, and stays without effect; one again is not.
func TestACommitThatGoesBackIsToldOf(t *testing.T) {
	r := newRig(t)
	var told []string
	r.group.tell = func(what string) { told = append(told, what) }
	for range 8 {
		r.send()
	}
	r.poll("first", 8, assigned)
	for _, c := range []struct {
		offset int64
		tells  int
	}{{5, 0}, {5, 0}, {6, 0}, {4, 1}, {6, 1}, {7, 1}} {
		message := flusher.Message{Position: buffer.Position{Offset: c.offset}}
		if err := r.Commit(t.Context(), []flusher.Message{message}); err != nil || len(told) != c.tells {
			t.Errorf("a commit of message %d: %v, told %q", c.offset, err, told)
		}
	}
	if r.committed[0] != 8 {
		t.Errorf("committed up to %d, want 8", r.committed[0])
	}
}

// A commit that was on its way while the partition went and came back is refused: another member may have
// committed more of it by then.
func TestACommitFromBeforeIsRefused(t *testing.T) {
	r := newRig(t)
	r.send()
	r.poll("first", 1, assigned)
	undo, err := r.Break(parse(t, "at 1s slow kafka requests by 1m for 1m"))
	if err != nil {
		t.Fatal(err)
	}
	over := r.k.NewCond("the commit")
	var failed error
	done := false
	r.k.Go("commit", func() {
		failed = r.Commit(context.Background(), []flusher.Message{{}})
		done = true
		over.Broadcast()
	})
	_ = r.k.Sleep(t.Context(), time.Second)
	r.Released(0)
	if err := undo(); err != nil {
		t.Fatal(err)
	}
	for !done {
		_ = over.Wait(t.Context())
	}
	if !errors.Is(failed, errNotMember) || r.committed[0] != 0 || r.owners[0] != r.member {
		t.Errorf("the commit: %v; committed up to %d", failed, r.committed[0])
	}
}
