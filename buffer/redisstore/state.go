package redisstore

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"sluice/buffer"
)

// What Load reads of the state that lua/trace.lua describes. Everything else reads and writes it in
// Redis.

const (
	stateField    = "0"
	segmentPrefix = "s"
	blobPrefix    = "b"
	restPrefix    = "c"
	listPrefix    = "l"

	stateHead     = 11 // calls, generations, spilled, length of segments
	segmentHead   = 11 // id, length
	liveHead      = 34 // generation, first, count, bytes, n
	inFlightHead  = 38 // generation, owner, count, bytes, n
	blobNameLen   = 6
	spilledPlace  = 7
	segmentsPlace = 8
)

var errState = fmt.Errorf("trace is %w", buffer.ErrDamaged)

// eachSegment passes on the segments in the state of a trace, each with its record, as long as more is
// returned. With spilled the records are in fields of their own, and none is passed on.
func eachSegment(
	state []byte, each func(segment buffer.SpanID, record []byte) (more bool, err error),
) (spilled bool, err error) {
	r := &reader{rest: state}
	head := r.bytes(stateHead)
	if r.fault != nil {
		return false, errState
	}
	if head[spilledPlace] >= 2 {
		return true, nil
	}
	for r.rest = r.bytes(uint24(head[segmentsPlace:])); len(r.rest) > 0; {
		head := r.bytes(segmentHead)
		if r.fault != nil {
			break
		}
		segment := buffer.SpanID(head)
		record := r.bytes(uint24(head[len(segment):]))
		if r.fault != nil {
			break
		}
		if more, err := each(segment, record); !more || err != nil {
			return false, err
		}
	}
	if r.fault != nil {
		return false, errState
	}
	return false, nil
}

// segmentRecord returns the record of a segment in the state of its trace; nil if there is none.
// With spilled the record is in a field of its own.
func segmentRecord(state []byte, segment buffer.SpanID) (record []byte, spilled bool, err error) {
	spilled, err = eachSegment(state, func(other buffer.SpanID, its []byte) (bool, error) {
		if other == segment {
			record = its
		}
		return other != segment, nil
	})
	return record, spilled, err
}

// isList tells whether an entry of a generation is a list of entries, and not a blob.
func isList(entry []byte) bool { return entry[blobNameLen-1] >= 128 }

// claimedEntries returns the entries of a generation that is in flight under the owner, and the bytes of
// its spans; nil if it is not.
func claimedEntries(
	record []byte, id buffer.DeliveryID, owner buffer.Owner,
) (entries []byte, size uint64, err error) {
	r := &reader{rest: record}
	if r.byte() >= 2 {
		if head := r.bytes(liveHead); head != nil {
			r.bytes(blobNameLen * uint24(head[liveHead-3:]))
		}
	}
	want := appendOwner(appendDelivery(nil, id), owner)
	for r.fault == nil && len(r.rest) > 0 {
		head := r.bytes(inFlightHead)
		if head == nil {
			break
		}
		entries := r.bytes(blobNameLen * uint24(head[inFlightHead-3:]))
		if r.fault == nil && bytes.HasPrefix(head, want) {
			return entries, leUint56(string(head[inFlightHead-10:])), nil
		}
	}
	if r.fault != nil {
		return nil, 0, errState
	}
	return nil, 0, nil
}

func uint24(b []byte) uint64 { return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 }

// heldInState returns which generations a trace holds, by its state; spilled is true if its segments
// are in fields of their own.
func heldInState(trace buffer.TraceKey, state []byte) (held []buffer.Held, spilled bool, err error) {
	spilled, err = eachSegment(state, func(segment buffer.SpanID, record []byte) (bool, error) {
		more, err := heldInRecord(trace, segment, record)
		held = append(held, more...)
		return true, err
	})
	return held, spilled, err
}

// heldInRecord returns the generations in the record of a segment.
func heldInRecord(
	trace buffer.TraceKey, segment buffer.SpanID, record []byte,
) (held []buffer.Held, err error) {
	r := &reader{rest: record}
	name := func(head []byte) buffer.Generation {
		return buffer.Generation{TraceKey: trace, Segment: segment, ID: readDelivery(string(head[:deliveryLen]))}
	}
	spans := func(head []byte) int { // before bytes u56 and n u24
		return int(binary.LittleEndian.Uint32(head[len(head)-14:]))
	}
	if r.byte() >= 2 {
		if head := r.bytes(liveHead); head != nil {
			held = append(held, buffer.Held{Generation: name(head), Spans: spans(head)})
			r.bytes(blobNameLen * uint24(head[liveHead-3:]))
		}
	}
	for r.fault == nil && len(r.rest) > 0 {
		if head := r.bytes(inFlightHead); head != nil {
			owner := readOwner(string(head[deliveryLen : deliveryLen+ownerLen]))
			held = append(held, buffer.Held{Generation: name(head), Owner: owner, Spans: spans(head)})
			r.bytes(blobNameLen * uint24(head[inFlightHead-3:]))
		}
	}
	if r.fault != nil {
		return nil, errState
	}
	return held, nil
}
