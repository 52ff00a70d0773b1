package kafkaio

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/flusher"
)

// follower polls a source, and notes what comes.
type follower struct {
	t     *testing.T
	s     *Source
	read  map[int32]int // messages, by partition
	fetch flusher.Fetch // the last
}

func follow(t *testing.T, s *Source) *follower {
	return &follower{t: t, s: s, read: map[int32]int{}}
}

func (f *follower) poll() {
	f.t.Helper()
	var err error
	if f.fetch, err = f.s.Poll(f.t.Context(), 100, pollWait); err != nil {
		f.t.Fatal(err)
	}
	for _, b := range f.fetch.Batches {
		f.read[b.Partition] += len(b.Messages)
	}
}

// heard tells whether the partition is heard of.
func (f *follower) heard(number int32) bool {
	return f.fetch.InTouch && !slices.Contains(f.fetch.Silent, number)
}

// says tells whether what cannot be done now is said in these words.
func (f *follower) says(words ...string) bool {
	text := ""
	for _, trouble := range f.s.Troubles().All() {
		text += trouble.Err.Error()
	}
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// TestAPartitionThatCannotBeReadIsSilent while others of its broker are read: an answer that has room left
// and an error of it says nothing of what waits there. It is said once, and is over once.
func TestAPartitionThatCannotBeReadIsSilent(t *testing.T) {
	for _, refuses := range []*kerr.Error{
		kerr.KafkaStorageError, kerr.NotLeaderForPartition, kerr.OffsetNotAvailable,
		kerr.ReplicaNotAvailable, kerr.CorruptMessage, kerr.UnknownServerError,
	} {
		t.Run(refuses.Message, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(2, "spans"))
			cfg, book := configFor(cluster.ListenAddrs()...)
			load(t, cfg, "spans", 0, 10, 0, 1)
			f := follow(t, source(t, cfg, func(sc *SourceConfig) {
				sc.FetchLateMax = 200 * time.Millisecond // less than it takes to try again
			}))
			got := poll(t, f.s, 100, 20)
			if err := f.s.Commit(bounded(t), []flusher.Message{got[0][9], got[1][9]}); err != nil {
				t.Fatal(err)
			}
			fault := cluster.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{1}, Err: refuses, Count: -1,
			})
			eventually(t, "it is said", func() bool { f.poll(); return f.says("partition 1", refuses.Message) })
			load(t, cfg, "spans", 10, 10, 0, 1)
			before, asked := time.Now(), fault.Hits()
			eventually(t, "the other is read all the while", func() bool {
				f.poll()
				if f.heard(1) || !f.says("partition 1", refuses.Message) {
					t.Fatalf("what waits to be read is heard of: %+v", f.fetch)
				}
				return f.read[0] == 10 && f.heard(0) && fault.Hits() >= asked+10
			})
			// On a busy machine the client asks twice before it is told to pause.
			if took := time.Since(before); took < time.Second {
				t.Errorf("it was asked for %d times in %v", fault.Hits()-asked, took)
			}
			if unread, _, err := f.s.Unread(bounded(t)); err != nil || unread[1].Messages() != 10 {
				t.Errorf("%+v is not read, %v; want 10 messages of partition 1", unread, err)
			}
			fault.Remove()
			eventually(t, "it is read", func() bool {
				f.poll()
				return f.read[1] == 10 && f.heard(1) && len(f.s.Troubles().All()) == 0
			})
			if began, ended := book.count("cannot be read"), book.count("is read again"); began != 1 || ended != 1 {
				t.Errorf("said %d and %d times:\n%s", began, ended, book)
			}
		})
	}
}

// TestAnIdlePartitionThatCouldNotBeReadIsHeardOf some time after the last error.
func TestAnIdlePartitionThatCouldNotBeReadIsHeardOf(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	f := follow(t, source(t, cfg, nil))
	eventually(t, "both are heard of", func() bool { f.poll(); return f.heard(0) && f.heard(1) })
	fault := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0, 1}, Err: kerr.KafkaStorageError, Count: -1,
	})
	eventually(t, "both are silent", func() bool { f.poll(); return !f.heard(0) && !f.heard(1) })
	fault.Remove()
	eventually(t, "both are heard of again", func() bool {
		f.poll()
		return f.heard(0) && f.heard(1) && len(f.s.Troubles().All()) == 0
	})
}

