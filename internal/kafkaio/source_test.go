package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

const pollWait = 50 * time.Millisecond

// source joins the group; the test's end leaves it.
func source(t *testing.T, cfg Config, change func(*SourceConfig)) *Source {
	t.Helper()
	sc := DefaultSourceConfig("spans", "group")
	sc.FetchWait = 50 * time.Millisecond
	if change != nil {
		change(&sc)
	}
	s, err := NewSource(cfg, sc)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// poll polls until n messages are there, and returns them by partition.
func poll(t *testing.T, s *Source, limit, n int) map[int32][]flusher.Message {
	t.Helper()
	got, _ := pollAll(t, s, limit, n)
	return got
}

// pollAll is poll with the gaps that were reported meanwhile.
func pollAll(
	t *testing.T, s *Source, limit, n int,
) (got map[int32][]flusher.Message, gaps []flusher.Gap) {
	t.Helper()
	got = make(map[int32][]flusher.Message)
	eventually(t, fmt.Sprintf("%d messages", n), func() bool {
		fetch, err := s.Poll(t.Context(), limit, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		gaps = append(gaps, fetch.Gaps...)
		for _, b := range fetch.Batches {
			if len(b.Messages) > limit {
				t.Fatalf("%d messages of partition %d, limit is %d", len(b.Messages), b.Partition, limit)
			}
			got[b.Partition] = append(got[b.Partition], b.Messages...)
			n -= len(b.Messages)
		}
		return n <= 0
	})
	return got, gaps
}

// assigned polls until the source has a change of the assignment.
func assigned(t *testing.T, s *Source) flusher.Fetch {
	t.Helper()
	var change flusher.Fetch
	eventually(t, "a change of the assignment", func() bool {
		fetch, err := s.Poll(t.Context(), 1, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		change = fetch
		return len(fetch.Assigned)+len(fetch.Revoked)+len(fetch.Lost) > 0
	})
	return change
}

func TestSourceReadsInOrderWithinTheLimit(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(3, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 100, 0, 1, 2)
	s := source(t, cfg, nil)
	first := assigned(t, s)
	if slices.Sort(first.Assigned); !slices.Equal(first.Assigned, []int32{0, 1, 2}) ||
		len(first.Batches) > 0 {
		t.Errorf("first %+v, want the assignment alone", first)
	}
	for p, messages := range poll(t, s, 7, 300) {
		for i, m := range messages {
			if string(m.Value) != fmt.Sprintf("%d/%d", p, i) || m.Position.Offset != int64(i) ||
				m.Position.Partition != p || m.Time.IsZero() {
				t.Fatalf("partition %d, message %d is %s %+v", p, i, m.Value, m.Position)
			}
		}
	}
}

func TestCommittedOffsetIsWhereTheNextMemberBegins(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	first, err := NewSource(cfg, DefaultSourceConfig("spans", "group"))
	if err != nil {
		t.Fatal(err)
	}
	got := poll(t, first, 100, 20)
	if err := first.Commit(bounded(t), []flusher.Message{got[0][6], got[1][9]}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	next := poll(t, source(t, cfg, nil), 100, 3)
	if len(next[0]) != 3 || string(next[0][0].Value) != "0/7" || len(next[1]) != 0 {
		t.Errorf("the next member reads %v", next)
	}
}

// What was committed is gone from the log, as after an outage that outlasted the topic's retention:
// the group goes on with the oldest message that is left, not behind the newest.
func TestSourceGoesOnWithTheOldestThatIsLeft(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 30, 0)
	first, err := NewSource(cfg, DefaultSourceConfig("spans", "group"))
	if err != nil {
		t.Fatal(err)
	}
	got := poll(t, first, 100, 30)
	if err := first.Commit(bounded(t), got[0][9:10]); err != nil {
		t.Fatal(err)
	}
	first.Close()
	var upTo kadm.Offsets
	upTo.AddOffset("spans", 0, 20, -1)
	err = ask(bounded(t), cfg, func(ctx context.Context, admin *kadm.Client) error {
		answers, err := admin.DeleteRecords(ctx, upTo)
		return errors.Join(err, answers.Error())
	})
	if err != nil {
		t.Fatal(err)
	}
	next := poll(t, source(t, cfg, nil), 100, 10)
	if len(next[0]) != 10 || next[0][0].Position.Offset != 20 {
		t.Errorf("the next member reads %v, want 20 to 29", next[0])
	}
}

func TestCommitsSayTheLeaderEpoch(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0)
	s := source(t, cfg, nil)
	last := poll(t, s, 100, 10)[0][9]
	if err := s.Commit(bounded(t), []flusher.Message{last}); err != nil {
		t.Fatal(err)
	}
	var committed kadm.OffsetResponses
	err := ask(bounded(t), cfg, func(ctx context.Context, admin *kadm.Client) (err error) {
		committed, err = admin.FetchOffsets(ctx, "group")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	at, _ := committed.Lookup("spans", 0)
	if at.At != 10 || at.LeaderEpoch != last.LeaderEpoch || last.LeaderEpoch < 0 {
		t.Errorf("committed %d in epoch %d, want 10 in that of the message, %d",
			at.At, at.LeaderEpoch, last.LeaderEpoch)
	}
}

// TestCommitsSayWhatTheStoreKnows: only what this store was told of tells, when it is behind, that it has
// lost something.
func TestCommitsSayWhatTheStoreKnows(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(3, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1, 2)
	member := func(store string, starts func(context.Context, []Start)) *Source {
		sc := DefaultSourceConfig("spans", "group")
		sc.Store, sc.Starts = store, starts
		s, err := NewSource(cfg, sc)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := member("sluice:{s:}", nil)
	got := poll(t, first, 100, 30)
	got[1][4].Queued = true
	if err := first.Commit(bounded(t), []flusher.Message{got[0][9], got[1][4]}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	for store, want := range map[string]bool{"sluice:{s:}": true, "sluice:{s:b}": false, "": false} {
		began := make(chan []Start, 1)
		s := member(store, func(_ context.Context, starts []Start) { began <- starts })
		assigned(t, s)
		starts := <-began
		s.Close()
		if diff := cmp.Diff([]Start{
			{Partition: 0, Offset: 10}, {Partition: 1, Offset: 5, Queued: want}, {Partition: 2, None: true},
		}, starts); diff != "" {
			t.Errorf("store %q: %s", store, diff)
		}
	}
}

func TestTheGroupIsToldTheTimeouts(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	joins := make(chan kmsg.JoinGroupRequest, 100)
	cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1,
		When: func(request kmsg.Request) bool {
			joins <- *request.(*kmsg.JoinGroupRequest)
			return true
		},
	})
	source(t, cfg, func(sc *SourceConfig) {
		sc.SessionTimeout, sc.RebalanceTimeout = 12*time.Second, 34*time.Second
	})
	if join := <-joins; join.SessionTimeoutMillis != 12_000 || join.RebalanceTimeoutMillis != 34_000 {
		t.Errorf("joined with a session of %d ms and a rebalance of %d ms, want 12 and 34 s",
			join.SessionTimeoutMillis, join.RebalanceTimeoutMillis)
	}
}

func TestPollSaysWhetherItIsInTouch(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	network := newOutage()
	cfg.Dial = network.dial
	s := source(t, cfg, nil)
	is := func(inTouch bool) func() bool {
		return func() bool {
			fetch, err := s.Poll(t.Context(), 10, pollWait)
			return err == nil && fetch.InTouch == inTouch
		}
	}
	eventually(t, "in touch", is(true))
	network.cut()
	eventually(t, "not in touch without a network", is(false))
	network.mend()
	eventually(t, "in touch again", is(true))
}

func TestCommitFailureIsAnErrorAndPasses(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	s := source(t, cfg, nil)
	got := poll(t, s, 100, 20)
	last := []flusher.Message{got[0][9], got[1][9]}
	cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.OffsetCommit}, Partitions: []int32{1}, Err: kerr.OffsetMetadataTooLarge,
	})
	err := s.Commit(bounded(t), last)
	if !errors.Is(err, kerr.OffsetMetadataTooLarge) || !strings.Contains(err.Error(), "partition 1") {
		t.Errorf("Commit = %v, want the cause and the partition", err)
	}
	var some *flusher.NotCommitted
	if !errors.As(err, &some) || !slices.Equal(some.Partitions, []int32{1}) {
		t.Errorf("Commit = %+v, want one that names partition 1 alone", err)
	}
	if has := s.gaps.committed(0); has != last[0].Position.Offset+1 {
		t.Errorf("committed %d of the other partition, want %d", has, last[0].Position.Offset+1)
	}
	if err := s.Commit(bounded(t), last); err != nil {
		t.Errorf("Commit = %v after it passed", err)
	}
	other := got[0][9]
	other.Position.Partition = 7
	if err := s.Commit(bounded(t), []flusher.Message{other}); !errors.Is(err, ErrNotAssigned) {
		t.Errorf("Commit = %v of a partition that is not ours", err)
	}
}

func TestPausedPartitionIsHeldBack(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 50, 0, 1)
	s := source(t, cfg, nil)
	assigned(t, s)
	s.Pause(0)
	if got := poll(t, s, 10, 50); len(got[0]) > 0 || len(got[1]) != 50 {
		t.Errorf("read %d of the paused partition and %d of the other", len(got[0]), len(got[1]))
	}
	eventually(t, "all of it is held", func() bool {
		if fetch, err := s.Poll(t.Context(), 10, pollWait); err != nil || !empty(fetch) {
			t.Fatalf("Poll = %+v, %v", fetch, err)
		}
		s.assignment.mu.Lock()
		defer s.assignment.mu.Unlock()
		return len(s.assignment.partitions[0].held) == 50
	})
	waiting := make(chan flusher.Fetch, 1)
	go func() {
		fetch, _ := s.Poll(t.Context(), 100, patience)
		waiting <- fetch
	}()
	eventually(t, "Poll waits", func() bool {
		s.assignment.mu.Lock()
		defer s.assignment.mu.Unlock()
		return s.assignment.wake != nil
	})
	s.Resume(0)
	select {
	case fetch := <-waiting: // Resume ends a Poll that waits
		if len(fetch.Batches) != 1 || string(fetch.Batches[0].Messages[0].Value) != "0/0" {
			t.Errorf("after Resume: %+v", fetch)
		}
	case <-time.After(patience / 2):
		t.Error("Poll does not return what was resumed")
	}
}

