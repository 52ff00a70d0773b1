package sim

import (
	"context"
	"slices"
	"testing"
	"time"

	"sluice/flusher"
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
	k, err := kernel.New(kernel.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	s := scenarios.Default()
	s.Topology.Partitions = 1
	b := newKafka(k, DefaultCosts(), newHosts(k, Hosts{}), s, nil)
	return rig{b.group.join(k.Main(), ""), t}
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
