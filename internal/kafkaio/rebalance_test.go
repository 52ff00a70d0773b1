package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

// reader is a loop over a source as the ingest loop is one: it commits what it read, releases
// what is revoked, and notes both.
type reader struct {
	source *Source

	mu       sync.Mutex
	values   map[string]int
	owned    map[int32]bool
	released map[int32]int // how often
	fault    string
}

func newReader(s *Source) *reader {
	return &reader{
		source: s, values: map[string]int{}, owned: map[int32]bool{}, released: map[int32]int{},
	}
}

// run reads until the context ends.
func (r *reader) run(ctx context.Context) error {
	for ctx.Err() == nil {
		fetch, err := r.source.Poll(ctx, 20, pollWait)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		r.note(fetch)
		var last []flusher.Message
		for _, b := range fetch.Batches {
			last = append(last, b.Messages[len(b.Messages)-1])
		}
		if err := r.source.Commit(context.WithoutCancel(ctx), last); err != nil {
			return err
		}
		r.source.Released(fetch.Revoked...)
	}
	return nil
}

func (r *reader) note(fetch flusher.Fetch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range fetch.Assigned {
		r.owned[p] = true
	}
	for _, p := range append(fetch.Revoked, fetch.Lost...) {
		delete(r.owned, p)
		r.released[p]++
	}
	for _, b := range fetch.Batches {
		if !r.owned[b.Partition] {
			r.fault = fmt.Sprintf("partition %d was delivered to one who does not own it", b.Partition)
		}
		for _, m := range b.Messages {
			r.values[string(m.Value)]++
		}
	}
}

func (r *reader) owns() []int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.owned))
}

func (r *reader) read() (values map[string]int, fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.values), r.fault
}

