package buffer

import (
	"context"
	"time"
)

// Auditor tells whether a store still has what it was given, and finds what no queue names. Its
// methods are no steps of the protocol: nothing goes wrong for want of them as long as the store keeps
// its data.
type Auditor interface {
	// Beat counts a beat of a witness, which is a number that no other program has, on every node of
	// the store, and returns the counts. With an error there are those of the nodes that could be
	// reached. A count that is not higher than the last one means that the node has lost data.
	Beat(ctx context.Context, witness uint64) ([]Pulse, error)

	// Sweep looks at about limit traces, from a cursor on ("": from the start), and returns which
	// generations they hold, and the next cursor ("": that was all). A trace that was there all the
	// time is met at least once. Its cost does not grow with what the store holds, but with the number
	// of segments of these traces.
	Sweep(ctx context.Context, from string, limit int) (Swept, error)

	// Adopt queues those of the generations that neither the shard's queue nor what is leased from it
	// names, and returns them: their deadline is so long after the shard's now, or after wall if the
	// shard has had no input. It is one atomic step for each generation. For a generation that its
	// batch is about to queue, or that is gone, it does no harm: it sets the deadline that an empty
	// batch would set.
	Adopt(
		ctx context.Context, shard Shard, wall Instant, after time.Duration, generations []Generation,
	) ([]Generation, error)
}

// Pulse is what one node has counted of a witness.
type Pulse struct {
	// Marker names where it is counted, and Node the node that has it, as an address. A node may get
	// another marker when slots are moved in a cluster: its count begins anew.
	Marker, Node string
	Beats        uint64
	// Server names the one that counted it, differently for each time that it was started. If it is
	// another one than before, what was stored since the last beat may be lost although no beat is.
	Server string
	// Witnesses is how many have lately beaten there, this one among them; 0 if this beat did not count them.
	// One that is gone is still among them for a while.
	Witnesses int
}

// WitnessesEvery is how many beats of a witness there are from one that counts the witnesses to the next; the
// first does.
const WitnessesEvery = 20

// Swept is the answer of Sweep.
type Swept struct {
	Next string
	// Traces that were looked at, and the generations that they hold.
	Traces int
	Held   []Held
	// Unreadable says what else stands under the names of traces, and why it is none that can be read:
	// keys of others, or damaged traces. They are left alone.
	Unreadable []string
}

// Held is a generation that a store holds.
type Held struct {
	Generation
	// Owner has claimed it; zero if nobody has.
	Owner Owner
	// Spans that it has.
	Spans int
}

// Shard is the one whose queue is to name the generation: of who has claimed it, since others may not,
// or of the batch that began it.
func (h Held) Shard() Shard {
	if h.Owner != (Owner{}) {
		return h.Owner.Shard
	}
	return Shard(h.ID.Partition)
}