// A paused partition that keeps being produced to must not fill the memory, nor lose a message.
func TestHeldBytesAreBounded(t *testing.T) {
	for name, bound := range map[string]func(*SourceConfig){
		"of each": func(sc *SourceConfig) { sc.HeldBytesMax = 5_000 },
		"of all":  func(sc *SourceConfig) { sc.HeldBytesTotal = 10_000 }, // two partitions
	} {
		t.Run(name, func(t *testing.T) {
			cluster := fake(t, kfake.SeedTopics(2, "spans"))
			cfg, _ := configFor(cluster.ListenAddrs()...)
			s := source(t, cfg, func(sc *SourceConfig) {
				sc.FetchPartitionBytesMax = 2_000
				bound(sc)
			})
			assigned(t, s)
			s.Pause(0)
			for i := range 20 {
				load(t, cfg, "spans", i*100, 100, 0, 1)
				poll(t, s, 1000, 100)
			}
			s.assignment.mu.Lock()
			held := s.assignment.partitions[0].bytes
			s.assignment.mu.Unlock()
			if held < 5_000 || held > 9_000 {
				t.Errorf("%d bytes are held, want little more than 5000", held)
			}
			s.Resume(0)
			got := poll(t, s, 1000, 2000)[0]
			for i, m := range got {
				if want := fmt.Sprintf("0/%d", i); string(m.Value) != want {
					t.Fatalf("message %d is %s", i, m.Value)
				}
			}
		})
	}
}

