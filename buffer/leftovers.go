package buffer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
)

// Inspector tells what a Store holds. Every Store is one; it reads everything, so it is for tests
// and the harness.
type Inspector interface {
	Leftovers(ctx context.Context) (Leftovers, error)
}

// Leftovers is what a store holds besides the epochs and clocks of its shards. It is empty when
// everything was flushed.
type Leftovers struct {
	// Shards that have something queued or leased, in order.
	Shards []ShardLeftovers
	// Held are the traces of which anything is stored, in order.
	Held []TraceKey
}

// ShardLeftovers is what the queue of a shard names, each list in the order of deadlines.
type ShardLeftovers struct {
	Shard Shard
	// Epoch is that of the shard's last owner, 0 if it has none.
	Epoch Epoch
	// Queued waits to be leased; Leased was leased and neither released nor fenced since.
	Queued, Leased []Due
}

// Empty tells whether nothing is left.
func (l Leftovers) Empty() bool { return len(l.Shards) == 0 && len(l.Held) == 0 }

// Named tells whether any shard names a generation. What no shard names is never flushed unless its
// messages are delivered again.
func (l Leftovers) Named() bool { return len(l.Shards) > 0 }

// String summarizes what is left, such as "12 traces (the first is 00ab... of project 1);
// shard 3: 2 queued, 1 leased".
func (l Leftovers) String() string {
	if l.Empty() {
		return "nothing"
	}
	text := count(len(l.Held), "trace")
	if len(l.Held) > 0 {
		text += fmt.Sprintf(" (the first is %v of project %d)", l.Held[0].Trace, l.Held[0].Project)
	}
	some := l.Shards[:min(shardsShown, len(l.Shards))]
	for _, shard := range some {
		text += fmt.Sprintf("; shard %d: %d queued, %d leased", shard.Shard, len(shard.Queued),
			len(shard.Leased))
	}
	if others := l.Shards[len(some):]; len(others) > 0 {
		queued, leased := 0, 0
		for _, shard := range others {
			queued, leased = queued+len(shard.Queued), leased+len(shard.Leased)
		}
		text += fmt.Sprintf("; %s: %d queued, %d leased", count(len(others), "other shard"), queued, leased)
	}
	return text
}

// count counts things as internal/options does, which imports this package.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// shardsShown is how many shards String names.
const shardsShown = 8

// Sort brings everything into its order, and drops shards that name nothing.
func (l *Leftovers) Sort() {
	l.Shards = slices.DeleteFunc(l.Shards, func(s ShardLeftovers) bool {
		return len(s.Queued)+len(s.Leased) == 0
	})
	slices.SortFunc(l.Shards, func(a, b ShardLeftovers) int { return cmp.Compare(a.Shard, b.Shard) })
	for _, shard := range l.Shards {
		slices.SortFunc(shard.Queued, Due.Compare)
		slices.SortFunc(shard.Leased, Due.Compare)
	}
	slices.SortFunc(l.Held, TraceKey.Compare)
}

// Compare orders by project, then by trace.
func (k TraceKey) Compare(other TraceKey) int {
	if k.Project != other.Project {
		return cmp.Compare(k.Project, other.Project)
	}
	return bytes.Compare(k.Trace[:], other.Trace[:])
}

// Compare orders by trace, segment, and id.
func (g Generation) Compare(other Generation) int {
	if order := g.TraceKey.Compare(other.TraceKey); order != 0 {
		return order
	}
	return cmp.Or(bytes.Compare(g.Segment[:], other.Segment[:]), g.ID.Compare(other.ID))
}

// Compare orders by deadline, then by generation.
func (d Due) Compare(other Due) int {
	if order := cmp.Compare(d.Deadline, other.Deadline); order != 0 {
		return order
	}
	return d.Generation.Compare(other.Generation)
}
