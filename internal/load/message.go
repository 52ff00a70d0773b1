package load

import (
	"encoding/binary"
	"math/bits"
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
	attributeStyles
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

// epoch is the second in which the first span begins, by what it says. That has nothing to do with the
// clock of the run: the system goes by the Kafka timestamp. A trace is all in one second, the next in
// the same or a later one.
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

// What all messages have in common, with digits where theirs come.
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
	// secondDigits are those of a time before its point.
	secondDigits = len(`1700000000`)
	startAt      = len(`,"start_timestamp":`)
	endAt        = startAt + timeDigits + len(`,"end_timestamp":`)
	receivedAt   = endAt + timeDigits + len(`,"received":`)
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
	l := s.layout(index == 0)
	start := len(dst)
	dst = append(append(dst, w.head...), l.text...)
	before := len(w.head)
	text := dst[start+before:]
	w.id = r.id(seq)
	w.parent = w.id
	putHex(text, w.id)
	if l.parentAt > 0 {
		w.parent = r.id(root + uint64(parent))
		putHex(text[l.parentAt:], w.parent)
	}
	w.putTimes(text[l.timesAt:], index)
	if l.flagTo > 0 {
		marks.FlagFrom, marks.FlagTo = before+l.flagFrom, before+l.flagTo
	}
	switch s.attributes {
	case styleAttributes:
		marks.AttributesFrom = before + len(l.text) - len(`{"seq":{"type":"integer","value":`)
		dst = appendNumber(dst, seq)
		dst = append(dst, `},"note":{"type":"string","value":"`...)
		dst = append(r.pad(dst, start, seq, len(`"}}}`)), `"}}}`...)
		marks.AttributesTo = len(dst) - start - len(`}`)
		return dst, marks
	case styleAttributesNull:
		marks.AttributesTo = before + len(l.text) - len(`,"note":"`)
		marks.AttributesFrom = marks.AttributesTo - len("null")
	}
	return append(r.pad(dst, start, seq, len(`"}`)), `"}`...), marks
}

// layout is what all messages of a style have from the digits of the span's id on, up to what is each
// one's own: appended whole and filled in, it takes a fraction of the time of its pieces.
type layout struct {
	text string
	// Where the digits of the parent's id stand, 0 for a root; the three times; and the value of
	// is_segment, unless flagTo is 0.
	parentAt, timesAt, flagFrom, flagTo int
}

// layouts are those of all styles, of roots and of other spans, by index of.
var layouts = func() (all [2 * stylesMax]layout) {
	for of := range all {
		root, s := of >= stylesMax, styleOf(of%stylesMax)
		l := &all[of]
		l.text = idText
		switch {
		case !root:
			l.parentAt = len(l.text) + parentAt
			l.text += parentText
		case s.nullParent:
			l.text += `,"parent_span_id":null`
		}
		if s.segment != styleSegmentAbsent {
			l.text += `,"is_segment":`
			l.flagFrom = len(l.text)
			if s.segment == styleSegmentGiven {
				l.text += strconv.FormatBool(root)
			} else {
				l.text += "null"
			}
			l.flagTo = len(l.text)
		}
		l.timesAt = len(l.text)
		l.text += timesText + names[s.name]
		switch s.attributes {
		case styleAttributes:
			l.text += `","attributes":{"seq":{"type":"integer","value":`
		case styleAttributesNull:
			l.text += `","attributes":null,"note":"`
		default:
			l.text += `","note":"`
		}
	}
	return all
}()

// layout returns that of a root's messages or another span's.
func (s style) layout(root bool) *layout {
	of := s.number()
	if root {
		of += stylesMax
	}
	return &layouts[of]
}

// stylesMax is how many styles there are.
const stylesMax = len(names) * segmentStyles * attributeStyles * 2

// number is the style's, less than stylesMax; styleOf is its inverse.
func (s style) number() int {
	of := (s.name*segmentStyles+s.segment)*attributeStyles + s.attributes
	if s.nullParent {
		return 2*of + 1
	}
	return 2 * of
}

func styleOf(number int) style {
	s := style{nullParent: number%2 == 1}
	number /= 2
	s.attributes, number = number%attributeStyles, number/attributeStyles
	s.segment, s.name = number%segmentStyles, number/segmentStyles
	return s
}

