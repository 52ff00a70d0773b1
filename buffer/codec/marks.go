package codec

import (
	"math"

	"sluice/buffer"
)

// places are where a payload is edited when it is written.
type places struct {
	// segment is where the segment attribute goes, in which form; noForm if the payload names one.
	segment extent
	form    form
	// flag is where the value of is_segment goes; if it is empty, the whole field.
	flag extent
}

// places finds them. The error is of attributes that are of a wrong type.
func (m *message) places() (at places, err error) {
	// A payload without fields gets its attributes before, so a new flag is always a further field.
	if at.flag = m.fields[isSegment]; at.flag.none() {
		at.flag = extent{m.closing, m.closing}
	}
	where := m.fields[attributes]
	if text := m.text(where); len(text) > 0 && text[0] != '{' && text[0] != 'n' {
		return at, wrong(fieldNames[attributes], "an object or null", text)
	}
	id, err := m.segmentID()
	switch {
	case err != nil:
		return at, err
	case !empty(id): // an existing value stays
		at.form = noForm
	case !m.segment.none():
		at.segment, at.form = m.segment, segmentValue
	case where.none() && m.bare:
		at.segment, at.form = extent{m.closing, m.closing}, firstAttributes
	case where.none():
		at.segment, at.form = extent{m.closing, m.closing}, furtherAttributes
	case m.data[where.from] == 'n':
		at.segment, at.form = where, attributesValue
	case m.bareAttributes:
		at.segment, at.form = extent{where.to - 1, where.to - 1}, firstSegment
	default:
		at.segment, at.form = extent{where.to - 1, where.to - 1}, furtherSegment
	}
	return at, nil
}

// How places are packed into marks: two offsets, then the form plus one (so that no marks are zero),
// and the lengths of what is replaced.
const (
	formBits   = 4
	flagBits   = 4
	flagMax    = 1<<flagBits - 1
	segmentMax = 1<<(32-formBits-flagBits) - 1
)

// pack returns the marks of places; none if they do not fit, which takes a payload of gigabytes.
func (at places) pack() buffer.Marks {
	flag, segment := at.flag.to-at.flag.from, at.segment.to-at.segment.from
	if uint64(max(at.flag.to, at.segment.to)) > math.MaxUint32 || flag > flagMax || segment > segmentMax {
		return buffer.Marks{}
	}
	return buffer.Marks{
		uint32(at.flag.from), uint32(at.segment.from),
		uint32(at.form+1) | uint32(flag)<<formBits | uint32(segment)<<(formBits+flagBits),
	}
}

// Marks returns what Decode notes on a span with a payload of so many bytes, for who has written it and
// knows where in it the value of is_segment stands, and that of the attributes: each from an offset to
// another, or 0 to 0 if there is none. The attributes are null, or an object of several bytes with members
// of which none names a segment; other fields come before both, and the last byte closes the payload.
func Marks(size int, flagFrom, flagTo, attributesFrom, attributesTo int) buffer.Marks {
	closing := extent{size - 1, size - 1}
	at := places{flag: extent{flagFrom, flagTo}}
	if at.flag.none() {
		at.flag = closing
	}
	switch attributes := (extent{attributesFrom, attributesTo}); {
	case attributes.none():
		at.segment, at.form = closing, furtherAttributes
	case attributesTo-attributesFrom == len("null"): // no object with members is as short
		at.segment, at.form = attributes, attributesValue
	default:
		at.segment, at.form = extent{attributesTo - 1, attributesTo - 1}, furtherSegment
	}
	return at.pack()
}

// unpack returns the places that are marked, and false if none are, or if a payload of that size cannot
// have them.
func unpack(marks buffer.Marks, size int) (at places, ok bool) {
	word := int(marks[2])
	if word == 0 {
		return at, false
	}
	at.form = form(word&(1<<formBits-1) - 1)
	at.flag = extent{int(marks[0]), int(marks[0]) + word>>formBits&flagMax}
	at.segment = extent{int(marks[1]), int(marks[1]) + word>>(formBits+flagBits)}
	return at, at.form <= noForm && max(at.flag.to, at.segment.to) < size
}

// holds tells whether the payload has in these places what can be there: if not, somebody has changed
// it since it was marked.
func (at places) holds(payload []byte) bool {
	switch text := payload[at.flag.from:at.flag.to]; string(text) {
	case "true", "false", "null":
	case "":
		if payload[at.flag.from] != '}' {
			return false
		}
	default:
		return false
	}
	next := payload[at.segment.from]
	switch at.form {
	case noForm:
		return true
	case segmentValue:
		return next == '{' || next == '"' || next == 'n'
	case attributesValue:
		return string(payload[at.segment.from:at.segment.to]) == "null"
	}
	return next == '}'
}
