package codec

import (
	"encoding/binary"

	"sluice/buffer"
)

// field is a field of a span that counts.
type field uint8

const (
	organizationID field = iota
	projectID
	traceID
	spanID
	parentSpanID
	isSegment
	startTimestamp
	endTimestamp
	received
	retentionDays
	status
	name
	attributes
	fieldCount
)

var fieldNames = [fieldCount]string{
	"organization_id", "project_id", "trace_id", "span_id", "parent_span_id", "is_segment",
	"start_timestamp", "end_timestamp", "received", "retention_days", "status", "name", "attributes",
}

// usualKey is a field's key as it is mostly written, with the colon: as words that the message is to
// have where the masks are set.
type usualKey struct {
	words, masks [keyWords]uint64
	size         int
}

// keyWords is how many words hold the longest key.
const keyWords = 3

var usual = func() (keys [fieldCount]usualKey) {
	for f := range keys {
		text := `"` + fieldNames[f] + `":`
		var key, mask [8 * keyWords]byte
		for i := range copy(key[:], text) {
			mask[i] = 0xff
		}
		keys[f].size = len(text)
		for w := range keyWords {
			keys[f].words[w] = binary.LittleEndian.Uint64(key[8*w:])
			keys[f].masks[w] = binary.LittleEndian.Uint64(mask[8*w:])
		}
	}
	return keys
}()

// behind returns where a message goes on behind the key, if it has it at pos, and some more bytes after
// it; else pos.
func (k *usualKey) behind(data []byte, pos int) int {
	rest := data[pos:]
	if len(rest) < 8*keyWords {
		return pos
	}
	a, b, c := binary.LittleEndian.Uint64(rest), binary.LittleEndian.Uint64(rest[8:]),
		binary.LittleEndian.Uint64(rest[16:])
	if (a^k.words[0])&k.masks[0]|(b^k.words[1])&k.masks[1]|(c^k.words[2])&k.masks[2] != 0 {
		return pos
	}
	return pos + k.size
}

// usualNext passes the key of one of the fields from f on, if one of the next few stands there as it is
// mostly written: then nobody needs to look for the key's end, or for its name.
func (m *message) usualNext(f field) (field, bool) {
	f, at := usualKeyAt(m.data, m.pos, f)
	if f == fieldCount {
		return f, false
	}
	m.pos = at
	m.peek()
	return f, true
}

// usualKeyAt returns which of the few fields from f on has its key there, and where the key ends; or
// fieldCount.
func usualKeyAt(data []byte, pos int, f field) (_ field, end int) {
	const few = 3 // two in a row may be absent
	for last := min(f+few, fieldCount); f < last; f++ {
		if end = usual[f].behind(data, pos); end > pos {
			return f, end
		}
	}
	return fieldCount, pos
}

// segmentAttribute is the attribute that names a span's segment.
const segmentAttribute = "sentry.segment.id"

// segmentName is how errors call it.
const segmentName = "attributes." + segmentAttribute

// fieldOf returns the field with that name, or fieldCount.
func fieldOf(key []byte) field {
	switch string(key) {
	case "organization_id":
		return organizationID
	case "project_id":
		return projectID
	case "trace_id":
		return traceID
	case "span_id":
		return spanID
	case "parent_span_id":
		return parentSpanID
	case "start_timestamp":
		return startTimestamp
	case "end_timestamp":
		return endTimestamp
	case "received":
		return received
	case "retention_days":
		return retentionDays
	case "status":
		return status
	case "name":
		return name
	case "is_segment":
		return isSegment
	case "attributes":
		return attributes
	}
	return fieldCount
}

// extent is where a value lies in a message: [from, to), or the zero value if there is none.
type extent struct{ from, to int }

func (e extent) none() bool { return e.to == 0 }

// message is a span's message, scanned: its grammar is right, and the last value of each field
// that counts is known.
type message struct {
	scanner
	fields [fieldCount + 1]extent
	// known has the bits of the fields that were read already, and are of the right type or null: trace, own
	// and above are the ids of the trace, the span and its parent, integers the organization's, the project's
	// and the retention.
	known      uint32
	trace      buffer.TraceID
	own, above buffer.SpanID
	integers   [projectID + 2]int64
	// segment is the value of the segment attribute in the last of the attributes.
	segment extent
	// closing is the offset of the bracket that ends the message's object.
	closing int
	// bare tells that the message's object is empty, bareAttributes that the attributes are.
	bare, bareAttributes bool
}

// text returns the bytes of a value, empty if there is none.
func (m *message) text(e extent) []byte { return m.data[e.from:e.to] }

// scan reads the message.
func (m *message) scan(data []byte) error {
	m.data = data
	if c := m.peek(); c != '{' {
		return m.noObject()
	}
	if !m.span() || !m.end() {
		return m.err()
	}
	return nil
}

