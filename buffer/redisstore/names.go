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
	generationLen = 8 + deliveryLen        // segment, delivery
	memberLen     = 8 + 16 + generationLen // project, trace, generation
	ownerLen      = 4 + 8                  // shard, epoch
	signBit32     = uint32(1) << 31        //
	signBit64     = uint64(1) << 63        //
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

// appendMember appends the generation's name in the queue.
func appendMember(dst []byte, g buffer.Generation) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(g.Project)^signBit64)
	dst = append(dst, g.Trace[:]...)
	return appendGeneration(dst, g)
}

func readMember(src string) (buffer.Generation, error) {
	if len(src) != memberLen {
		return buffer.Generation{}, fmt.Errorf("queue entry %q has %d bytes, want %d",
			src, len(src), memberLen)
	}
	key := buffer.TraceKey{Project: buffer.ProjectID(beUint64(src) ^ signBit64)}
	copy(key.Trace[:], src[8:])
	return readGeneration(key, src[24:]), nil
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