// putHex writes the 16 hex digits of a number.
func putHex(dst []byte, n uint64) {
	dst = dst[:idDigits]
	binary.LittleEndian.PutUint64(dst, eightHex(uint32(n>>32)))
	binary.LittleEndian.PutUint64(dst[8:], eightHex(uint32(n)))
}

// eightHex returns the eight hex digits of a number, the first in the lowest byte: its halves are moved
// apart, then the halves of those, until each digit has a byte.
func eightHex(n uint32) uint64 {
	const ones = 0x0101010101010101
	x := uint64(bits.ReverseBytes32(n))
	x = (x | x<<16) & 0x0000ffff0000ffff
	x = (x | x<<8) & 0x00ff00ff00ff00ff
	x = (x>>4 | x<<8) & (0x0f * ones)
	letters := (x + 6*ones) >> 4 & ones
	return x + '0'*ones + ('a'-'0'-10)*letters
}

// appendNumber appends the digits of a number: of one below 100 million eight at once, by halves, pairs
// and digits that are worked out beside each other.
func appendNumber(dst []byte, n uint64) []byte {
	const ones, most = 0x0101010101010101, 100_000_000
	if n-1 >= most-1 { // 0 has one digit, and not none
		return strconv.AppendUint(dst, n, 10)
	}
	x := n/10_000 | n%10_000<<32
	hundreds := x * 10_486 >> 20 & 0x0000007f0000007f
	x = hundreds | (x-100*hundreds)<<16
	tens := x * 103 >> 10 & 0x000f000f000f000f
	x = tens | (x-10*tens)<<8
	none := bits.TrailingZeros64(x) / 8
	dst = binary.LittleEndian.AppendUint64(dst, (x+'0'*ones)>>(8*none))
	return dst[:len(dst)-none]
}

// decimalPairs are the two digits of each number below 100.
var decimalPairs = func() (pairs [100]uint16) {
	for i := range pairs {
		pairs[i] = uint16('0'+i/10) | uint16('0'+i%10)<<8
	}
	return pairs
}()

// putTime writes a time of so many milliseconds after the epoch, in seconds of ten digits with three
// more behind the point.
func putTime(dst []byte, millis uint64) {
	putSeconds(dst, epoch+millis/1000)
	dst[secondDigits] = '.'
	part := millis % 1000
	putPair(dst[secondDigits+1:], part/10)
	dst[timeDigits-1] = byte('0' + part%10)
}

// putSeconds writes so many seconds, of ten digits.
func putSeconds(dst []byte, seconds uint64) {
	high, low := seconds/10_000%10_000, seconds%10_000
	putPair(dst[0:], seconds/100_000_000%100)
	putPair(dst[2:], high/100)
	putPair(dst[4:], high%100)
	putPair(dst[6:], low/100)
	putPair(dst[8:], low%100)
}

// A span begins at one of so many milliseconds of its trace's second, and ends 17 ms later, in the same.
const (
	millisMax = 900
	lasts     = 17
)

// putTimes writes the three times of a message, of which all but the milliseconds are the trace's.
func (w *Writer) putTimes(times []byte, index int) {
	millis := uint64(index) % millisMax
	w.putTime(times[startAt:], &w.begins, millis)
	w.putTime(times[endAt:], &w.begins, millis+lasts)
	w.putTime(times[receivedAt:], &w.received, millis)
}

func (w *Writer) putTime(text []byte, second *[secondDigits]byte, millis uint64) {
	text = text[:timeDigits]
	*(*[secondDigits]byte)(text) = *second
	tens := millis / 10
	putPair(text[secondDigits+1:], tens)
	text[timeDigits-1] = byte('0' + millis - 10*tens)
}

// putPair writes the two digits of a number below 100.
func putPair(dst []byte, n uint64) { binary.LittleEndian.PutUint16(dst, decimalPairs[n]) }

// bytes returns how many bytes the workload asks for in a span's message.
func (r *Recipe) bytes(seq uint64) int { return r.bytesBy(r.random(keyBytes, seq)) }

func (r *Recipe) bytesBy(random uint64) int {
	if r.evenly > 0 {
		return r.work.SpanBytes.Low + int(unit(random)*r.evenly)
	}
	return r.work.SpanBytes.At(unit(random))
}

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
