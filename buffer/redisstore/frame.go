package redisstore

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"github.com/klauspost/compress/zstd"

	"sluice/buffer"
)

// A blob is what one attach stored in one generation: a sequence of frames, one for each subtree.
//
//	frame  kind u8 (raw, zstd) | length uvarint | body
//	mask   kind u8 (mask) | n u24 | n bytes, 0 for a span of the next frame that is not to be read
//	body   n uvarint | partition varint | parent (8) | n spans
//	span   id (8) | flags u8 | partition varint if other | offset varint, less the last span's
//	       | parent (8) if explicit | size uvarint if other | 3 marks uvarint if any
//	       | payload length uvarint | payload
//
// Scripts cut between frames and put masks before them, and know no more of them than that. The
// partition is the first span's, the parent is the subtree's.
const (
	frameRaw  byte = 0
	frameZstd byte = 1
	frameMask byte = 2
)

const (
	flagRoot           byte = 1 << iota
	flagOwnParent           // the parent is the span itself
	flagOtherParent         // the parent is written out
	flagOtherPartition      // the partition is written out
	flagSize                // the size is not the payload's length, and written out
	flagNoPayload           // the payload is nil
	flagMarks               // there are marks
	flagNewer               // what only a later version can write and read
)

// compressMin is the number of bytes below which compressing is not tried.
const compressMin = 256

var errFrame = fmt.Errorf("blob is %w", buffer.ErrDamaged)

// appendFrame appends the frame of a subtree. compressor is nil for none; scratch is for reuse.
func appendFrame(
	dst []byte, subtree buffer.Subtree, compressor *zstd.Encoder, scratch *[]byte,
) []byte {
	kind, body := frameRaw, appendBody((*scratch)[:0], subtree)
	*scratch = body
	if compressor != nil && len(body) >= compressMin {
		*scratch = compressor.EncodeAll(body, body)
		body = (*scratch)[:len(body)] // which may have moved
		if packed := (*scratch)[len(body):]; len(packed) < len(body)-len(body)/8 {
			kind, body = frameZstd, packed
		}
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(body)))
	return append(dst, body...)
}

func appendBody(dst []byte, subtree buffer.Subtree) []byte {
	partition, offset := subtree.Spans[0].Position.Partition, int64(0)
	dst = binary.AppendUvarint(dst, uint64(len(subtree.Spans)))
	dst = binary.AppendVarint(dst, int64(partition))
	dst = append(dst, subtree.Parent[:]...)
	for i := range subtree.Spans {
		span := &subtree.Spans[i]
		flags := spanFlags(span, subtree.Parent, partition)
		dst = append(dst, span.ID[:]...)
		dst = append(dst, flags)
		if flags&flagOtherPartition != 0 {
			dst = binary.AppendVarint(dst, int64(span.Position.Partition))
		}
		dst = binary.AppendVarint(dst, span.Position.Offset-offset)
		offset = span.Position.Offset
		if flags&flagOtherParent != 0 {
			dst = append(dst, span.Parent[:]...)
		}
		if flags&flagSize != 0 {
			dst = binary.AppendUvarint(dst, uint64(span.Size))
		}
		if flags&flagMarks != 0 {
			for _, mark := range span.Marks {
				dst = binary.AppendUvarint(dst, uint64(mark))
			}
		}
		dst = binary.AppendUvarint(dst, uint64(len(span.Payload)))
		dst = append(dst, span.Payload...)
	}
	return dst
}

func spanFlags(span *buffer.Span, parent buffer.SpanID, partition int32) byte {
	var flags byte
	set := func(flag byte, on bool) {
		if on {
			flags |= flag
		}
	}
	set(flagRoot, span.Root)
	set(flagOwnParent, span.Parent == span.ID)
	set(flagOtherParent, span.Parent != span.ID && span.Parent != parent)
	set(flagOtherPartition, span.Position.Partition != partition)
	set(flagSize, span.Size != len(span.Payload))
	set(flagNoPayload, span.Payload == nil)
	set(flagMarks, span.Marks != buffer.Marks{})
	return flags
}