// noObject is the error of a message that is something else, or nothing.
func (m *message) noObject() error {
	from := m.pos
	if !m.value() || !m.end() {
		return m.err()
	}
	return &Error{Reason: "is " + found(m.data[from:]) + ", want an object"}
}

// span passes the message's object.
func (m *message) span() bool {
	if !m.enter() {
		return false
	}
	if m.bare = m.peek() == '}'; m.bare {
		m.closing = m.pos
		return m.leave('}')
	}
	for next := m.usualFields(); ; {
		f, ok := m.usualNext(next)
		if !ok {
			key, ok := m.key()
			if !ok {
				return false
			}
			f = fieldOf(key)
		}
		if f != fieldCount {
			next = f + 1
		}
		if !m.field(f) {
			return false
		}
		if !m.comma() {
			m.closing = m.pos
			return m.leave('}')
		}
	}
}

// field passes the value of a field.
func (m *message) field(f field) bool {
	from := m.pos
	if f == attributes {
		m.segment = extent{}
	}
	m.known &^= 1 << f
	if end := m.idAt(f, from); end > from {
		m.pos = end
		m.known |= 1 << f
	} else if f == attributes && m.at('{') {
		if !m.attributes() {
			return false
		}
	} else if !m.value() {
		return false
	}
	m.fields[f] = extent{from, m.pos}
	return true
}

// idAt reads the value of a field that is an id, as it is mostly written, and returns where it ends; from
// if the field is none, or it is written otherwise.
func (m *message) idAt(f field, from int) (end int) {
	var dst []byte
	switch f {
	case traceID:
		dst = m.trace[:]
	case spanID:
		dst = m.own[:]
	case parentSpanID:
		dst = m.above[:]
	default:
		return from
	}
	end = from + len(`"`) + 2*len(dst)
	if end >= len(m.data) || m.data[from] != '"' || m.data[end] != '"' ||
		!buffer.DecodeHex(dst, m.data[from+len(`"`):end]) {
		return from
	}
	return end + len(`"`)
}

// attributes passes the attributes' object.
func (m *message) attributes() bool {
	if !m.enter() {
		return false
	}
	if m.bareAttributes = m.peek() == '}'; m.bareAttributes {
		return m.leave('}')
	}
	for {
		key, ok := m.key()
		if !ok {
			return false
		}
		from, segment := m.pos, string(key) == segmentAttribute
		if !m.typed() && !m.value() {
			return false
		}
		if segment {
			m.segment = extent{from, m.pos}
		}
		if !m.comma() {
			return m.leave('}')
		}
	}
}

// typed passes a value form as it is mostly written, {"type":"string","value":"..."}; false, and nothing
// passed, if none stands there.
func (m *message) typed() bool {
	pos, depth, escapes := m.pos, m.depth, m.escapes
	if m.depth < nestingMax && m.has(`{"type":"`) {
		m.depth++
		m.pos = plain(m.data, m.pos)
		if m.has(`","value":`) && m.value() && m.has(`}`) {
			m.depth--
			return true
		}
	}
	m.pos, m.depth, m.escapes = pos, depth, escapes
	return false
}

// has passes a text if it stands there.
func (m *message) has(text string) bool {
	if rest := m.data[m.pos:]; len(rest) < len(text) || string(rest[:len(text)]) != text {
		return false
	}
	m.pos += len(text)
	return true
}

// segmentID returns the string that the segment attribute holds, with its quotes; empty if there
// is none: absent, null, or a value form without a value or with null. The error is about an
// attribute of another type.
func (m *message) segmentID() ([]byte, error) {
	const want = `a string or {"type":"string","value":"..."}`
	if m.segment.none() {
		return nil, nil
	}
	text := m.text(m.segment)
	value := text
	if len(text) > 0 && text[0] == '{' {
		kind, held := m.valueForm()
		if k := m.text(kind); len(k) > 0 && k[0] != 'n' && !isString(k) {
			return nil, wrong(segmentName, want, text)
		}
		value = m.text(held)
	}
	switch {
	case len(value) == 0 || value[0] == 'n':
		return nil, nil
	case value[0] != '"':
		return nil, wrong(segmentName, want, text)
	}
	return value, nil
}

func isString(kind []byte) bool {
	return kind[0] == '"' && string(unescape(kind[1:len(kind)-1], new(buffered))) == "string"
}

// valueForm finds the type and the value in a segment attribute that is an object. Its grammar is
// known to be right.
func (m *message) valueForm() (kind, value extent) {
	s := scanner{data: m.data[:m.segment.to], pos: m.segment.from}
	s.enter()
	for s.peek() != '}' {
		key, _ := s.key()
		// Here the key is recognised first: its buffer is used again by keys inside the value.
		isType, isValue := string(key) == "type", string(key) == "value"
		from := s.pos
		s.value()
		if isType {
			kind = extent{from, s.pos}
		}
		if isValue {
			value = extent{from, s.pos}
		}
		s.comma()
	}
	return kind, value
}
