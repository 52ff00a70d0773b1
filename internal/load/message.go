package load

import (
	"encoding/hex"
	"strconv"
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

// AppendMarked is Append, and tells where what stands.
func (r *Recipe) AppendMarked(dst []byte, root uint64, index int) (_ []byte, marks Marks) {
	seq := root + uint64(index)
	s := r.style(seq)
	start := len(dst)
	dst = append(dst, `{"organization_id":1,"project_id":`...)
	dst = strconv.AppendInt(dst, int64(r.Project(root)), 10)
	dst = append(dst, `,"trace_id":"`...)
	trace := r.Trace(root)
	dst = hex.AppendEncode(dst, trace[:])
	dst = append(dst, `","span_id":"`...)
	dst = r.appendID(dst, seq)
	switch {
	case index > 0:
		dst = append(dst, `","parent_span_id":"`...)
		dst = r.appendID(dst, root+uint64(r.Parent(root, index)))
		dst = append(dst, '"')
	case s.nullParent:
		dst = append(dst, `","parent_span_id":null`...)
	default:
		dst = append(dst, '"')
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
	dst = appendTime(dst, `,"start_timestamp":`, seq)
	dst = appendTime(dst, `,"end_timestamp":`, seq+17)
	dst = appendTime(dst, `,"received":`, seq+4000)
	dst = append(dst, `,"retention_days":90,"status":"ok","name":"`...)
	dst = append(dst, names[s.name]...)
	dst = append(dst, '"')
	switch s.attributes {
	case styleAttributes:
		dst = append(dst, `,"attributes":`...)
		marks.AttributesFrom = len(dst) - start
		dst = append(dst, `{"seq":{"type":"integer","value":`...)
		dst = strconv.AppendUint(dst, seq, 10)
		dst = append(dst, `},"note":{"type":"string","value":"`...)
		dst = append(r.pad(dst, start, seq, len(`"}}}`)), `"}}`...)
		marks.AttributesTo = len(dst) - start
		return append(dst, '}'), marks
	case styleAttributesNull:
		dst = append(dst, `,"attributes":`...)
		marks.AttributesFrom = len(dst) - start
		dst = append(dst, "null"...)
		marks.AttributesTo = len(dst) - start
	}
	dst = append(dst, `,"note":"`...)
	return append(r.pad(dst, start, seq, len(`"}`)), `"}`...), marks
}

func (r *Recipe) appendID(dst []byte, seq uint64) []byte {
	id := r.ID(seq)
	return hex.AppendEncode(dst, id[:])
}

// appendTime writes a time of so many milliseconds after the epoch, in seconds.
func appendTime(dst []byte, field string, millis uint64) []byte {
	dst = append(dst, field...)
	dst = strconv.AppendUint(dst, epoch+millis/1000, 10)
	rest := millis % 1000
	return append(dst, '.', byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10))
}

// pad fills the message, which began at start and lacks its last few bytes, up to its size.
func (r *Recipe) pad(dst []byte, start int, seq uint64, lacking int) []byte {
	random := r.random(keyBytes, seq)
	missing := r.work.SpanBytes.At(unit(random)) - (len(dst) - start) - lacking
	for missing > 0 {
		from := int(below(mix(random), uint64(len(r.padding))))
		n := min(missing, len(r.padding)-from)
		dst = append(dst, r.padding[from:from+n]...)
		missing -= n
		random++
	}
	return dst
}