// TestPartitionsOfABrokerThatRefusesAreSilent: it answers every fetch, with an error instead of partitions.
func TestPartitionsOfABrokerThatRefusesAreSilent(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(2), kfake.SeedTopics(2, "spans"))
	cfg, book := configFor(cluster.ListenAddrs()...)
	refuses := cluster.LeaderFor("spans", 1)
	if err := cluster.MoveTopicPartition("spans", 0, 1-refuses); err != nil {
		t.Fatal(err)
	}
	f := follow(t, source(t, cfg, func(sc *SourceConfig) {
		sc.FetchLateMax = 200 * time.Millisecond // less than it takes to try again
	}))
	eventually(t, "both are heard of", func() bool { f.poll(); return f.heard(0) && f.heard(1) })
	fault := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Nodes: []int32{refuses}, Err: kerr.UnknownServerError,
		TopLevel: true, Count: -1,
	})
	eventually(t, "it is said", func() bool {
		f.poll()
		return !f.heard(1) && f.says("broker", kerr.UnknownServerError.Message)
	})
	load(t, cfg, "spans", 0, 10, 0, 1)
	asked := fault.Hits()
	eventually(t, "the other is read all the while", func() bool {
		f.poll()
		if f.heard(1) || !f.says(kerr.UnknownServerError.Message) {
			t.Fatalf("what waits to be read is heard of: %+v", f.fetch)
		}
		return f.read[0] == 10 && f.heard(0) && fault.Hits() >= asked+5
	})
	fault.Remove()
	eventually(t, "it is read", func() bool {
		f.poll()
		return f.read[1] == 10 && f.heard(1) && len(f.s.Troubles().All()) == 0
	})
	if began, ended := book.count("cannot be read"), book.count("is read again"); began != 1 || ended != 1 {
		t.Errorf("said %d and %d times:\n%s", began, ended, book)
	}
}

// TestAPartitionThatIsNotAskedForIsSilent, and it is said: the offset at which to begin cannot be verified
// for now, so the broker's answers about others say nothing of it.
func TestAPartitionThatIsNotAskedForIsSilent(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0, 1)
	first := source(t, cfg, nil)
	got := poll(t, first, 100, 20)
	if err := first.Commit(bounded(t), []flusher.Message{got[0][9], got[1][9]}); err != nil {
		t.Fatal(err)
	}
	first.Close()
	load(t, cfg, "spans", 10, 10, 0, 1)
	fault := cluster.Fault(kfake.Fault{
		Keys:       []kmsg.Key{kmsg.OffsetForLeaderEpoch, kmsg.ListOffsets},
		Partitions: []int32{1}, Err: kerr.NotLeaderForPartition, Count: -1,
	})
	f := follow(t, source(t, cfg, nil))
	eventually(t, "it is said that it is not fetched", func() bool {
		f.poll()
		if f.heard(1) {
			t.Fatal("a partition that was never fetched is heard of")
		}
		return f.read[0] == 10 && f.heard(0) && f.says("partition 1", "is not fetched")
	})
	fault.Remove()
	eventually(t, "it is read", func() bool {
		f.poll()
		return f.read[1] == 10 && f.heard(1) && len(f.s.Troubles().All()) == 0
	})
}

