package codec

import "sluice/buffer"

// splice is what changes in a payload: the segment attribute and the flag.
type splice struct {
	at   places
	flag form // of what is written in the flag's place
	// marked is true if the places are as Decode has marked them, and nobody has looked yet whether the
	// payload holds there what it must.
	marked bool
	// size is the number of bytes of the span as it is written.
	size int
}

// form is what is written in a place: text, then the segment id if a tail follows, then the tail.
type form uint8

const (
	segmentValue      form = iota // the value of the segment attribute
	firstSegment                  // the attribute, as the only one
	furtherSegment                // the attribute, after others
	attributesValue               // the attributes, with that one
	firstAttributes               // the field with the attributes, as the only field
	furtherAttributes             // the field with the attributes, after others
	valueTrue                     // the value of is_segment
	valueFalse
	furtherTrue // the field is_segment, after others
	furtherFalse
	noForm // nothing is written
)

// The parts that forms are made of.
const (
	valueHead      = `{"type":"string","value":"`
	valueTail      = `"}`
	segmentHead    = `"` + segmentAttribute + `":` + valueHead
	attributesHead = `"attributes":{` + segmentHead
	flag           = `,"is_segment":`
	segmentDigits  = 2 * len(buffer.SpanID{})
)

var forms = [...]struct{ head, tail string }{
	segmentValue:      {valueHead, valueTail},
	firstSegment:      {segmentHead, valueTail},
	furtherSegment:    {"," + segmentHead, valueTail},
	attributesValue:   {"{" + segmentHead, valueTail + "}"},
	firstAttributes:   {attributesHead, valueTail + "}"},
	furtherAttributes: {"," + attributesHead, valueTail + "}"},
	valueTrue:         {"true", ""},
	valueFalse:        {"false", ""},
	furtherTrue:       {flag + "true", ""},
	furtherFalse:      {flag + "false", ""},
}

// size is the number of bytes that the form takes.
func (f form) size() int {
	size := len(forms[f].head) + len(forms[f].tail)
	if len(forms[f].tail) > 0 {
		size += segmentDigits
	}
	return size
}

// plan finds what must change in the span's payload: where Decode has marked it, if marks are to be
// trusted, else by a scan. It does not look into a payload that is marked: that takes as long as all
// else, for the bytes have mostly left the processor's caches.
func (s *splice) plan(span *buffer.Span, segment buffer.SpanID, trust bool) error {
	if span.Payload == nil {
		return ErrNoPayload
	}
	if s.at, s.marked = unpack(span.Marks, len(span.Payload)); !s.marked || !trust {
		var m message
		if err := m.scan(span.Payload); err != nil {
			return err
		}
		var err error
		if s.at, err = m.places(); err != nil {
			return err
		}
		s.marked = false
	}
	value, further := valueFalse, furtherFalse
	if span.IsSegment(segment) {
		value, further = valueTrue, furtherTrue
	}
	if s.flag = value; s.at.flag.from == s.at.flag.to {
		s.flag = further
	}
	s.size = len(span.Payload) + s.flag.size() - (s.at.flag.to - s.at.flag.from)
	if s.at.form != noForm {
		s.size += s.at.form.size() - (s.at.segment.to - s.at.segment.from)
	}
	return nil
}

// append writes the payload with what changes in it; id is the text form of the segment. It returns
// false if the payload does not hold what its marks say.
func (s *splice) append(dst, payload, id []byte) ([]byte, bool) {
	at := 0
	edit := func(where extent, f form) {
		dst = append(dst, payload[at:where.from]...)
		dst = append(dst, forms[f].head...)
		if tail := forms[f].tail; len(tail) > 0 {
			dst = append(dst, id...)
			dst = append(dst, tail...)
		}
		at = where.to
	}
	// Of two at the same place the attribute comes first.
	first := s.at.form != noForm && s.at.segment.from <= s.at.flag.from
	if first {
		edit(s.at.segment, s.at.form)
	}
	edit(s.at.flag, s.flag)
	if s.at.form != noForm && !first {
		edit(s.at.segment, s.at.form)
	}
	return append(dst, payload[at:]...), !s.marked || s.at.holds(payload)
}
