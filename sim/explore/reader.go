package explore

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/defects"
)

// perTenure is how many offsets there is room for in the name of a generation.
const perTenure = 64

// reading is the ingest loop of one partition, from the offset that was committed.
type reading struct {
	sys       *system
	Partition buffer.Shard
	Tenure    int
	From      int64
}

// What a reader's ports remember.
const (
	positionNumber  = iota // the next offset that it polls
	committedNumber        // up to where it knows that offsets are committed
	firstNumber            // the first offset of the last batch that it began to attach,
	lastNumber             // and the last
	endsNumber             // how many of its tasks had ended when it polled
	triesNumber            // how many commits failed in a row since a batch was stored, up to triesMax
)

// assignedFlag is set once a reader knows of its partition, lostFlag once it knows that it is another's,
// or, with revokedFlag, that it is to be.
const (
	assignedFlag = 0
	lostFlag     = 2
	revokedFlag  = 3
)

func (r reading) main(l *life) {
	n := &l.notes.numbers
	n[positionNumber], n[committedNumber], n[firstNumber] = r.From, r.From, r.From
	cfg := ingest.DefaultConfig("spans", "dlq")
	cfg.MaxBatchWait, cfg.CommitInterval, cfg.AssignWait = 0, 0, 0
	cfg.RetryMin, cfg.RetryMax, cfg.TickEvery = time.Millisecond, time.Millisecond, math.MaxInt64
	ports := consumer.Ports{
		Clock: l, Tasks: l, Source: source{l, r}, Store: ported{l, r}, Decoder: r.sys,
		DeadLetters: outbox{l},
	}
	if r.sys.defect.Name != "" {
		defects.Planted{Defect: r.sys.defect}.Consumer(&ports, l.process.Kill)
		l.planted = []any{ports.Source, ports.Store, ports.DeadLetters}
	}
	loop, err := ingest.New(cfg, ingest.Ports{
		Clock: ports.Clock, Tasks: ports.Tasks, Source: ports.Source, Store: ports.Store,
		Decoder: ports.Decoder, DeadLetters: ports.DeadLetters, Gate: open{}, Assigner: open{},
	})
	if err != nil {
		panic(err) // the config is this package's own
	}
	stop, cancel := l.k.WithCancel(context.Background())
	defer cancel()
	l.stop = cancel
	l.err = loop.Run(stop, stop)
	if errors.Is(l.err, context.Canceled) {
		l.err = nil
	}
}

// name gives a delivery a number that tells where it began instead of when.
func (r reading) name(l *life, d buffer.Delivery, traces []buffer.TraceBatch) buffer.Delivery {
	first, last := int64(math.MaxInt64), int64(0)
	for _, t := range traces {
		for _, sub := range t.Subtrees {
			for _, s := range sub.Spans {
				first, last = min(first, s.Position.Offset), max(last, s.Position.Offset)
			}
		}
	}
	if len(traces) > 0 { // else a defect has failed after all of them were attached
		l.notes.numbers[firstNumber], l.notes.numbers[lastNumber] = first, last
	}
	d.ID.Number = int64(r.Tenure)*perTenure + l.notes.numbers[firstNumber]
	return d
}

// memory: but for a pause after a failure, which does not say what failed, what a reader asks for and
// where its batch begins and ends says what it has in work. There is one batch of a partition at a time, and all
// that is read behind it is the next.
func (r reading) memory(l *life) (any, bool) {
	m := readerMemory{
		Partition: r.Partition, Tenure: r.Tenure,
		Position: l.notes.numbers[positionNumber], Committed: l.notes.numbers[committedNumber],
		Lost: l.notes.flags[lostFlag], Revoked: l.notes.flags[revokedFlag], Tries: l.notes.numbers[triesNumber],
		Planted: l.planted,
	}
	if l.idle() {
		l.notes.numbers[firstNumber] = l.notes.numbers[positionNumber]
	} else {
		m.First, m.Last = l.notes.numbers[firstNumber], l.notes.numbers[lastNumber]
	}
	for _, c := range l.calls {
		if _, pause := c.op.(sleep); pause {
			return nil, false
		}
		m.Ops = append(m.Ops, c.op)
	}
	slices.SortFunc(m.Ops, func(a, b any) int { return cmp.Compare(stageOf(a), stageOf(b)) })
	return m, true
}