// runs starts readers; the returned function ends them.
func runs(t *testing.T, readers ...*reader) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, r := range readers {
		all.Go(func() {
			if err := r.run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// rebalance lets a second member join and leave while messages flow. Since every batch is
// committed before its partition is released, every message must be read exactly once.
func rebalance(t *testing.T, cfg Config, topic string, partitions ...int32) {
	first := newReader(source(t, cfg, func(sc *SourceConfig) { sc.Topic, sc.Group = topic, topic }))
	endFirst := runs(t, first)
	defer endFirst()
	eventually(t, "the first has all", func() bool { return len(first.owns()) == len(partitions) })

	flowing, sent := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n += 10 {
			select {
			case <-flowing:
				sent <- n
				return
			default:
				load(t, cfg, topic, n, 10, partitions...)
			}
		}
	}()

	sc := DefaultSourceConfig(topic, topic)
	joining, err := NewSource(cfg, sc)
	if err != nil {
		t.Fatal(err)
	}
	second := newReader(joining)
	endSecond := runs(t, second)
	half := len(partitions) / 2
	eventually(t, "they share", func() bool {
		return len(first.owns()) == half && len(second.owns()) == half
	})
	eventually(t, "the second reads", func() bool {
		values, _ := second.read()
		return len(values) > 0
	})
	endSecond()
	joining.Close() // leaves
	eventually(t, "the first has all again", func() bool {
		return len(first.owns()) == len(partitions)
	})
	close(flowing)
	n := <-sent
	all := make(map[string]int)
	eventually(t, fmt.Sprintf("%d messages of each partition", n), func() bool {
		clear(all)
		for _, r := range []*reader{first, second} {
			values, fault := r.read()
			if fault != "" {
				t.Fatal(fault)
			}
			for value, times := range values {
				all[value] += times
			}
		}
		return len(all) == n*len(partitions)
	})
	for value, times := range all {
		if times != 1 {
			t.Errorf("%s was read %d times", value, times)
		}
	}
}

func TestRebalanceLosesAndRepeatsNothing(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(4, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	rebalance(t, cfg, "spans", 0, 1, 2, 3)
}

// Until Released is called the group must not give a partition away.
func TestRevokedPartitionStaysUntilItIsReleased(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	first := source(t, cfg, nil)
	got := poll(t, first, 5, 10) // five of each are in work, five are held back
	other := source(t, cfg, nil)
	second := newReader(other)
	end := runs(t, second)
	defer end()
	revoked := assigned(t, first).Revoked
	if len(revoked) != 1 {
		t.Fatalf("revoked %v, want one of two", revoked)
	}
	number := revoked[0]
	for range 10 {
		fetch, err := first.Poll(t.Context(), 100, pollWait)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range fetch.Batches {
			if b.Partition == number {
				t.Fatal("messages of a revoked partition are delivered")
			}
		}
	}
	if owned := second.owns(); len(owned) > 0 {
		t.Fatalf("the second owns %v, which was not released", owned)
	}
	if err := first.Commit(bounded(t), got[number][4:5]); err != nil {
		t.Fatalf("commit of a revoked partition: %v", err)
	}
	first.Released(number)
	eventually(t, "the second reads the rest", func() bool {
		values, _ := second.read()
		return len(values) == 5 && values[fmt.Sprintf("%d/5", number)] == 1
	})
	if err := first.Commit(bounded(t), got[number][4:5]); err == nil {
		t.Error("a commit after Released went through")
	}
}

func TestRevokedPartitionIsTakenAfterTheTimeout(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, book := configFor(cluster.ListenAddrs()...)
	first := source(t, cfg, func(sc *SourceConfig) { sc.RebalanceTimeout = 6 * time.Second })
	assigned(t, first)
	second := newReader(source(t, cfg, nil))
	end := runs(t, second)
	defer end()
	revoked := assigned(t, first).Revoked
	eventually(t, "the second has it", func() bool { return slices.Equal(second.owns(), revoked) })
	if book.count("not released in time") != 1 {
		t.Errorf("log:\n%s", book)
	}
}

func TestStaticMemberComesBackWithoutARebalance(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(4, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	static := func(id string) func(*SourceConfig) {
		return func(sc *SourceConfig) { sc.InstanceID = id }
	}
	stays := newReader(source(t, cfg, static("a")))
	end := runs(t, stays)
	defer end()
	sc := DefaultSourceConfig("spans", "group")
	sc.InstanceID = "b"
	goes, err := NewSource(cfg, sc)
	if err != nil {
		t.Fatal(err)
	}
	before := newReader(goes)
	endBefore := runs(t, before)
	eventually(t, "they share", func() bool {
		return len(stays.owns()) == 2 && len(before.owns()) == 2
	})
	owned := before.owns()
	endBefore()
	goes.Close()
	changes := stays.changes()
	after := newReader(source(t, cfg, static("b")))
	endAfter := runs(t, after)
	defer endAfter()
	eventually(t, "it has its partitions back", func() bool {
		return slices.Equal(after.owns(), owned)
	})
	if got := stays.changes(); got != changes {
		t.Errorf("the other member was told %d changes", got-changes)
	}
}

// changes counts what was revoked and lost.
func (r *reader) changes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, times := range r.released {
		n += times
	}
	return n
}

func TestReplacedStaticMemberIsAnError(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	static := func(sc *SourceConfig) { sc.InstanceID = "a" }
	first := source(t, cfg, static)
	assigned(t, first)
	second := source(t, cfg, static)
	assigned(t, second)
	var err error
	eventually(t, "the first is told", func() bool {
		_, err = first.Poll(t.Context(), 1, pollWait)
		return err != nil
	})
	if !errors.Is(err, kerr.FencedInstanceID) || !strings.Contains(err.Error(), `instance "a"`) {
		t.Errorf("Poll = %v", err)
	}
}

func TestLostPartitionsAreReported(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	s := source(t, cfg, func(sc *SourceConfig) { sc.SessionTimeout = 6 * time.Second })
	poll(t, s, 100, 20)
	cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID,
	})
	if lost := assigned(t, s).Lost; !slices.Equal(lost, []int32{0, 1}) {
		t.Errorf("lost %v, want both", lost)
	}
	if again := assigned(t, s).Assigned; !slices.Equal(again, []int32{0, 1}) {
		t.Errorf("assigned %v, want both again", again)
	}
	poll(t, s, 100, 20) // nothing was committed
}

// TestWhatABrokerSaysInPassingPasses, and is said meanwhile: that something went wrong in it, and what the
// client has no name for, says nothing of the next attempt; nor does that the group is full.
func TestWhatABrokerSaysInPassingPasses(t *testing.T) {
	for _, c := range []struct {
		key     kmsg.Key
		answers *kerr.Error
		of      bool // the partition
	}{
		{kmsg.Fetch, kerr.UnknownServerError, true},
		{kmsg.ListOffsets, kerr.UnknownServerError, true},
		{kmsg.Heartbeat, kerr.UnknownServerError, false},
		{kmsg.JoinGroup, kerr.UnknownServerError, false},
		{kmsg.SyncGroup, kerr.UnknownServerError, false},
		{kmsg.JoinGroup, kerr.GroupMaxSizeReached, false},
	} {
		t.Run(c.key.Name()+" "+c.answers.Message, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(2, "spans"))
			cfg, book := configFor(cluster.ListenAddrs()...)
			load(t, cfg, "spans", 0, 10, 0, 1)
			fault := cluster.Fault(kfake.Fault{
				Keys: []kmsg.Key{c.key}, Err: c.answers, TopLevel: !c.of,
			})
			f := follow(t, source(t, cfg, func(sc *SourceConfig) { sc.SessionTimeout = 6 * time.Second }))
			eventually(t, "all is read after that", func() bool {
				f.poll()
				return fault.Hits() == 1 && f.read[0] >= 10 && f.read[1] >= 10 &&
					book.count(c.answers.Message) == 1 && len(f.s.Troubles().All()) == 0
			})
		})
	}
}

