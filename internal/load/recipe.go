package load

import (
	"encoding/binary"
	"math"
	"sort"

	"sluice/buffer"
	"sluice/scenarios"
)

// Recipe says what every span of a run looks like. Spans are numbered from 0; a trace has numbers
// in a row, of which the first, the root's, names the trace. Nothing is kept per span.
type Recipe struct {
	work       scenarios.Workload
	key        [keys]uint64
	partitions []float64 // cumulative share of the traces, by partition
	padding    string
	// evenly is how many sizes a span may have, if each is equally likely; else 0.
	evenly float64
}

// What the keys are for: each turns a number into random bits of its own.
const (
	keyID = iota
	keyTraceHigh
	keyTraceLow
	keySize
	keyParent
	keyBytes
	keyPartition
	keyProject
	keyStyle
	keyHeadless
	keyBad
	keyBadKey
	keyBadCheck
	keyBadKind
	keySkewed
	keySkew
	keys
)

// NewRecipe returns the recipe of a workload on an input topic of so many partitions.
func NewRecipe(work scenarios.Workload, partitions int, seed uint64) *Recipe {
	r := &Recipe{work: work, partitions: sharesUpTo(partitions, work.KeySkew)}
	if s := work.SpanBytes; s.Kind == scenarios.SpreadUniform {
		r.evenly = float64(s.High - s.Low + 1)
	}
	random := scenarios.Stream(seed, "recipe")
	for i := range r.key {
		r.key[i] = random.Uint64()
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,./"
	padding := make([]byte, 1<<16)
	for i := range padding {
		padding[i] = letters[random.IntN(len(letters))]
	}
	r.padding = string(padding)
	return r
}

// sharesUpTo returns which share of the traces falls on each partition and those before it, by Zipf's law.
func sharesUpTo(partitions int, keySkew float64) []float64 {
	shares, sum := make([]float64, partitions), 0.0
	for i := range shares {
		sum += math.Pow(float64(i+1), -keySkew)
		shares[i] = sum
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// PartitionShares returns which share of the traces falls on each partition, the hottest first; together
// they are 1.
func PartitionShares(partitions int, keySkew float64) []float64 {
	shares := sharesUpTo(partitions, keySkew)
	for i := len(shares) - 1; i > 0; i-- {
		shares[i] -= shares[i-1]
	}
	return shares
}

func (r *Recipe) random(key int, n uint64) uint64 { return mix(mix(n^r.key[key]) + r.key[key]) }

// ID returns the id of a span: a bijection of its number.
func (r *Recipe) ID(seq uint64) buffer.SpanID {
	var id buffer.SpanID
	binary.BigEndian.PutUint64(id[:], r.id(seq))
	return id
}

func (r *Recipe) id(seq uint64) uint64 { return mix(seq ^ r.key[keyID]) }

// Seq is the inverse of ID. An id that ID never returned gives a number that was never sent.
func (r *Recipe) Seq(id buffer.SpanID) uint64 {
	return unmix(binary.BigEndian.Uint64(id[:])) ^ r.key[keyID]
}

// Trace returns the id of the trace with that root.
func (r *Recipe) Trace(root uint64) buffer.TraceID {
	var id buffer.TraceID
	high, low := r.trace(root)
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

func (r *Recipe) trace(root uint64) (high, low uint64) {
	return r.random(keyTraceHigh, root), mix(root ^ r.key[keyTraceLow])
}

// Root is the inverse of Trace.
func (r *Recipe) Root(id buffer.TraceID) uint64 {
	return unmix(binary.BigEndian.Uint64(id[8:])) ^ r.key[keyTraceLow]
}

// RootOf returns the root of a span's trace. It takes a step for each trace before it.
func (r *Recipe) RootOf(seq uint64) uint64 {
	root := uint64(0)
	for next := uint64(r.Size(0)); next <= seq; next += uint64(r.Size(next)) {
		root = next
	}
	return root
}

// Keys are those with which ID and the lower half of Trace mix a number, for who turns ids into
// numbers elsewhere.
func (r *Recipe) Keys() (id, trace uint64) { return r.key[keyID], r.key[keyTraceLow] }

// Project returns the project of the trace with that root, from 1.
func (r *Recipe) Project(root uint64) buffer.ProjectID {
	return buffer.ProjectID(1 + below(r.random(keyProject, root), uint64(r.work.Projects)))
}

// Partition returns where the trace with that root is sent.
func (r *Recipe) Partition(root uint64) int32 {
	u := unit(r.random(keyPartition, root))
	at := sort.Search(len(r.partitions), func(i int) bool { return r.partitions[i] > u })
	return int32(min(at, len(r.partitions)-1))
}

// Size returns the number of spans of the trace with that root.
func (r *Recipe) Size(root uint64) int {
	return r.work.SpansPerTrace.At(unit(r.random(keySize, root)))
}

// Headless tells whether the root of that trace is never sent. A trace of one span never lacks it,
// for there would be nothing of it.
func (r *Recipe) Headless(root uint64) bool {
	share := r.work.Headless
	return share > 0 && unit(r.random(keyHeadless, root)) < share && r.Size(root) > 1
}

// Parent returns the place in the trace of a span's parent, which is a random earlier one that is
// not on the lowest level. The root has none; index must be at least 1.
//
// The draw alone, which knows no lowest level, makes a chain up to the root. A span whose chain is
// no longer than the depth hangs where it was drawn; any other hangs on the first of its chain that
// is above the lowest level.
func (r *Recipe) Parent(root uint64, index int) int {
	parent := r.drawn(root, index)
	level := 1
	for at := parent; at > 0; at = r.drawn(root, at) {
		level++
	}
	for ; level > r.work.Depth; level-- {
		parent = r.drawn(root, parent)
	}
	return parent
}

// drawn returns the place that was drawn for the parent of a span.
func (r *Recipe) drawn(root uint64, index int) int {
	return int(below(r.random(keyParent, root+uint64(index)), uint64(index)))
}

// Ancestor tells whether the first span is above the second in the trace, or the same.
func (r *Recipe) Ancestor(root uint64, ancestor, index int) bool {
	for index > ancestor && index > 0 {
		index = r.Parent(root, index)
	}
	return index == ancestor
}
