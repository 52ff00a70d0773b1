package ingest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestSpansAreStoredQueuedAndCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0, 1)
		r.broker.append(0, time.Now(), "x b a", "x a a", "y c c")
		r.broker.append(1, time.Now(), "z d d", "z e d", "z e d")
		settle(time.Second)
		if r.broker.committedAt(0) != 3 || r.broker.committedAt(1) != 3 {
			t.Errorf("committed %v, want 3 and 3", r.broker.committed)
		}
		r.end()
		if got := held(t, r.store, 0, 1); got != "x:a,b y:c z:d,e" {
			t.Errorf("the store holds %q", got)
		}
		if got := r.assigner.last(); fmt.Sprint(got) != "[0 1]" {
			t.Errorf("shards %v are flushed, want 0 and 1", got)
		}
		got := r.loop.Counters().Partitions
		if len(got) != 2 || got[0].Messages != 3 || got[0].Spans != 3 || got[0].Bytes != 15 ||
			got[1].Duplicates != 1 || got[1].Next != 3 || !got[0].Assigned {
			t.Errorf("counters %+v", got)
		}
	})
}

// TestDeletedMessagesAreSaid: what the source has missed is said and counted, and what follows is read.
func TestDeletedMessagesAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0, 1)
		r.broker.change(flusher.Fetch{Gaps: []flusher.Gap{{Partition: 1, From: 10, To: 25}}})
		r.broker.append(1, time.Now(), "x a a")
		settle(time.Second)
		r.end()
		if n := r.journal.count(string(MessagesDeleted) + " [1]"); n != 1 ||
			r.journal.count("from=10 to=25 count=15") != 1 {
			t.Errorf("it is said %d times, want once:\n%s", n, r.journal)
		}
		got := r.loop.Counters().Partitions
		if got[0].Deleted != 0 || got[1].Deleted != 15 || got[1].Spans != 1 {
			t.Errorf("counters %+v", got)
		}
	})
}

// TestALogThatWasCutIsCommitted: Kafka lost the end of a log (a replica that was behind took over), and the
// source went back with it. The offset of the group must follow: it is behind the end of the log, so that
// the next owner would find it out of range, and read all that the topic has once more.
func TestALogThatWasCutIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		r.broker.append(0, time.Now(), "x a a", "x b a", "x c a", "x d a")
		settle(time.Second)
		r.broker.mu.Lock()
		r.broker.logs[0], r.broker.position[0] = r.broker.logs[0][:1], 1
		r.broker.mu.Unlock()
		r.broker.append(0, time.Now(), "y e e")
		settle(time.Second)
		if got := r.broker.committedAt(0); got != 2 {
			t.Errorf("committed %d, want 2: the log ends there", got)
		}
		r.end()
	})
}

func TestLoneSpanDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		settle(time.Minute)
		r.broker.append(0, time.Now(), "x a a")
		settle(r.config.CommitInterval + 2*r.config.BusyWait)
		if got := r.broker.committedAt(0); got != 1 {
			t.Errorf("committed %d, want 1 at once", got)
		}
		r.end()
	})
}

// TestPollsOfLittleAreApart: each costs much, however little it brings.
func TestPollsOfLittleAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		settle(time.Minute)
		before := r.broker.fetches.Load()
		for i := range 1000 { // 1 s of a span every ms
			r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root", i))
			settle(time.Millisecond)
		}
		got, most := r.broker.fetches.Load()-before, int64(time.Second/r.config.PollEvery)+1
		if got < most/2 || got > most {
			t.Errorf("%d polls brought something in a second, want about one every %v", got, r.config.PollEvery)
		}
		r.end()
	})
}

// TestABacklogIsPolledAtOnce: what brings a whole batch, or as many bytes as a fetch of a backlog, is
// followed by the next poll.
func TestABacklogIsPolledAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ perFetch, bytes int }{
		"of small messages": {5000, 20}, "of large ones": {500, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 10_000
				r := newRig(t)
				r.config.BytesMax = 1 << 30
				r.broker.perFetch = c.perFetch
				for i := range n {
					r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root%s", i, strings.Repeat(" ", c.bytes-12)))
				}
				begun := time.Now()
				r.start(0)
				for r.broker.positionOf(0) < n && time.Since(begun) < time.Minute {
					settle(time.Millisecond)
				}
				if took := time.Since(begun); took > 2*r.config.PollEvery {
					t.Errorf("it took %v to read %d messages", took, n)
				}
				r.end()
			})
		})
	}
}

func TestTrickleIsBatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(0)
		for i := range 1000 { // 10 s of a span every 10 ms
			r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root", i))
			settle(10 * time.Millisecond)
		}
		settle(2 * r.config.batchWait())
		r.end()
		got := r.loop.Counters().Partitions[0]
		want := 10 * time.Second / r.config.batchWait()
		if got.Spans != 1000 || got.Batches < uint64(want)*8/10 || got.Batches > uint64(want)*12/10 {
			t.Errorf("%d spans in %d batches, want 1000 in about %d", got.Spans, got.Batches, want)
		}
	})
}

// A partition that lags takes larger batches, up to MaxBatch times BatchGrowth.
func TestBatchesAreCutAtMaxBatch(t *testing.T) {
	for growth, want := range map[int][2]uint64{1: {10, 10}, 4: {3, 6}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.config.MaxBatch, r.config.BatchGrowth = 10, growth
			r.steps.before = func(string) error { // so that more is polled meanwhile
				time.Sleep(10 * time.Millisecond)
				return nil
			}
			for i := range 95 {
				r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root", i))
			}
			r.start(0)
			settle(5 * time.Second)
			r.end()
			got := r.loop.Counters().Partitions[0]
			if got.Batches < want[0] || got.Batches > want[1] || got.Next != 95 {
				t.Errorf("growth %d: %d batches up to %d, want %d to %d up to 95",
					growth, got.Batches, got.Next, want[0], want[1])
			}
		})
	}
}

func TestClockOfABatchIsItsSmallestTimestampInWholeSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		at := time.Unix(900_000_000, 0)
		r.broker.append(0, at.Add(1900*time.Millisecond), "x a a")
		r.broker.append(0, at.Add(900*time.Millisecond), "x b a")
		r.broker.append(0, at.Add(-time.Hour), "bad") // no span, no clock
		r.start(0)
		settle(time.Second)
		r.end()
		fenced, err := r.store.Fence(t.Context(), 0, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		if want := buffer.InstantOf(at); fenced.Clock.Now != want {
			t.Errorf("the shard's clock is %d, want %d", fenced.Clock.Now, want)
		}
		leased, err := r.store.Lease(t.Context(), fenced.Owner, buffer.InstantOf(at.Add(time.Hour)), 9)
		if err != nil {
			t.Fatal(err)
		}
		want := buffer.InstantOf(at.Add(r.config.Options.RootTimeout))
		if len(leased.Due) != 1 || leased.Due[0].Deadline != want {
			t.Errorf("due %v, want one at %d", leased.Due, want)
		}
	})
}

func TestKillSwitchDropsBeforeTheStoreAndIsReloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var rules atomic.Pointer[buffer.KillSwitch]
		organization := int64('x')
		kill, err := buffer.NewKillSwitch([]buffer.Rule{{Organization: &organization}})
		if err != nil {
			t.Fatal(err)
		}
		rules.Store(kill)
		r.ports.KillSwitch = rules.Load
		r.broker.append(0, time.Now(), "x a a", "y a a", "x b a")
		r.broker.append(1, time.Now(), "x c a")
		r.start(0, 1)
		settle(time.Second)
		rules.Store(nil)
		r.broker.append(0, time.Now(), "x d a")
		settle(time.Second)
		r.end()
		if got := held(t, r.store, 0, 1); got != "x:d y:a" {
			t.Errorf("the store holds %q", got)
		}
		counters := r.loop.Counters()
		zero, one := counters.Partitions[0], counters.Partitions[1]
		if zero.Dropped != 2 || one.Dropped != 1 || zero.Next != 4 || one.Next != 1 {
			t.Errorf("counters %+v", counters)
		}
		if got := counters.Rules["organization_id=120"]; got != 3 {
			t.Errorf("counted %v by rule, want 3", counters.Rules)
		}
	})
}

func TestEveryPortMustBeThere(t *testing.T) {
	_, err := New(Config{}, Ports{})
	for _, part := range []string{"Clock", "Gate", "input topic", "max_batch", "root_timeout"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("New = %v, which does not name %s", err, part)
		}
	}
}

// What is here is bounded in bytes for all partitions together.
func TestBytesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const share, poll, partitions, messages = 100, 5, 4, 200
		r.config.MaxBatch, r.config.BytesMax = poll, share*partitions
		stored := make(chan struct{})
		r.steps.before = func(string) error {
			<-stored
			return nil
		}
		value := "x span root"
		for p := range int32(partitions) {
			for range messages {
				r.broker.append(p, time.Now(), value)
			}
		}
		r.start(0, 1, 2, 3)
		settle(5 * time.Second)
		for _, p := range r.loop.partitions {
			here := bytesOf(p.pending)
			for _, b := range p.inWork {
				here += bytesOf(b.messages)
			}
			if p.bytes != here || here < share || here > share+buffer.Bytes(poll*len(value)) {
				t.Errorf("partition %d: %d bytes are here, and %d counted: want %d and a poll at most",
					p.number, here, p.bytes, share)
			}
			if !r.broker.isPaused(p.number) {
				t.Errorf("partition %d is read on", p.number)
			}
		}
		close(stored)
		settle(5 * time.Second)
		r.end()
		for p, got := range r.loop.Counters().Partitions {
			if got.Next != messages {
				t.Errorf("partition %d: stored up to %d, want %d", p, got.Next, messages)
			}
		}
	})
}