// A partition whose offset is refused once is read all the same, without another rebalance.
func TestARefusedOffsetIsAskedForAgain(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Partitions: []int32{1}, Err: kerr.UnknownServerError})
	s := source(t, cfg, nil)
	got := 0
	eventually(t, "the partition is read", func() bool {
		got += len(poll(t, s, 100, 1)[1])
		return got == 10
	})
}

// A member that is refused for long disturbs the group less and less, and at first again after an answer.
func TestRefusedOffsetsAreAskedForMoreSlowly(t *testing.T) {
	s := &Source{}
	refused := kerr.GroupAuthorizationFailed
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		if got := s.refetchWait(refused); got != want*time.Second {
			t.Errorf("it waits %v, want %v", got, want*time.Second)
		}
	}
	s.refetchWait(nil)
	if got := s.refetchWait(refused); got != refetchMin {
		t.Errorf("after an answer without a refusal it waits %v, want %v", got, refetchMin)
	}
}

// A refusal is not why a session ends that was ended meanwhile.
func TestARefusedOffsetWaitsNoLongerThanItsSession(t *testing.T) {
	answer := kmsg.NewPtrOffsetFetchResponse()
	answer.Groups = []kmsg.OffsetFetchResponseGroup{{Topics: []kmsg.OffsetFetchResponseGroupTopic{{
		Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{
			{Partition: 1, ErrorCode: kerr.GroupAuthorizationFailed.Code},
		},
	}}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Source{}).offsetsFetched(ctx, nil, answer); !errors.Is(err, context.Canceled) {
		t.Errorf("the session ends with %v, want %v", err, context.Canceled)
	}
}

// Of what is given up late, only that is named which was not released before.
func TestOnlyWhatIsLateIsGivenUp(t *testing.T) {
	a := newAssignment(SourceConfig{HeldBytesMax: 1, HeldBytesTotal: 1}, func([]int32, bool) {})
	a.assign([]int32{3, 4, 5, 6})
	a.revoke([]int32{3, 4, 5})
	a.release([]int32{4})
	if late := a.release([]int32{3, 4, 5}); !slices.Equal(late, []int32{3, 5}) {
		t.Errorf("late are %v, want [3 5]", late)
	}
	if kept := a.release([]int32{6}); len(kept) > 0 || !a.has(6) {
		t.Errorf("%v ended, which is not revoked", kept)
	}
}
