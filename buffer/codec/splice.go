package codec

import "sluice/buffer"

// splice is what changes in a payload: at most two edits, in the order of their offsets.
type splice struct {
	edits [2]edit
	count int
	// size is the number of bytes of the span as it is written.
	size int
}

// edit replaces the bytes [from, to) of a payload by what the form says.
type edit struct {
	from, to int
	form     form
}

// form is what an edit writes: text, then the segment id if a tail follows, then the tail.
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

// plan finds what must change in the span's payload: where Decode has marked it, else by a scan.
func (s *splice) plan(span *buffer.Span, segment buffer.SpanID) error {
	if span.Payload == nil {
		return ErrNoPayload
	}
	at, marked := unpack(span.Marks, span.Payload)
	if !marked {
		var m message
		if err := m.scan(span.Payload); err != nil {
			return err
		}
		var err error
		if at, err = m.places(); err != nil {
			return err
		}
	}
	s.size = len(span.Payload)
	if at.form != noForm {
		s.add(at.segment, at.form)
	}
	value, further := valueFalse, furtherFalse
	if span.IsSegment(segment) {
		value, further = valueTrue, furtherTrue
	}
	if at.flag.from == at.flag.to {
		value = further
	}
	s.add(at.flag, value)
	return nil
}

// add puts an edit in its place; of two at the same place the one added first comes first.
func (s *splice) add(where extent, f form) {
	s.size += f.size() - (where.to - where.from)
	s.edits[s.count] = edit{where.from, where.to, f}
	if s.count == 1 && where.from < s.edits[0].from {
		s.edits[0], s.edits[1] = s.edits[1], s.edits[0]
	}
	s.count++
}

// append writes the payload with its edits; id is the text form of the segment.
func (s *splice) append(dst, payload, id []byte) []byte {
	at := 0
	for _, e := range s.edits[:s.count] {
		dst = append(dst, payload[at:e.from]...)
		dst = append(dst, forms[e.form].head...)
		if tail := forms[e.form].tail; len(tail) > 0 {
			dst = append(dst, id...)
			dst = append(dst, tail...)
		}
		at = e.to
	}
	return append(dst, payload[at:]...)
}
