package redisstore

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// A trace of one small segment is a string, see lua/trace.lua. One that is new is stored by a command of
// its own, which fails if the trace is there already: then attach.lua attaches it. It is only tried for
// segments whose root has come, since most spans below a root that came earlier belong to a trace that
// is there.

// smallMax and smallSpansMax are how many bytes of frames, and spans, a small trace has at most, as in
// lua/small.lua: every step copies it through Lua, which costs as much as the fields of a hash from some
// kB on, and one that outgrows it was a string for nothing.
const (
	smallMax      = 1600
	smallSpansMax = 64
)

// What begins where behind the blob of a small trace, and how long the ends are.
const (
	smallFirst = generationLen
	smallSize  = smallFirst + 8
	smallIDs   = smallSize + 7
	smallEnd   = 3 // number of spans, whether it is in flight
)

// fitsSmall tells whether a trace that is new, with these subtrees, may be a small one.
func (s *Store) fitsSmall(subtrees []buffer.Subtree, frames int, size uint64) bool {
	limit := s.config.MaxSegmentBytes
	return len(subtrees) == 1 && len(subtrees[0].Spans) <= smallSpansMax && frames <= s.small &&
		(limit == buffer.NoSegmentLimit || size <= uint64(limit))
}

// appendSmall appends what is behind the blob of a small trace.
func appendSmall(dst []byte, delivery buffer.Delivery, subtree *buffer.Subtree, size uint64) []byte {
	dst = append(dst, subtree.Parent[:]...)
	dst = appendInstant(appendDelivery(dst, delivery.ID), delivery.Clock)
	dst = appendUint56(dst, size)
	for i := range subtree.Spans {
		dst = append(dst, subtree.Spans[i].ID[:]...)
	}
	return append(binary.LittleEndian.AppendUint16(dst, uint16(len(subtree.Spans))), 0)
}

// smallTrace is what a small trace says of its generation.
type smallTrace struct {
	buffer.Held
	frames string
}

// blobs returns each frame as a blob of its own, as a hash would have it, and the names of those.
func (t *smallTrace) blobs() (blobs []string, names []byte, err error) {
	for rest := t.frames; rest != ""; {
		r := &reader{rest: unsafe.Slice(unsafe.StringData(rest), len(rest))}
		r.byte() // its kind
		r.bytes(r.uvarint())
		if r.fault != nil {
			return nil, nil, r.fault
		}
		n := len(rest) - len(r.rest)
		blobs = append(blobs, rest[:n])
		names = append(binary.LittleEndian.AppendUint32(names, uint32(len(blobs))), 0, 0)
		rest = rest[n:]
	}
	return blobs, names, nil
}

// readSmall reads a small trace.
func readSmall(key buffer.TraceKey, value string) (smallTrace, error) {
	end := len(value) - smallEnd
	if end < 0 || value[end+2] > 1 {
		return smallTrace{}, errState
	}
	spans := int(value[end]) | int(value[end+1])<<8
	at, owner := end-smallIDs-8*spans, end
	if value[end+2] == 1 {
		at, owner = at-ownerLen, owner-ownerLen
	}
	if at < 0 {
		return smallTrace{}, errState
	}
	trace := smallTrace{frames: value[:at],
		Held: buffer.Held{Generation: readGeneration(key, value[at:]), Spans: spans}}
	if owner < end {
		trace.Owner = readOwner(value[owner:])
	}
	return trace, nil
}

// newTrace is the answer of attach.lua for a trace that is new and of one segment, with a root.
func newTrace(delivery buffer.Delivery, trace *buffer.TraceBatch) buffer.Attached {
	subtree := &trace.Subtrees[0]
	g := buffer.Generation{TraceKey: trace.TraceKey, Segment: subtree.Parent, ID: delivery.ID}
	return buffer.Attached{
		Live:   []buffer.LiveGeneration{{Generation: g, HasRoot: true, First: delivery.Clock}},
		Stored: len(subtree.Spans), Done: true,
	}
}

// isWrongType tells whether a key is not what the command is for: a small trace, or none any more.
func isWrongType(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	return ok && strings.HasPrefix(reply.Error(), "WRONGTYPE")
}
