package load

import (
	"encoding/binary"
	"strconv"

	"sluice/buffer"
)

// names are span names with what JSON has in store: escapes, quotes, letters beyond ASCII.
var names = [...]string{
	`GET /items/{id}`,
	`SELECT \"name\" FROM items WHERE id = $1`,
	`sök i Malmö`,
	`render \\templates\\list.html`,
	`\u2192 \u00fcberpr\u00fcfen {\"spans\":[1,2]}`,
	`cache.get`,
	`}]{[,:`,
	`a b`,
}

// A span's style says how it writes what may be written in several ways.
const (
	styleSegmentAbsent = iota
	styleSegmentNull
	styleSegmentGiven
	segmentStyles
)

const (
	styleAttributes       = iota // most spans
	styleAttributesNull          // and the padding is in a field that nobody knows
	styleAttributesAbsent        // likewise
)

type style struct {
	name, segment, attributes int
	nullParent                bool // a root says so instead of leaving the parent out
}

func (r *Recipe) style(seq uint64) style {
	random := r.random(keyStyle, seq)
	s := style{
		name:       int(random % uint64(len(names))),
		segment:    int(random >> 8 % segmentStyles),
		nullParent: random>>16&1 == 0,
	}
	switch random >> 24 % 16 {
	case 0:
		s.attributes = styleAttributesNull
	case 1:
		s.attributes = styleAttributesAbsent
	}
	return s
}

// epoch is the start time that the first span names. It has nothing to do with the clock of the
// run: the system goes by the Kafka timestamp.
const epoch = 1_700_000_000

// Marks are where in a message the fields stand that a flusher must set, as offsets from the
// message's first byte. A field that is not there has a To of 0.
type Marks struct {
	// FlagFrom and FlagTo bound the value of is_segment.
	FlagFrom, FlagTo int
	// AttributesFrom and AttributesTo bound the value of attributes: an object that is not empty,
	// or null.
	AttributesFrom, AttributesTo int
}

// Append appends the message of a span: the one at that place in the trace with that root. It has
// as many bytes as the workload asks for, or a little more if its fields need them.
func (r *Recipe) Append(dst []byte, root uint64, index int) []byte {
	dst, _ = r.AppendMarked(dst, root, index)
	return dst
}

// What all messages have in common, with digits where theirs come: appended whole and filled in, it
// takes a fraction of the time of its pieces.
const (
	headText   = `{"organization_id":1,"project_id":`
	traceText  = `,"trace_id":"0123456789abcdef0123456789abcdef","span_id":"`
	idText     = `0123456789abcdef"`
	parentText = `,"parent_span_id":"0123456789abcdef"`
	timesText  = `,"start_timestamp":1700000000.000,"end_timestamp":1700000000.000,` +
		`"received":1700000000.000,"retention_days":90,"status":"ok","name":"`
)

// Where the digits stand, and how many they are.
const (
	idDigits   = 2 * len(buffer.SpanID{})
	traceAt    = len(`,"trace_id":"`)
	parentAt   = len(parentText) - len(`"`) - idDigits
	timeDigits = len(`1700000000.000`)
	startAt    = len(`,"start_timestamp":`)
	endAt      = startAt + timeDigits + len(`,"end_timestamp":`)
	receivedAt = endAt + timeDigits + len(`,"received":`)
	// headMax is the most that a message has before the digits of the span's id.
	headMax = len(headText) + len("-9223372036854775808") + len(traceText)
)

// AppendMarked is Append, and tells where what stands.
func (r *Recipe) AppendMarked(dst []byte, root uint64, index int) ([]byte, Marks) {
	var w Writer
	var room [headMax]byte
	w.head = room[:0]
	w.Begin(r, root)
	parent := 0
	if index > 0 {
		parent = r.Parent(root, index)
	}
	return w.append(dst, index, parent)
}