// A bound below the number of partitions stops none of them.
func TestEveryPartitionHasAShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.config.BytesMax = 1
		for p := range int32(3) {
			r.broker.append(p, time.Now(), "x a a", "x b a")
		}
		r.start(0, 1, 2)
		settle(5 * time.Second)
		r.end()
		for p, got := range r.loop.Counters().Partitions {
			if got.Next != 2 {
				t.Errorf("partition %d: stored up to %d, want 2", p, got.Next)
			}
		}
	})
}

// Messages so large that no more may wait are not kept for others to share their batch, or to judge
// their clock by.
func TestFewLargeMessagesDoNotWait(t *testing.T) {
	for _, c := range []struct {
		most    buffer.Bytes
		batches uint64
		leapt   int64
	}{{1, 20, 21}, {1 << 20, 2, 20}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.config.BytesMax = c.most
			r.start(0)
			settle(5 * time.Second)
			for i := range 20 {
				r.broker.append(0, time.Now(), fmt.Sprintf("x s%d root", i))
				settle(10 * time.Millisecond)
			}
			if got := r.loop.Counters().Partitions[0].Batches; got > c.batches || got < c.batches/2 {
				t.Errorf("with %d bytes: %d batches, want %d", c.most, got, c.batches)
			}
			settle(5 * time.Second)
			r.broker.append(0, time.Now().Add(-time.Hour), "y late root")
			settle(5 * time.Millisecond)
			if got := r.loop.Counters().Partitions[0].Next; got != c.leapt {
				t.Errorf("with %d bytes: stored up to %d just after a leap, want %d", c.most, got, c.leapt)
			}
			r.end()
		})
	}
}

// What waits behind a batch must not keep its messages, and the answers of the broker that they are
// part of, alive.
func TestTheRestOfABatchDoesNotKeepIt(t *testing.T) {
	p := newPartition(t.Context(), 0, nil, time.Now(), DefaultConfig("spans", "spans-dlq"))
	messages := make([]flusher.Message, 10)
	for i := range messages {
		messages[i].Time, messages[i].Value = time.Now(), []byte("x a a")
	}
	p.accept(messages, time.Now())
	b := p.cut(time.Now(), 7, 1<<20)
	if b == nil || len(b.messages) != 7 || len(p.pending) != 3 || &p.pending[0] == &messages[7] {
		t.Errorf("the batch is %v, and %d are pending, in the same array", b != nil, len(p.pending))
	}
	if b := p.cut(time.Now(), 7, 1<<20); b == nil || len(b.messages) != 3 || p.pending != nil {
		t.Errorf("the batch is %v, and pending is %v, want nil", b != nil, p.pending)
	}
}

// TestCommitsSayWhetherTheStoreWasTold: it is not of batches without spans, so that it may be behind what is
// committed and yet have lost nothing.
func TestCommitsSayWhetherTheStoreWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var said []string
		r.broker.check = func(last []flusher.Message) {
			for _, m := range last {
				said = append(said, fmt.Sprint(m.Position.Offset, " ", m.Queued))
			}
		}
		r.start(0)
		for _, values := range [][]string{{"x a a"}, {"bad"}, {"bad", "x b a"}, {"x c a", "bad"}} {
			r.broker.append(0, time.Now(), values...)
			settle(20 * time.Second)
		}
		r.end()
		if got, want := strings.Join(said, ", "), "0 true, 1 false, 3 true, 5 true"; got != want {
			t.Errorf("committed %s, want %s", got, want)
		}
	})
}

// A batch waits no longer than a twentieth of the shortest time-out, whatever is asked for.
func TestBatchWait(t *testing.T) {
	for _, c := range []struct{ asked, timeout, rootTimeout, want time.Duration }{
		{time.Second, time.Minute, 10 * time.Second, 500 * time.Millisecond},
		{time.Second, 4 * time.Second, 10 * time.Second, 200 * time.Millisecond},
		{100 * time.Millisecond, time.Minute, 10 * time.Second, 100 * time.Millisecond},
		{0, time.Minute, 10 * time.Second, 0},
	} {
		if got := BatchWait(c.asked, c.timeout, c.rootTimeout); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
}
