package ingest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/proptest"
)

var errCrash = errors.New("crashed")

// crasher kills the loop at one moment. Moments are counted over all port calls: one before the
// effect, one when it has happened and the answer is not there yet.
type crasher struct {
	mu   sync.Mutex
	left int // moments to go; negative for never
	dead bool
	kill func()
}

func (c *crasher) moment(string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.dead = true
		c.kill()
	}
	if c.dead {
		return errCrash
	}
	return nil
}

// auditor knows what is enqueued, and sees to it that nothing else is committed.
type auditor struct {
	buffer.Store
	mu       sync.Mutex
	attached map[buffer.Position]bool // by this incarnation, and not enqueued yet
	enqueued map[buffer.Position]bool
	fault    string
}

func (a *auditor) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	answer, err := a.Store.Attach(ctx, delivery, traces)
	if err != nil {
		return answer, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, trace := range traces {
		for _, subtree := range trace.Subtrees {
			for _, span := range subtree.Spans {
				a.attached[span.Position] = true
			}
		}
	}
	return answer, nil
}

func (a *auditor) Enqueue(ctx context.Context, n buffer.Shard, u buffer.QueueUpdate) error {
	if err := a.Store.Enqueue(ctx, n, u); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for position := range a.attached {
		if position.Partition == int32(n) {
			a.enqueued[position] = true
			delete(a.attached, position)
		}
	}
	return nil
}

// check is the broker's, of every commit.
func (a *auditor) check(b *broker, last []flusher.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range last {
		for _, m := range b.logs[l.Position.Partition][:l.Position.Offset+1] {
			if string(m.Value) == bad {
				if !slices.ContainsFunc(b.letters, func(r flusher.Record) bool {
					return string(r.Headers[3].Value) == fmt.Sprint(m.Position.Offset) &&
						string(r.Headers[2].Value) == fmt.Sprint(m.Position.Partition)
				}) {
					a.fault = fmt.Sprintf("%v was committed before its dead letter", m.Position)
				}
			} else if !a.enqueued[m.Position] && string(m.Value) != repeat(b, m) {
				a.fault = fmt.Sprintf("%v was committed before it was enqueued", m.Position)
			}
		}
	}
}

const bad = "bad"

// repeat returns the message's value if the partition has it earlier too: a span that is twice in
// one batch is attached once, at its first position.
func repeat(b *broker, m flusher.Message) string {
	for _, earlier := range b.logs[m.Position.Partition][:m.Position.Offset] {
		if string(earlier.Value) == string(m.Value) {
			return string(m.Value)
		}
	}
	return ""
}

// fill writes random traces to the partitions and returns every span, "trace:id", sorted.
func fill(b *broker, random *rand.Rand, messages, partitions int) []string {
	seen := make(map[string]bool)
	start := time.Now()
	for i := range messages {
		trace := random.IntN(1 + messages/8)
		partition := trace % partitions
		if random.IntN(10) == 0 {
			partition = random.IntN(partitions)
		}
		value := bad
		if random.IntN(8) > 0 {
			id := random.IntN(20)
			value = fmt.Sprintf("%c s%d s%d", 'A'+trace, id, parentOf(trace, id))
			seen[fmt.Sprintf("%c:s%d", 'A'+trace, id)] = true
		}
		b.append(int32(partition), start.Add(time.Duration(i)*time.Second/4), value)
	}
	var all []string
	for span := range seen {
		all = append(all, span)
	}
	slices.Sort(all)
	return all
}

// parentOf gives a span the same earlier parent whenever it is repeated; the first is a root, and
// so are some others.
func parentOf(trace, id int) int {
	if id == 0 || (trace+id)%7 == 0 {
		return id
	}
	return (id*31 + trace*17) % id
}