type readerMemory struct {
	Partition           buffer.Shard
	Tenure              int
	Position, Committed int64
	First, Last         int64
	Lost, Revoked       bool
	Tries               int64
	Ops                 []any
	Planted             []any
}

// eager: what ended is noticed at once; to poll again changes nothing else.
func (r reading) eager(l *life, c *call) (answer, bool) {
	if _, polls := c.op.(poll); !polls {
		return answer{}, false
	}
	if !l.notes.flags[assignedFlag] {
		l.notes.flags[assignedFlag] = true
		return answer{Value: fetched{Assigned: true}}, true
	}
	return answer{Value: fetched{}}, int64(l.ends) > l.notes.numbers[endsNumber]
}

// fetched is the answer of a poll: spans in the order of the partition.
type fetched struct {
	Assigned, Revoked, Lost bool
	Spans                   []buffer.SpanID
}

// released says that a partition that was revoked may be given to another reader.
type released struct{}

type source struct {
	*life
	of reading
}

// Poll waits until the search gives it something.
func (s source) Poll(ctx context.Context, _ int, _ time.Duration) (flusher.Fetch, error) {
	number := int32(s.of.Partition)
	s.notes.numbers[endsNumber] = int64(s.ends)
	got, err := ask[fetched](ctx, s.life, poll{s.notes.numbers[positionNumber]})
	var fetch flusher.Fetch
	if got.Assigned {
		fetch.Assigned = []int32{number}
	}
	if got.Revoked {
		s.notes.flags[revokedFlag] = true
		fetch.Revoked = []int32{number}
	}
	if got.Lost {
		fetch.Lost = []int32{number}
	}
	s.notes.flags[lostFlag] = s.notes.flags[lostFlag] || got.Lost || got.Revoked
	if len(got.Spans) > 0 {
		batch := flusher.Batch{Partition: number}
		for _, id := range got.Spans {
			at := &s.notes.numbers[positionNumber]
			batch.Messages = append(batch.Messages, flusher.Message{
				Position: buffer.Position{Partition: number, Offset: *at}, Time: epoch, Value: id[:],
			})
			*at++
		}
		fetch.Batches = append(fetch.Batches, batch)
	}
	return fetch, err
}

// Commit implements flusher.Source.
func (s source) Commit(ctx context.Context, last []flusher.Message) error {
	offset := last[len(last)-1].Position.Offset + 1
	_, err := s.ask(ctx, commit{offset})
	switch n := &s.notes.numbers; {
	case err == nil:
		n[committedNumber], n[triesNumber] = offset, 0
	// To one whose partition is not to leave it is all the same: Kafka refuses those that it has left.
	case s.notes.flags[revokedFlag] || errors.Is(err, errLost):
		n[triesNumber] = min(n[triesNumber]+1, triesMax)
	}
	return err
}

// triesMax is how many failed commits of a partition that leaves make a difference to the loop, which gives
// them up then.
const triesMax = 3

// Pause does nothing: batches are smaller than what a partition may have waiting.
func (source) Pause(...int32) {}

// Resume neither.
func (source) Resume(...int32) {}

// Released lets another reader have the partition.
func (s source) Released(...int32) { s.sent = append(s.sent, released{}) }

// open is a gate that is, and nobody who flushes: workers are processes of their own.
type open struct{}

// Closed returns nothing.
func (open) Closed() map[buffer.Shard]string { return nil }

// Full returns false.
func (open) Full() bool { return false }

// Assign does nothing.
func (open) Assign([]buffer.Shard) {}