// When all partitions pause, as at full load, what was fetched stays in the client, so that nothing
// is fetched twice.
func TestNothingIsTakenWhileAllPartitionsPause(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	s := source(t, cfg, nil)
	assigned(t, s)
	s.Pause(0, 1)
	load(t, cfg, "spans", 0, 100, 0, 1)
	for range 5 {
		if fetch, err := s.Poll(t.Context(), 10, pollWait); err != nil || !empty(fetch) {
			t.Fatalf("Poll = %+v, %v", fetch, err)
		}
	}
	s.assignment.mu.Lock()
	held := len(s.assignment.partitions[0].held) + len(s.assignment.partitions[1].held)
	s.assignment.mu.Unlock()
	if held > 0 {
		t.Errorf("%d messages were taken from the client", held)
	}
	waiting := make(chan flusher.Fetch, 1)
	go func() {
		fetch, _ := s.Poll(t.Context(), 100, patience)
		waiting <- fetch
	}()
	eventually(t, "Poll waits", func() bool {
		s.assignment.mu.Lock()
		defer s.assignment.mu.Unlock()
		return s.assignment.wake != nil
	})
	s.Resume(0)
	select {
	case <-waiting: // to look again
	case <-time.After(patience / 2):
		t.Error("Poll does not see what was resumed")
	}
	poll(t, s, 100, 100)
}