// reader reads the pieces of a blob. The first fault sticks, and every later piece is zero.
type reader struct {
	rest  []byte
	fault error
}

func (r *reader) bytes(n uint64) []byte {
	if r.fault != nil || n > uint64(len(r.rest)) {
		r.fault = errFrame
		return nil
	}
	piece := r.rest[:n:n]
	r.rest = r.rest[n:]
	return piece
}

func (r *reader) byte() byte {
	if piece := r.bytes(1); piece != nil {
		return piece[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	n, width := binary.Uvarint(r.rest)
	if r.bytes(uint64(max(width, 0))); width <= 0 {
		r.fault = errFrame
	}
	return n
}

func (r *reader) varint() int64 {
	n := r.uvarint() // zigzag: the sign is the lowest bit
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) spanID() (id buffer.SpanID) {
	copy(id[:], r.bytes(uint64(len(id))))
	return id
}

// readBlob appends the spans of a blob. Their payloads are parts of the blob, which is not copied.
func (s *Store) readBlob(
	dst []buffer.Span, key buffer.TraceKey, blob string,
) ([]buffer.Span, error) {
	r := &reader{rest: unsafe.Slice(unsafe.StringData(blob), len(blob))}
	var mask []byte
	for r.fault == nil && len(r.rest) > 0 {
		switch kind := r.byte(); kind {
		case frameMask:
			n := r.bytes(3)
			if n != nil {
				mask = r.bytes(uint64(n[0]) | uint64(n[1])<<8 | uint64(n[2])<<16)
			}
		case frameRaw, frameZstd:
			body := r.bytes(r.uvarint())
			if kind == frameZstd && r.fault == nil {
				var err error
				if body, err = s.decompressor.DecodeAll(body, nil); err != nil {
					return dst, fmt.Errorf("%w: %w", errFrame, err)
				}
			}
			if r.fault == nil {
				var err error
				if dst, err = readBody(dst, key, body, mask); err != nil {
					return dst, err
				}
			}
			mask = nil
		default:
			return dst, fmt.Errorf("%w: frame of kind %d", errFrame, kind)
		}
	}
	return dst, r.fault
}

func readBody(
	dst []buffer.Span, key buffer.TraceKey, body, mask []byte,
) ([]buffer.Span, error) {
	r := &reader{rest: body}
	n := r.uvarint()
	if mask != nil && uint64(len(mask)) != n {
		return dst, fmt.Errorf("%w: a mask of %d for %d spans", errFrame, len(mask), n)
	}
	partition, parent, offset := int32(r.varint()), r.spanID(), int64(0)
	// Each span takes some bytes, so a number that is made up claims no memory.
	if mask == nil {
		dst = slices.Grow(dst, int(min(n, uint64(len(r.rest)))))
	}
	for i := uint64(0); i < n && r.fault == nil; i++ {
		span := buffer.Span{TraceKey: key, ID: r.spanID(), Parent: parent}
		span.Position.Partition = partition
		flags := r.byte()
		if flags >= flagNewer {
			return dst, fmt.Errorf("%w: a span with flags %#x, of a later version", errFrame, flags)
		}
		span.Root = flags&flagRoot != 0
		if flags&flagOtherPartition != 0 {
			span.Position.Partition = int32(r.varint())
		}
		offset += r.varint()
		span.Position.Offset = offset
		switch {
		case flags&flagOwnParent != 0:
			span.Parent = span.ID
		case flags&flagOtherParent != 0:
			span.Parent = r.spanID()
		}
		var size uint64
		if flags&flagSize != 0 {
			size = r.uvarint()
		}
		if flags&flagMarks != 0 {
			for i := range span.Marks {
				span.Marks[i] = uint32(r.uvarint())
			}
		}
		payload := r.bytes(r.uvarint())
		if flags&flagSize == 0 {
			size = uint64(len(payload))
		}
		span.Size = int(size)
		if flags&flagNoPayload == 0 {
			span.Payload = payload
		}
		if r.fault == nil && (mask == nil || mask[i] != 0) {
			dst = append(dst, span)
		}
	}
	return dst, r.fault
}