// append appends the message of a span whose parent is at a place of the trace.
func (w *Writer) append(dst []byte, index, parent int) (_ []byte, marks Marks) {
	r, root := w.recipe, w.root
	seq := root + uint64(index)
	s := r.style(seq)
	start := len(dst)
	dst = append(dst, w.head...)
	dst = append(dst, idText...)
	putHex(dst[len(dst)-len(idText):], r.id(seq))
	switch {
	case index > 0:
		dst = append(dst, parentText...)
		putHex(dst[len(dst)-len(parentText)+parentAt:], r.id(root+uint64(parent)))
	case s.nullParent:
		dst = append(dst, `,"parent_span_id":null`...)
	}
	if s.segment != styleSegmentAbsent {
		flag := "null"
		if s.segment == styleSegmentGiven {
			flag = strconv.FormatBool(index == 0)
		}
		dst = append(dst, `,"is_segment":`...)
		marks.FlagFrom = len(dst) - start
		dst = append(dst, flag...)
		marks.FlagTo = len(dst) - start
	}
	dst = append(dst, timesText...)
	times := dst[len(dst)-len(timesText):]
	putTimes(times, seq)
	dst = append(dst, names[s.name]...)
	switch s.attributes {
	case styleAttributes:
		dst = append(dst, `","attributes":{"seq":{"type":"integer","value":`...)
		marks.AttributesFrom = len(dst) - start - len(`{"seq":{"type":"integer","value":`)
		dst = strconv.AppendUint(dst, seq, 10)
		dst = append(dst, `},"note":{"type":"string","value":"`...)
		dst = append(r.pad(dst, start, seq, len(`"}}}`)), `"}}}`...)
		marks.AttributesTo = len(dst) - start - len(`}`)
		return dst, marks
	case styleAttributesNull:
		dst = append(dst, `","attributes":null,"note":"`...)
		marks.AttributesTo = len(dst) - start - len(`,"note":"`)
		marks.AttributesFrom = marks.AttributesTo - len("null")
	default:
		dst = append(dst, `","note":"`...)
	}
	return append(r.pad(dst, start, seq, len(`"}`)), `"}`...), marks
}

// hexPairs are the two digits of each byte.
var hexPairs = func() (pairs [256]uint16) {
	const digits = "0123456789abcdef"
	for i := range pairs {
		pairs[i] = uint16(digits[i>>4]) | uint16(digits[i&15])<<8
	}
	return pairs
}()

// putHex writes the 16 hex digits of a number.
func putHex(dst []byte, n uint64) {
	dst = dst[:idDigits]
	for i := range idDigits / 2 {
		binary.LittleEndian.PutUint16(dst[2*i:], hexPairs[n>>(56-8*i)&0xff])
	}
}

// decimalPairs are the two digits of each number below 100.
var decimalPairs = func() (pairs [100]uint16) {
	for i := range pairs {
		pairs[i] = uint16('0'+i/10) | uint16('0'+i%10)<<8
	}
	return pairs
}()

// putTime writes a time of so many milliseconds after the epoch, in seconds of ten digits with three
// more behind the point. They suffice for eight trillion spans. Digits go in pairs, none of which
// waits for the one before.
func putTime(dst []byte, millis uint64) {
	dst = dst[:timeDigits]
	seconds := epoch + millis/1000
	high, low := seconds/10_000%10_000, seconds%10_000
	putPair(dst[0:], seconds/100_000_000%100)
	putPair(dst[2:], high/100)
	putPair(dst[4:], high%100)
	putPair(dst[6:], low/100)
	putPair(dst[8:], low%100)
	dst[10] = '.'
	part := millis % 1000
	putPair(dst[11:], part/10)
	dst[13] = byte('0' + part%10)
}

// putTimes writes the three times of a message. That a span ends 17 ms after its start, and is
// received 4 s after it, seldom changes more than the last digits.
func putTimes(times []byte, millis uint64) {
	start := times[startAt : startAt+timeDigits]
	putTime(start, millis)
	end, received := times[endAt:endAt+timeDigits], times[receivedAt:receivedAt+timeDigits]
	if part := millis%1000 + 17; part < 1000 {
		copy(end, start)
		putPair(end[11:], part/10)
		end[13] = byte('0' + part%10)
	} else {
		putTime(end, millis+17)
	}
	copy(received, start)
	if received[9] += 4; received[9] > '9' {
		putTime(received, millis+4000)
	}
}

// putPair writes the two digits of a number below 100.
func putPair(dst []byte, n uint64) { binary.LittleEndian.PutUint16(dst, decimalPairs[n]) }

// bytes returns how many bytes the workload asks for in a span's message.
func (r *Recipe) bytes(seq uint64) int { return r.bytesBy(r.random(keyBytes, seq)) }

func (r *Recipe) bytesBy(random uint64) int { return r.work.SpanBytes.At(unit(random)) }

// pad fills the message, which began at start and lacks its last few bytes, up to its size.
func (r *Recipe) pad(dst []byte, start int, seq uint64, lacking int) []byte {
	random := r.random(keyBytes, seq)
	for missing := r.bytesBy(random) - (len(dst) - start) - lacking; missing > 0; random++ {
		from := int(below(mix(random), uint64(len(r.padding))))
		n := min(missing, len(r.padding)-from)
		dst = append(dst, r.padding[from:from+n]...)
		missing -= n
	}
	return dst
}
