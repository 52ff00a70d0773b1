package redisstore

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"unsafe"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// A trace of one small segment is a string, see lua/trace.lua. One that is new is stored by a command of
// its own, which fails if the trace is there already: then attach.lua attaches it. It is only tried for
// segments whose root has come, since most spans below a root that came earlier belong to a trace that
// is there.
//
// Who flushes it reads it first, and then freezes it if its end is still the same: what has the same
// generation, state and number of spans is the same in all else. So no script reads the payloads.

// smallMax and smallSpansMax are how many bytes of frames, and spans, a small trace has at most, as in
// lua/small.lua: every attach copies it through Lua, which costs as much as the fields of a hash from
// some kB on, and one that outgrows it was a string for nothing.
const (
	smallMax      = 1600
	smallSpansMax = 64
)

// What begins where in the end of a small trace, and how long that is.
const (
	smallCount = 8 + 7 // first, size
	smallName  = smallCount + 2
	smallOwner = smallName + generationLen
	smallState = smallOwner + ownerLen
	smallEnd   = smallState + 1
)

// The states of a small trace. Lower ones are those of a version of 28 November 2026, which lays it out
// in another way.
const (
	smallLive   = 2
	smallFlying = 3
)

// smallTogether is how many small traces are read by one command. For less than readFirstMin generations
// a round trip to read them takes longer than to take them through Lua.
const (
	smallTogether = 64
	readFirstMin  = 16
)

// fitsSmall tells whether a trace that is new, with these subtrees, may be a small one.
func (s *Store) fitsSmall(subtrees []buffer.Subtree, frames int, size uint64) bool {
	limit := s.config.MaxSegmentBytes
	return len(subtrees) == 1 && len(subtrees[0].Spans) <= smallSpansMax && frames <= s.small &&
		(limit == buffer.NoSegmentLimit || size <= uint64(limit))
}

// appendSmall appends what is behind the blob of a small trace.
func appendSmall(dst []byte, delivery buffer.Delivery, subtree *buffer.Subtree, size uint64) []byte {
	for i := range subtree.Spans {
		dst = append(dst, subtree.Spans[i].ID[:]...)
	}
	dst = appendUint56(appendInstant(dst, delivery.Clock), size)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(subtree.Spans)))
	dst = appendDelivery(append(dst, subtree.Parent[:]...), delivery.ID)
	return append(append(dst, make([]byte, ownerLen)...), smallLive)
}

// smallTrace is what a small trace says of its generation.
type smallTrace struct {
	buffer.Held
	frames string
	size   uint64
	// seen is the end as Claim compares it, with the offset of the owner; empty if it is not live.
	seen   string
	offset int
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
func readSmall(key buffer.TraceKey, value string) (t smallTrace, err error) {
	if len(value) == 0 {
		return t, errState
	}
	if value[len(value)-1] < smallLive {
		if value = modern(value); value == "" {
			return t, errState
		}
		defer func() { t.seen = "" }() // it is laid out as it was
	}
	at := len(value) - smallEnd
	if at < 0 || value[at+smallState] > smallFlying {
		return t, errState
	}
	end := value[at:]
	t.Spans = int(end[smallCount]) | int(end[smallCount+1])<<8
	t.size = leUint56(end[smallCount-7:])
	t.Generation = readGeneration(key, end[smallName:])
	if from := at - 8*t.Spans; from < 0 {
		return t, errState
	} else {
		t.frames = value[:from]
	}
	if end[smallState] == smallFlying {
		t.Owner = readOwner(end[smallOwner:])
	} else {
		t.seen, t.offset = end[smallCount:], at+smallOwner
	}
	return t, nil
}

// modern is modern of lua/small.lua; empty if the value is damaged.
func modern(value string) string {
	const head = generationLen + 8 + 7 // segment, generation, first, size
	end := len(value) - 3
	if end < head {
		return ""
	}
	ids, owner, state := 8*(int(value[end])|int(value[end+1])<<8), string(make([]byte, ownerLen)), value[end+2]
	at := end - head - ids
	if state == 1 {
		at -= ownerLen
		owner = value[end-ownerLen : end]
	}
	if at < 0 {
		return ""
	}
	name, rest := value[at:at+generationLen], value[at+generationLen:at+head]
	return strings.Join([]string{
		value[:at], value[at+head : at+head+ids], rest, value[end : end+2], name, owner,
		string([]byte{smallLive + state}),
	}, "")
}

// readSmalls returns those of some traces that are small, as they are now; the others are nil. Of few it
// reads none.
func (s *Store) readSmalls(
	ctx context.Context, generations []buffer.Generation,
) ([]*smallTrace, error) {
	if len(generations) < s.readFirst {
		return make([]*smallTrace, len(generations)), nil
	}
	together := smallTogether
	if s.cluster {
		together = 1
	}
	var ask rueidis.Commands
	for left := generations; len(left) > 0; {
		some := left[:min(together, len(left))]
		left = left[len(some):]
		keys := make([]string, len(some))
		for i, g := range some {
			keys[i] = s.traceKey(g.TraceKey)
		}
		ask = append(ask, s.client.B().Mget().Key(keys...).Build())
	}
	traces := make([]*smallTrace, 0, len(generations))
	for n, result := range s.client.DoMulti(ctx, ask...) {
		values, err := result.AsStrSlice()
		want := min(together, len(generations)-n*together)
		if err = complete(len(values), want, classify(ctx, err)); err != nil {
			return nil, err
		}
		for _, value := range values {
			if value == "" { // a hash, or gone
				traces = append(traces, nil)
				continue
			}
			trace, err := readSmall(generations[len(traces)].TraceKey, value)
			if err != nil {
				return nil, err
			}
			traces = append(traces, &trace)
		}
	}
	return traces, nil
}

// claimArgs are the arguments of claim.lua for a generation, of which this may be the trace.
func (t *smallTrace) claimArgs(g buffer.Generation) (seen, offset string) {
	if t == nil || t.seen == "" || t.Generation != g {
		return string(appendGeneration(nil, g)), ""
	}
	return t.seen, strconv.Itoa(t.offset)
}

// load reads the spans of the trace, which is of this generation.
func (t *smallTrace) load(s *Store) (*buffer.Loaded, error) {
	w := wanted{Generation: t.Generation}
	var err error
	if w.blobs, w.names, err = t.blobs(); err != nil {
		return nil, err
	}
	spans, err := s.readSpans(&w)
	return &buffer.Loaded{Owned: true, Spans: spans}, err
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