// TestAPartitionThatFailsBehindWhatIsRead: records of it and an error come with one poll, as when its leader
// goes while some wait to be polled. It is fetched again after the usual pause.
func TestAPartitionThatFailsBehindWhatIsRead(t *testing.T) {
	t.Parallel()
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	f := follow(t, source(t, cfg, nil))
	eventually(t, "it is heard of", func() bool { f.poll(); return f.heard(0) })
	load(t, cfg, "spans", 0, 10, 0)
	part := func(p kgo.FetchPartition) kgo.Fetch {
		return kgo.Fetch{Topics: []kgo.FetchTopic{{Topic: "spans", Partitions: []kgo.FetchPartition{p}}}}
	}
	var fetches kgo.Fetches
	eventually(t, "records come", func() bool {
		fetches = f.s.client.PollRecords(bounded(t), 0)
		return fetches.NumRecords() > 0
	})
	fetches = append(fetches, part(kgo.FetchPartition{Partition: 0, Err: kerr.LeaderNotAvailable}))
	if err := f.s.absorb(fetches); err != nil {
		t.Fatal(err)
	}
	load(t, cfg, "spans", 10, 10, 0)
	eventually(t, "all is read, and it is heard of", func() bool {
		f.poll()
		return f.read[0] == 20 && f.heard(0) && len(f.s.Troubles().All()) == 0
	})
	f.s.fail([]int32{0})
	f.s.take([]int32{0})
	load(t, cfg, "spans", 20, 10, 0)
	eventually(t, "what was read after all does not pause", func() bool { f.poll(); return f.read[0] == 30 })
}

// TestAPartitionOfAnotherLeaderEpochIsSilent, and it is said: its broker refuses it again and again, of which
// the client says nothing, since it looks for the epoch again each time.
func TestAPartitionOfAnotherLeaderEpochIsSilent(t *testing.T) {
	for name, first := range map[string]int{"nothing was read of it": 0, "something was": 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(2, "spans"))
			cfg, _ := configFor(cluster.ListenAddrs()...)
			f := follow(t, source(t, cfg, func(sc *SourceConfig) {
				sc.FetchLateMax = 200 * time.Millisecond
			}))
			load(t, cfg, "spans", 0, 10, 0)
			load(t, cfg, "spans", 0, first, 1)
			eventually(t, "both are heard of", func() bool {
				f.poll()
				return f.read[0] == 10 && f.read[1] == first && f.heard(0) && f.heard(1)
			})
			fault := cluster.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{1}, Err: kerr.FencedLeaderEpoch, Count: -1,
			})
			eventually(t, "it is silent", func() bool { f.poll(); return !f.heard(1) })
			load(t, cfg, "spans", 10, 10, 0, 1)
			eventually(t, "it is said", func() bool {
				f.poll()
				if f.heard(1) {
					t.Fatal("what waits to be read is heard of")
				}
				return f.read[0] == 20 && f.says("partition 1", "is not fetched")
			})
			asked := fault.Hits()
			eventually(t, "it stays so", func() bool {
				f.poll()
				if f.heard(1) || !f.says("partition 1", "is not fetched") {
					t.Fatal("it is heard of, or not in trouble")
				}
				return fault.Hits() > asked+3
			})
			fault.Remove()
			eventually(t, "it is read", func() bool {
				f.poll()
				return f.read[1] == first+10 && f.heard(1) && len(f.s.Troubles().All()) == 0
			})
		})
	}
}

// TestWhoFailsIsJudged: errors of others' partitions are none of ours, and only those that say that the
// topic's id is not known count as that, until something is read.
func TestWhoFailsIsJudged(t *testing.T) {
	sc := DefaultSourceConfig("spans", "group")
	cfg, _ := configFor("nowhere:1")
	s := &Source{cfg: sc, touch: newTouch(cfg.brokers("source"), sc), failing: failing{},
		troubles: newFetching(cfg.log()), assignment: newAssignment(sc, func([]int32, bool) {})}
	s.assignment.assign([]int32{1})
	passes := func(number int32, err error) bool {
		t.Helper()
		ends, passes := s.judge("spans", number, err)
		if ends != nil {
			t.Errorf("partition %d: %v ends the source", number, err)
		}
		return passes
	}
	if passes(0, kerr.LeaderNotAvailable) || len(s.troubles.All()) > 0 {
		t.Errorf("another's partition is a trouble: %v", s.troubles.All())
	}
	if !passes(1, kerr.LeaderNotAvailable) || len(s.troubles.All()) != 1 || s.unknown.Load() != nil {
		t.Errorf("%v is in trouble, its topic not known since %v", s.troubles.All(), s.unknown.Load())
	}
	if !passes(-1, kerr.UnknownTopicID) || s.unknown.Load() == nil {
		t.Error("a topic whose id is not known counts as known")
	}
}

