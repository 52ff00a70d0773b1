package buffer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store keeps the spans of unflushed segments. Its methods are the steps of the buffer protocol;
// nothing else touches the state.
//
// Attach, Claim, Load and Ack take a list, one element per trace or generation. Each element is
// one atomic step of its own, in no promised order; the list only lets an implementation send
// them together. A crash or an error may leave any subset of the list done. Enqueue, Fence, Lease
// and Release are each one atomic step on the shard.
//
// What a caller owes, and why:
//
//   - Attach, then Enqueue, then commit the input offsets. A crash between the first two leaves
//     spans that no queue names; only the redelivery of the batch repairs that, and Attach
//     therefore answers with every live generation that holds a span of the batch.
//   - Claim only what the same owner leased; Load only what it claimed; Ack exactly the spans that
//     were loaded since (by that Claim, too), and only after every output record of the generation was acknowledged;
//     Release last. A crash between any two leaves the generation leased, and the next owner's
//     Fence makes it due at once.
//
// Errors: every method returns an error that wraps ErrStale if the owner is no longer the owner of
// the shard (ErrSetBack if that is because the store lost data), ErrFull if the store has no room, ErrUnavailable if
// it cannot be reached, or ErrDamaged if it cannot read what it has of a trace. Retryable
// says which of them are worth another try of the same call; every step may be repeated.
type Store interface {
	// Attach adds the subtrees of one batch, whose spans nobody may change afterwards: a store may keep
	// them as they are. The answers are in the order of the traces. With an
	// error there may be answers, too: those of traces that are Done all the same, which need not be
	// attached again. They should not be: what was flushed meanwhile would not be recognised.
	Attach(ctx context.Context, delivery Delivery, traces []TraceBatch) ([]Attached, error)

	// Enqueue sets the deadlines of live generations, drops merged ones from the queue and
	// advances the shard's clock.
	Enqueue(ctx context.Context, shard Shard, entries QueueUpdate) error

	// Fence makes a new owner of the shard: its epoch is higher than the last one's, also if the
	// store has lost that one with other data, and everything that is leased returns to the queue,
	// due at once, keeping its deadline. With a last other than AnyEpoch it does so only if that is
	// still the epoch, else ErrStale, and the new epoch is one higher: so an owner that lost track
	// of what it leased (the answer of a Lease was lost) can succeed itself, but never a successor.
	Fence(ctx context.Context, shard Shard, last Epoch) (Fenced, error)

	// Lease hands out at most limit generations that are due at now, oldest deadline first. They
	// leave the queue and stay leased until Release or the next Fence. ErrStale if the owner is
	// not the last one. With a limit of 0 it only tells the clock, which it moves as far as now.
	Lease(ctx context.Context, owner Owner, now Instant, limit int) (Leased, error)

	// Claim freezes generations under the owner. The answers are in the order of the list. What it
	// has loaded along may be flushed without a Load: it stays as it was frozen, whoever takes it over.
	Claim(ctx context.Context, owner Owner, generations []Generation) ([]Claim, error)

	// Load reads the spans of generations that the owner has claimed, in the order in which they
	// arrived. The answers are in the order of the list; nobody may change the spans.
	Load(ctx context.Context, owner Owner, generations []Generation) ([]Loaded, error)

	// Ack deletes generations that the owner has claimed and whose records are acknowledged. The
	// answers are in the order of the list.
	Ack(ctx context.Context, owner Owner, flushed []Flushed) ([]AckResult, error)

	// Release drops generations from what is leased; those in Back return to the queue.
	// ErrStale if the owner is not the last one.
	Release(ctx context.Context, owner Owner, release Release) error
}

// WayMax is how many redirects, none of a span that was cut off, may follow one another on the way from a
// span to its segment. Before anything else, Attach shortens the longer ways of the parents and the
// spans that it is given: the first WayMax+1 spans of such a way lead to where they end at once, again
// and again. So no attach has to follow more, in whatever order a long chain has come. Which
// spans lead where matters when some of them are flushed, so every Store does it alike.
const WayMax = 100

// Attached is what Attach did in one trace.
type Attached struct {
	// Live holds every live generation that holds a span of the batch, newly stored or there
	// before: their deadlines are to be set. Ordered by segment.
	Live []LiveGeneration
	// Merged holds the generations that no longer exist because they became part of another.
	// Ordered by segment.
	Merged []Generation
	// Stored and Duplicates count the spans of the batch that were new and that were not.
	Stored, Duplicates int
	// Done is true if this is an answer, and not the place of one that did not come.
	Done bool
}

// LiveGeneration is a generation that still collects spans.
type LiveGeneration struct {
	Generation
	// HasRoot is true once the segment has seen a root.
	HasRoot bool
	// First is the clock of the batch that brought the generation's first span.
	First Instant
}

// QueueUpdate is the argument of Enqueue.
type QueueUpdate struct {
	// Tick is true for an update that says only that the input is in touch with its source at
	// Wall. It advances ShardClock.Seen and nothing else; or sets it back, if that is ahead of Wall by
	// more than SeenAheadMax.
	Tick bool
	// Clock is the batch's clock, and Wall the wall-clock time at which the shard's now is that: before
	// the present by no more than what was read has moved on since. Their difference is the shard's
	// drift from now on.
	Clock, Wall Instant
	// Seen is what a batch advances ShardClock.Seen to: it is not later than the present. Zero says nothing,
	// as all batches of an input do that does not tick.
	Seen Instant
	// Next is the offset behind the batch; 0 if there is none. It decides nothing, and a store may drop
	// it: it is for operators, who want to know where the input stood.
	Next int64
	// Due holds the deadlines to set; an older deadline of the same generation is overwritten.
	Due []Due
	// Merged holds generations to drop from the queue.
	Merged []Generation
}