// Whatever the batch cuts and the rebalances, and wherever the loop dies and how often, every span
// ends up attached exactly once, in a generation that a queue names; no offset is ahead of that.
func TestPropertyNothingIsLostOrDoubledByCrashes(t *testing.T) {
	property := prop.ForAll(
		func(seed int64, messages, maxBatch, attachMax int, crashes, moves []int) string {
			var fault string
			synctest.Test(t, func(t *testing.T) {
				fault = crashAndRecover(t, seed, messages, maxBatch, attachMax, crashes, moves)
			})
			return fault
		},
		gen.Int64().WithLabel("seed"),
		gen.IntRange(1, 120).WithLabel("messages"),
		gen.IntRange(1, 30).WithLabel("max batch"),
		gen.IntRange(1, 12).WithLabel("spans of a trace attached at once"),
		gen.SliceOf(gen.IntRange(1, 60)).WithLabel("crashes after so many moments"),
		gen.SliceOfN(8, gen.IntRange(0, 11)).WithLabel("moves of partitions"),
	)
	proptest.Check(t, "crashes", property, proptest.Cases(150))
}

const partitions = 3

func crashAndRecover(
	t *testing.T, seed int64, messages, maxBatch, attachMax int, crashes, moves []int,
) string {
	r := newRig(t)
	r.config.MaxBatch, r.config.AttachSpansMax = maxBatch, attachMax
	audit := &auditor{
		Store: r.store, attached: map[buffer.Position]bool{}, enqueued: map[buffer.Position]bool{},
	}
	r.steps.Store = audit
	r.broker.check = func(last []flusher.Message) { audit.check(r.broker, last) }
	want := fill(r.broker, rand.New(rand.NewPCG(uint64(seed), 1)), messages, partitions)

	for _, moments := range append(crashes, -1) {
		if fault := live(r, audit, moments, moves); fault != "" {
			return fault
		}
	}
	for p := range int32(partitions) {
		if got := r.broker.committed[p]; got != int64(len(r.broker.logs[p])) {
			return fmt.Sprintf("partition %d is committed up to %d of %d", p, got, len(r.broker.logs[p]))
		}
	}
	return compare(want, held(t, r.store, 0, 1, 2))
}

// live is the life of one loop: until it crashes, or until there is nothing left to do.
func live(r *rig, audit *auditor, moments int, moves []int) string {
	loop, err := New(r.config, r.ports)
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopped, stop := context.WithCancel(ctx)
	defer stop()
	c := &crasher{left: moments, kill: cancel}
	r.steps.before, r.steps.after = c.moment, c.moment
	r.broker.before, r.broker.after = c.moment, c.moment
	clear(audit.attached)
	r.broker.change(flusher.Fetch{Assigned: []int32{0, 1, 2}})
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(ctx, stopped) }()
	for _, m := range moves {
		move(ctx, r.broker, int32(m%partitions), m/partitions)
	}
	settle(30 * time.Second)
	stop()
	err = <-ended
	r.broker.change(flusher.Fetch{Lost: []int32{0, 1, 2}})
	r.broker.changes = nil
	if audit.fault == "" && err != nil && !c.dead {
		return err.Error()
	}
	return audit.fault
}

// move takes a partition away and gives it back, in one of four ways.
func move(ctx context.Context, b *broker, number int32, how int) {
	time.Sleep(time.Duration(how) * 7 * time.Millisecond)
	if how%2 == 0 {
		b.change(flusher.Fetch{Lost: []int32{number}})
		b.change(flusher.Fetch{Assigned: []int32{number}})
		return
	}
	before := len(b.releasedNow())
	b.change(flusher.Fetch{Revoked: []int32{number}})
	for ctx.Err() == nil && len(b.releasedNow()) == before {
		time.Sleep(time.Millisecond)
	}
	b.change(flusher.Fetch{Assigned: []int32{number}})
}

// compare says what is missing, or there more than once.
func compare(want []string, segments string) string {
	var got []string
	for _, segment := range strings.Fields(segments) {
		trace, ids, _ := strings.Cut(segment, ":")
		for id := range strings.SplitSeq(ids, ",") {
			got = append(got, trace+":"+id)
		}
	}
	slices.Sort(got)
	if slices.Equal(got, want) {
		return ""
	}
	return fmt.Sprintf("the queues name\n %v, want\n %v", got, want)
}