func TestPollEndsWithItsContext(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	s := source(t, cfg, nil)
	assigned(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	go cancel()
	if _, err := s.Poll(ctx, 1, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Poll = %v, want the context's error", err)
	}
}

func TestOutageOfTheSourceIsSaidOnce(t *testing.T) {
	network := newOutage()
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, book := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0)
	cfg.Dial = network.dial
	s := source(t, cfg, nil)
	poll(t, s, 100, 10)
	network.cut()
	eventually(t, "several attempts", func() bool {
		if _, err := s.Poll(t.Context(), 100, pollWait); err != nil {
			t.Fatal(err)
		}
		return network.refused() > 5
	})
	network.mend()
	back, _ := configFor(cluster.ListenAddrs()...)
	load(t, back, "spans", 10, 10, 0)
	if got := poll(t, s, 100, 10)[0]; string(got[0].Value) != "0/10" {
		t.Errorf("reads on at %s", got[0].Value)
	}
	if gone, back := book.count("cannot be reached"), book.count("is back"); gone != 1 || back != 1 {
		t.Errorf("said %d and %d times:\n%s", gone, back, book)
	}
}

func TestPassingFetchErrorsAreNoErrors(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	cluster.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: 2},
		kfake.Fault{
			Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.CoordinatorLoadInProgress,
		},
		kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID},
	)
	load(t, cfg, "spans", 0, 10, 0)
	s := source(t, cfg, func(sc *SourceConfig) { sc.SessionTimeout = 6 * time.Second })
	poll(t, s, 100, 10)
}

func TestRefusalForGoodIsAnError(t *testing.T) {
	faults := map[*kerr.Error]kfake.Fault{
		kerr.GroupAuthorizationFailed: {Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true},
		kerr.TopicAuthorizationFailed: {Keys: []kmsg.Key{kmsg.Fetch}},
	}
	for cause, fault := range faults {
		cluster := fake(t, kfake.SeedTopics(1, "spans"))
		cfg, _ := configFor(cluster.ListenAddrs()...)
		load(t, cfg, "spans", 0, 10, 0)
		fault.Err, fault.Count = cause, -1
		cluster.Fault(fault)
		s := source(t, cfg, nil)
		var err error
		eventually(t, cause.Message, func() bool {
			_, err = s.Poll(t.Context(), 100, pollWait)
			return err != nil
		})
		if !errors.Is(err, cause) {
			t.Errorf("Poll = %v, want %v", err, cause)
		}
	}
}

// What is held behind what was taken must not keep it, and the answer of the broker that it is part of,
// alive.
func TestTheRestDoesNotKeepWhatWasTaken(t *testing.T) {
	a := newAssignment(DefaultSourceConfig("spans", "group"), func([]int32, bool) {})
	a.assign([]int32{0})
	a.take(1) // the change
	records := make([]*kgo.Record, 10)
	for i := range records {
		records[i] = &kgo.Record{Value: []byte("span"), Offset: int64(i)}
	}
	a.add(0, records)
	held := a.partitions[0].held
	taken := a.take(7).Batches[0].Messages
	if len(taken) != 7 || string(taken[6].Value) != "span" || held[6].Value != nil ||
		held[7].Value == nil || a.partitions[0].bytes != 12 {
		t.Errorf("%d are taken, %v is held of them, %d bytes of the rest", len(taken), held[:7],
			a.partitions[0].bytes)
	}
	if taken = a.take(7).Batches[0].Messages; len(taken) != 3 || a.partitions[0].held != nil {
		t.Errorf("%d are taken, %v is held", len(taken), a.partitions[0].held)
	}
}
