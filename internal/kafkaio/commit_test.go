package kafkaio

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

// forget has a source join its group again, and the group forget it before that arrives, as one does that waits
// no longer. Until the returned function is called it does not arrive; then the source joins as another member.
func forget(t *testing.T, cluster *kfake.Cluster, cfg Config, s *Source) (arrive func()) {
	t.Helper()
	var caught atomic.Bool
	joins, arrives := make(chan struct{}), make(chan struct{})
	cluster.ControlKey(kmsg.JoinGroup.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !caught.Swap(true) { // another's is not held up
			cluster.SleepControl(func() {
				close(joins)
				<-arrives
			})
		}
		return nil, nil, false
	})
	s.client.ForceRebalance()
	<-joins
	client, err := kgo.NewClient(cfg.options(cfg.brokers("group"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	leave, member := kmsg.NewPtrLeaveGroupRequest(), kmsg.NewLeaveGroupRequestMember()
	member.MemberID = memberOf(s.client)
	leave.Group, leave.MemberID = s.cfg.Group, member.MemberID
	leave.Members = append(leave.Members, member)
	answer, err := leave.RequestWith(bounded(t), client)
	if err == nil {
		err = kerr.ErrorForCode(answer.ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { close(arrives) }
}

// offsets returns what the group has committed.
func offsets(t *testing.T, cfg Config) map[int32]int64 {
	t.Helper()
	found := make(map[int32]int64)
	err := ask(bounded(t), cfg, func(ctx context.Context, admin *kadm.Client) error {
		committed, err := admin.FetchOffsets(ctx, "group")
		committed.Each(func(o kadm.OffsetResponse) { found[o.Partition] = o.At })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestACommitThatWaitedIsNotALaterMembers: it was begun while the client joined the group again. When that is
// done the client is another member, what it had is another's, who has come further, and Kafka would take the
// commit. The same goes for those that follow, until the loop has let go of what it had.
func TestACommitThatWaitedIsNotALaterMembers(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	first := source(t, cfg, nil)
	got := poll(t, first, 100, 20)
	last := []flusher.Message{got[0][4], got[1][4]}
	was := memberOf(first.client)

	arrive := forget(t, cluster, cfg, first)
	second := newReader(source(t, cfg, nil))
	end := runs(t, second)
	defer end()
	defer first.Released(0, 1) // which the group waits for
	further := func() bool {
		at := offsets(t, cfg)
		return at[0] == 10 && at[1] == 10
	}
	eventually(t, "the second has both, and commits", further)
	sent := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.OffsetCommit}, Observe: true, Count: -1,
		When: func(request kmsg.Request) bool {
			return request.(*kmsg.OffsetCommitRequest).MemberID == memberOf(first.client)
		},
	})
	waited := make(chan error, 1)
	go func() { waited <- first.Commit(bounded(t), last) }()
	arrive()

	refused := func(when string, err error) {
		t.Helper()
		var some *flusher.NotCommitted
		if !errors.Is(err, ErrNotAssigned) || !errors.As(err, &some) {
			t.Fatalf("%s: Commit = %v, want that the partitions are not ours", when, err)
		}
		if slices.Sort(some.Partitions); !slices.Equal(some.Partitions, []int32{0, 1}) {
			t.Errorf("%s: not committed are %v, want both", when, some.Partitions)
		}
	}
	refused("when it has joined", <-waited)
	if memberOf(first.client) == was {
		t.Fatal("it is the same member still")
	}
	if revoked := assigned(t, first).Revoked; !slices.Equal(revoked, []int32{0, 1}) {
		t.Errorf("revoked %v, want both", revoked)
	}
	refused("when it was told", first.Commit(bounded(t), last))
	if !further() {
		t.Errorf("committed %v, want 10 of each, as by the second", offsets(t, cfg))
	}
	if n := sent.Hits(); n != 0 {
		t.Errorf("%d commits of nothing were sent", n)
	}
}

// TestWhatAMemberKeepsItCommitsAsAnother, if the group had nobody else for it.
func TestWhatAMemberKeepsItCommitsAsAnother(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	s := source(t, cfg, nil)
	got := poll(t, s, 100, 20)
	was := memberOf(s.client)
	forget(t, cluster, cfg, s)()
	eventually(t, "it is another member", func() bool { return memberOf(s.client) != was })
	eventually(t, "its commit is taken", func() bool {
		return s.Commit(bounded(t), []flusher.Message{got[0][9], got[1][9]}) == nil
	})
	if fetch, err := s.Poll(t.Context(), 100, pollWait); err != nil || !empty(fetch) {
		t.Errorf("Poll = %+v, %v; want no change", fetch, err)
	}
}

// TestWhoseAnOffsetIs: the one that a partition was given to, in the tenure in which it was read.
func TestWhoseAnOffsetIs(t *testing.T) {
	a := newAssignment(SourceConfig{HeldBytesMax: 1, HeldBytesTotal: 1}, func([]int32, bool) {})
	wants := func(want bool, tenure *partition, member, when string) {
		t.Helper()
		if is := a.isOf(3, tenure, member); is != want {
			t.Errorf("%s: is %s's is %v, want %v", when, member, is, want)
		}
	}
	untold := func(when string) {
		t.Helper()
		if a.tenure(3) != nil {
			t.Errorf("%s: an offset is taken, though the loop does not know of the tenure", when)
		}
	}
	wants(false, a.tenure(3), "a", "before it is assigned")
	a.assign([]int32{3, 4})
	a.admit("a")
	untold("when it is assigned")
	a.take(1)
	earlier := a.tenure(3)
	wants(true, earlier, "a", "when that is told")
	wants(false, earlier, "b", "while it is another's")
	a.lose([]int32{3})
	wants(false, earlier, "a", "when it is lost")
	a.assign([]int32{3})
	a.admit("b")
	wants(false, earlier, "b", "when it is assigned again")
	for range 2 { // the loss and the assignment
		untold("when it is assigned again")
		a.take(1)
	}
	later := a.tenure(3)
	wants(true, later, "b", "when that is told")
	a.revoke([]int32{3})
	wants(true, later, "b", "when it is revoked")
	a.admit("c")
	wants(false, later, "c", "when it is revoked of one who is another now")
	if of := a.tenure(4); !a.isOf(4, of, "c") {
		t.Error("what is not revoked is the other's, too")
	}
}
