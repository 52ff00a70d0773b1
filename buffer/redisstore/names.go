package redisstore

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"sluice/buffer"
)

// Names and numbers as the scripts know them. Those that a script or a sorted set compares are
// written big endian with the sign bit flipped, so that their bytes compare as the numbers do.

const (
	deliveryLen   = 12
	generationLen = 8 + deliveryLen // segment, delivery
	ownerLen      = 4 + 8           // shard, epoch
	signBit32     = uint32(1) << 31 //
	signBit64     = uint64(1) << 63 //
)

func appendDelivery(dst []byte, d buffer.DeliveryID) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(d.Partition)^signBit32)
	return binary.BigEndian.AppendUint64(dst, uint64(d.Number)^signBit64)
}

// readDelivery reads the first 12 bytes.
func readDelivery(src string) buffer.DeliveryID {
	return buffer.DeliveryID{
		Partition: int32(beUint32(src) ^ signBit32),
		Number:    int64(beUint64(src[4:]) ^ signBit64),
	}
}

func appendInstant(dst []byte, i buffer.Instant) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(i)^signBit64)
}

func readInstant(src string) buffer.Instant {
	return buffer.Instant(beUint64(src) ^ signBit64)
}

func appendOwner(dst []byte, o buffer.Owner) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(o.Shard))
	return binary.BigEndian.AppendUint64(dst, uint64(o.Epoch))
}

// readOwner reads 12 bytes.
func readOwner(src string) buffer.Owner {
	return buffer.Owner{Shard: buffer.Shard(beUint32(src)), Epoch: buffer.Epoch(beUint64(src[4:]))}
}

// appendGeneration appends the generation's name within its trace.
func appendGeneration(dst []byte, g buffer.Generation) []byte {
	dst = append(dst, g.Segment[:]...)
	return appendDelivery(dst, g.ID)
}

// readGeneration reads the first 20 bytes as a generation of the trace.
func readGeneration(key buffer.TraceKey, src string) buffer.Generation {
	g := buffer.Generation{TraceKey: key, ID: readDelivery(src[8:])}
	copy(g.Segment[:], src)
	return g
}

// A generation's name in the queue is delivery | trace | segment | project. The delivery comes first: what
// came together then stands together among what is due at the same time, and Redis finds it in memory
// that it has just touched.
//
// The project takes 7 bytes, or 8 and a zero byte if it is negative or has more. Before 29 November 2026
// a name was project (8) | trace | segment | delivery; lease.lua renames what has such a name.
const (
	projectAt    = deliveryLen + 16 + 8
	memberLen    = projectAt + 7
	longMember   = projectAt + 8 + 1
	formerMember = projectAt + 8
)

// appendMember appends the generation's name in the queue.
func appendMember(dst []byte, g buffer.Generation) []byte {
	dst = appendDelivery(dst, g.ID)
	dst = append(append(dst, g.Trace[:]...), g.Segment[:]...)
	project := binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(g.Project)^signBit64)
	if project[0] == 1<<7 {
		return append(dst, project[1:]...)
	}
	return append(append(dst, project...), 0)
}

func readMember(src string) (g buffer.Generation, err error) {
	switch len(src) {
	case memberLen:
		src = src[:projectAt] + "\x80" + src[projectAt:]
	case longMember:
	case formerMember:
		src = src[8+16+8:] + src[8:8+16+8] + src[:8]
	default:
		return g, fmt.Errorf("queue entry %q has %d bytes, want %d", src, len(src), memberLen)
	}
	g.ID = readDelivery(src)
	copy(g.Trace[:], src[deliveryLen:])
	copy(g.Segment[:], src[deliveryLen+16:])
	g.Project = buffer.ProjectID(beUint64(src[projectAt:]) ^ signBit64)
	return g, nil
}

// traceKey is the key of a trace: prefix, then "project:trace", which the cut-off script reads.
func (s *Store) traceKey(key buffer.TraceKey) string {
	dst := make([]byte, 0, len(s.tracePrefix)+53)
	dst = append(dst, s.tracePrefix...)
	dst = strconv.AppendInt(dst, int64(key.Project), 10)
	dst = append(dst, ':')
	return string(hex.AppendEncode(dst, key.Trace[:]))
}

// parseTraceKey reads what traceKey put behind the prefix.
func parseTraceKey(text string) (key buffer.TraceKey, err error) {
	project, trace, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(project, 10, 64)
	if err != nil {
		return key, fmt.Errorf("project %q is not a number", project)
	}
	key.Project = buffer.ProjectID(n)
	key.Trace, err = buffer.ParseTraceID(trace)
	return key, err
}

// shardKeys are the keys of a shard: queue, leased, owner. They share a slot.
func (s *Store) shardKeys(shard buffer.Shard) []string {
	stem := s.shardStem(shard)
	return []string{stem + "queue", stem + "leased", stem + "owner"}
}

func (s *Store) shardStem(shard buffer.Shard) string {
	return fmt.Sprintf("%s{s:%s:%d}:", s.config.Namespace, s.config.Slice, shard)
}

func beUint32(s string) uint32 { return binary.BigEndian.Uint32([]byte(s[:4])) }

func beUint64(s string) uint64 { return binary.BigEndian.Uint64([]byte(s[:8])) }

func leUint32(s string) uint32 { return binary.LittleEndian.Uint32([]byte(s[:4])) }

// leUint56 reads 7 bytes.
func leUint56(s string) uint64 {
	return uint64(leUint32(s)) | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48
}

func appendUint24(dst []byte, n int) []byte {
	return append(dst, byte(n), byte(n>>8), byte(n>>16))
}

func appendUint56(dst []byte, n uint64) []byte {
	return append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24),
		byte(n>>32), byte(n>>40), byte(n>>48))
}