// TestAnIDThatIsNotKnownForAMoment is no topic that was created again, though nothing is read meanwhile: nobody
// sends anything, and another partition fails all the while, or the same one before and after.
func TestAnIDThatIsNotKnownForAMoment(t *testing.T) {
	for name, others := range map[string][]int32{
		"alone": nil, "beside another that fails": {1}, "of one that fails": {0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(2, "spans"))
			cfg, _ := configFor(cluster.ListenAddrs()...)
			f := follow(t, source(t, cfg, nil))
			eventually(t, "both are heard of", func() bool { f.poll(); return f.heard(0) && f.heard(1) })
			cluster.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{0}, Err: kerr.UnknownTopicID, Count: 1,
			})
			eventually(t, "it is not known", func() bool { f.poll(); return f.says("partition 0", kerr.UnknownTopicID.Message) })
			if others != nil {
				cluster.Fault(kfake.Fault{
					Keys: []kmsg.Key{kmsg.Fetch}, Partitions: others, Err: kerr.KafkaStorageError, Count: -1,
				})
			}
			for until := time.Now().Add(unknownAfter + 3*lookSoon); time.Now().Before(until); {
				f.poll()
			}
		})
	}
}

// TestFetchedIsWhoNeitherFailsNorIsThrottled, also if both begin, and end, one in the other.
func TestFetchedIsWhoNeitherFailsNorIsThrottled(t *testing.T) {
	fetched := true
	a := newAssignment(DefaultSourceConfig("spans", "group"), func(_ []int32, on bool) {
		if fetched == on {
			t.Error("the client is told what it knows")
		}
		fetched = on
	})
	a.assign([]int32{0})
	throttle := func(on bool) { a.throttle(0, a.partitions[0], on) }
	fail := func(on bool) { a.fail([]int32{0, 1}, on) }
	for i, step := range []struct {
		do      func(bool)
		on      bool
		fetched bool
	}{
		{throttle, true, false}, {fail, true, false}, {fail, true, false}, {throttle, false, false},
		{fail, false, true}, {fail, true, false}, {throttle, true, false}, {fail, false, false},
		{throttle, false, true}, {fail, true, false},
	} {
		if step.do(step.on); fetched != step.fetched {
			t.Errorf("after step %d it is fetched: %v", i, fetched)
		}
	}
	if a.lose([]int32{0}); !fetched {
		t.Error("a partition that was lost would not be fetched if it came again")
	}
	for _, held := range []func(bool){fail, throttle} {
		a.assign([]int32{0})
		held(true)
		a.revoke([]int32{0})
		if a.release([]int32{0}); !fetched {
			t.Error("a partition that was revoked would not be fetched if it came again")
		}
	}
}

// TestAPartitionThatFailedComesBack: what could not be read when it went to another member is read when it
// returns. The client remembers of a partition that it is not to be fetched, over all rebalances.
func TestAPartitionThatFailedComesBack(t *testing.T) {
	t.Parallel()
	cluster := fake(t, kfake.SeedTopics(2, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	f := follow(t, source(t, cfg, nil))
	for owned := 0; owned < 2; owned += len(f.fetch.Assigned) {
		f.poll()
	}
	fault := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.KafkaStorageError, Count: -1,
	})
	eventually(t, "both fail", func() bool { f.poll(); return len(f.s.failing) == 2 })
	other := source(t, cfg, nil)
	next := follow(t, other)
	eventually(t, "one goes to another member", func() bool {
		f.poll()
		f.s.Released(f.fetch.Revoked...)
		next.poll()
		return len(next.fetch.Assigned) == 1
	})
	other.Close()
	eventually(t, "it comes back", func() bool { f.poll(); return len(f.fetch.Assigned) == 1 })
	fault.Remove()
	load(t, cfg, "spans", 0, 10, 0, 1)
	eventually(t, "both are read", func() bool { f.poll(); return f.read[0] == 10 && f.read[1] == 10 })
}
