package buffer

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ProjectID is the number of the project a span belongs to. Spans of two projects never join.
type ProjectID int64

// TraceID is a trace's 16 bytes; its text form is 32 lower-case hex digits.
type TraceID [16]byte

// String returns the 32 lower-case hex digits of the id.
func (t TraceID) String() string { return hex.EncodeToString(t[:]) }

// SpanID is a span's 8 bytes; its text form is 16 lower-case hex digits. The all-zero id is an
// id like any other, so "no id" is never told by its value.
type SpanID [8]byte

// String returns the 16 lower-case hex digits of the id.
func (s SpanID) String() string { return hex.EncodeToString(s[:]) }

// ParseTraceID reads 32 lower-case hex digits.
func ParseTraceID(text string) (TraceID, error) {
	var id TraceID
	return id, parseHex(id[:], text, "trace id")
}

// ParseSpanID reads 16 lower-case hex digits.
func ParseSpanID(text string) (SpanID, error) {
	var id SpanID
	return id, parseHex(id[:], text, "span id")
}

func parseHex(dst []byte, text, what string) error {
	if len(text) != 2*len(dst) {
		return fmt.Errorf("%s %q has %d characters, want %d lower-case hex digits",
			what, text, len(text), 2*len(dst))
	}
	if !DecodeHex(dst, []byte(text)) {
		return fmt.Errorf("%s %q is not %d lower-case hex digits", what, text, 2*len(dst))
	}
	return nil
}

// Shard is the number of a queue of segments; it is the source partition.
type Shard int32

// Epoch orders the owners of a shard. Zero means that the shard never had one, as far as the store
// knows. Each is higher than all before it: those of a store that lost its data, too, since a store
// on servers takes the microseconds since 1970 for an epoch if they are higher than the next number.
type Epoch uint64

// AnyEpoch is the argument of Store.Fence that fences whoever owns the shard.
const AnyEpoch Epoch = 0

// Owner is one owner of one shard. Owners of the same shard are ordered by epoch, and only the
// one with the highest epoch may lease and release.
type Owner struct {
	Shard Shard
	Epoch Epoch
}

// Position is where a span was read: partition and offset of the input topic.
type Position struct {
	Partition int32
	Offset    int64
}

// String returns "partition@offset".
func (p Position) String() string {
	return strconv.FormatInt(int64(p.Partition), 10) + "@" + strconv.FormatInt(p.Offset, 10)
}

// Compare orders positions by partition, then by offset.
func (p Position) Compare(q Position) int {
	if order := cmp.Compare(p.Partition, q.Partition); order != 0 {
		return order
	}
	return cmp.Compare(p.Offset, q.Offset)
}

// DeliveryID names one delivery of one batch: its partition, and a number that grows from delivery
// to delivery, also when a batch is delivered again. The id of the delivery that began a
// generation is the generation's id; so ids never repeat within a segment, not even when a
// redelivery begins with the span that began one which is flushed already.
type DeliveryID struct {
	Partition int32
	Number    int64
}

// String returns the text form "partition-number", which ParseDeliveryID reads back.
func (d DeliveryID) String() string { return string(d.Append(nil)) }

// Append appends the text form.
func (d DeliveryID) Append(dst []byte) []byte {
	dst = append(strconv.AppendInt(dst, int64(d.Partition), 10), '-')
	return strconv.AppendInt(dst, d.Number, 10)
}

// ParseDeliveryID reads the text form "partition-number".
func ParseDeliveryID(text string) (DeliveryID, error) {
	partition, number, ok := strings.Cut(text, "-")
	p, err1 := strconv.ParseInt(partition, 10, 32)
	n, err2 := strconv.ParseInt(number, 10, 64)
	if !ok || err1 != nil || err2 != nil {
		return DeliveryID{}, fmt.Errorf("delivery id %q is not \"partition-number\"", text)
	}
	return DeliveryID{Partition: int32(p), Number: n}, nil
}

// Compare orders ids by partition, then by number.
func (d DeliveryID) Compare(e DeliveryID) int {
	return Position{d.Partition, d.Number}.Compare(Position{e.Partition, e.Number})
}

// Instant is a point of a shard's clock: milliseconds since the Unix epoch. The clock of a span
// is its Kafka timestamp cut to whole seconds; deadlines and the shard's "now" are finer.
type Instant int64

// InstantOf converts a wall-clock time, cutting what is finer than a millisecond.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Seconds returns the instant that lies s seconds after the Unix epoch.
func Seconds(s int64) Instant { return Instant(s * 1000) }

// WholeSeconds returns the instant cut to whole seconds.
func (i Instant) WholeSeconds() Instant { return i - i%1000 }

// Add returns the instant d later, cutting what is finer than a millisecond.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Sub returns how much later i is than j.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i-j) * time.Millisecond }