// Due is a queue entry: a generation and its deadline in the shard's clock.
type Due struct {
	Generation
	Deadline Instant
}

// ShardClock is what the store remembers of a shard's clock. The zero value means that the shard
// has had no input.
type ShardClock struct {
	// Now is the latest that the shard's clock is known to have shown: the clock of the last
	// batch, or the now of the last Lease if that was later.
	Now Instant
	// Drift is the clock of the last batch minus the wall-clock time that came with it.
	Drift time.Duration
	// Inputs counts the batches. It tells an owner whether Drift is news to it, and so does a Drift that is
	// another one: a store that takes a batch in parts may set the clock back before the last of them.
	Inputs uint64
	// Seen is the wall-clock time of the latest tick, until which what had not been read had not come, or
	// what a batch said if that was later. Zero means that the input does not tick.
	Seen Instant
}

// SeenAheadMax is how far ahead of a tick ShardClock.Seen may be and stay: as much as ticks of two
// readers, or one that was under way for long, may differ. What is further ahead was seen by a clock
// that was set back since, or on a host whose clock is wrong. If it stayed, nobody could tell until then
// whether the input is seen.
const SeenAheadMax = 5 * time.Second

// Fenced is the answer of Fence.
type Fenced struct {
	Owner Owner
	Clock ShardClock
}

// Leased is the answer of Lease.
type Leased struct {
	// Due holds what was leased, oldest deadline first.
	Due []Due
	// Clock is the shard's clock as the store knows it.
	Clock ShardClock
	// Outstanding is how many are leased now, these among them. More than the owner knows of means
	// that the store was set back to before their release.
	Outstanding int
}

// ClaimState is how a Claim went.
type ClaimState uint8

const (
	// ClaimGone means that the generation no longer exists: it was flushed, or merged into
	// another. It is to be released.
	ClaimGone ClaimState = iota
	// ClaimOwned means that the generation is frozen under the owner.
	ClaimOwned
	// ClaimBusy means that the generation is in flight under an owner of another shard. It goes
	// back to the queue.
	ClaimBusy
	// ClaimStale means that a later owner of the same shard has claimed the generation.
	ClaimStale
)

// Claim is the answer of Claim for one generation.
type Claim struct {
	State ClaimState
	// Spans and Bytes are the number of spans and the sum of their sizes; zero unless owned.
	Spans int
	Bytes int64
	// Loaded is what a Load at the same time would have answered, if the store has read that along: it
	// may for segments of a few kB. Nil means that Load is to be asked.
	Loaded *Loaded
}

// Loaded is the answer of Load for one generation.
type Loaded struct {
	// Owned is false if the owner does not hold the generation (any more); there are no spans
	// then.
	Owned bool
	// Spans in the order in which they arrived: by attach, and within a partition by offset.
	Spans []Span
}

// Flushed names a generation that was flushed, and the spans that were.
type Flushed struct {
	Generation
	Spans []SpanID
	// Along is true if Claim has loaded the spans along, which saves the store to ask how it keeps them.
	// It is a hint.
	Along bool
}

// AckResult is how an Ack went.
type AckResult uint8

const (
	// AckGone means that there was nothing in flight under this generation: it was acknowledged
	// before (the answer was lost, or a later owner was faster).
	AckGone AckResult = iota
	// AckDone means that the generation was deleted.
	AckDone
	// AckStale means that the generation is in flight under another owner, and was left alone.
	AckStale
)

// Release is the argument of Store.Release.
type Release struct {
	// Done leaves for good.
	Done []Generation
	// Back returns to the queue with the given deadlines, unless the queue names the generation
	// already.
	Back []Due
}

var (
	// ErrStale means that the caller is no longer the owner of the shard.
	ErrStale = errors.New("stale owner")
	// ErrSetBack means that the shard is at an epoch before the caller's: the store is empty or at a
	// state that it had before, because it was wiped, or a replica that was behind took over. It wraps
	// ErrStale, but there need be no other owner.
	ErrSetBack = fmt.Errorf("the store has lost data, and this %w", ErrStale)
	// ErrFull means that the store has no room for more. It passes when something is flushed.
	ErrFull = errors.New("store is full")
	// ErrUnavailable means that the store cannot be reached or does not answer for now.
	ErrUnavailable = errors.New("store is unavailable")
	// ErrDamaged means that the store cannot read one of the traces that it was asked about: what it has of
	// it is damaged, or was written by a later version. No other try helps, but the same call without that
	// trace succeeds. Attach, Claim, Load and Ack return it.
	ErrDamaged = errors.New("damaged")
)

// Retryable tells whether the same call may succeed later: the store is full or unavailable. A
// stale owner, a cancelled context and a broken invariant stay what they are.
func Retryable(err error) bool {
	return errors.Is(err, ErrFull) || errors.Is(err, ErrUnavailable)
}

// NodeMemory is how full one node of a store is. In a cluster each is asked, never averaged.
type NodeMemory struct {
	// Node names the node, as an address.
	Node string
	// Used and Max are bytes. A Max of 0 means that the node has no limit, and is never full.
	Used, Max int64
}
