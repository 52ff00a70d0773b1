package codec

import (
	"bytes"
	"strconv"

	"sluice/buffer"
)

// JSON reads and writes spans as JSON. It holds nothing but its limit, so it is safe for
// concurrent use, if the memory of [JSON.In] is.
type JSON struct {
	limit buffer.Bytes
	room  func(size int) []byte // nil: new memory
}

var (
	_ buffer.Decoder     = (*JSON)(nil)
	_ buffer.Encoder     = (*JSON)(nil)
	_ buffer.PartEncoder = (*JSON)(nil)

	_ buffer.BoundedEncoder = (*JSON)(nil)
)

// New returns a codec that writes a segment as several messages if its written spans sum up to
// more than limit; buffer.NoSegmentLimit never does.
func New(limit buffer.Bytes) *JSON { return &JSON{limit: limit} }

// In returns a codec that writes each message into memory that room returns: empty, and with a capacity
// of at least so many bytes.
func (c *JSON) In(room func(size int) []byte) *JSON { return &JSON{limit: c.limit, room: room} }

// Decode reads one span. The error is an *Error: the message is no JSON object, nests deeper than
// 9,998 levels, lacks a required field, or has a field of a wrong type or an id that is not
// lower-case hex digits of the right number.
//
// Integers are numbers without fraction and exponent that fit into 64 bits with a sign; the three
// times are numbers that fit into a float64. The name may be null as well as absent.
func (c *JSON) Decode(value []byte) (buffer.Decoded, error) {
	buffer.Touch(value)
	var r reader
	if err := r.scan(value); err != nil {
		return buffer.Decoded{}, err
	}
	decoded := buffer.Decoded{Span: buffer.Span{Size: len(value), Payload: value}}
	if !r.usualSpan(&decoded) {
		if r.read(&decoded); r.err != nil {
			return buffer.Decoded{}, r.err
		}
	}
	at, err := r.places()
	if err != nil {
		return buffer.Decoded{}, err
	}
	decoded.Marks = at.pack()
	return decoded, nil
}

// read reads all fields.
func (r *reader) read(d *buffer.Decoded) {
	d.Organization = r.integer(organizationID)
	d.Project = buffer.ProjectID(r.integer(projectID))
	r.id(traceID, d.Trace[:])
	links := r.links()
	r.number(startTimestamp)
	r.number(endTimestamp)
	r.number(received)
	r.integer(retentionDays)
	r.string(status)
	r.stringOrNull(name)
	d.ID, d.Parent, d.Root = links.ID, links.EffectiveParent(), links.Root()
}

// reader reads the fields of a message that was scanned, and keeps the first error.
type reader struct {
	message
	err error
	// parent and segment are what the links point to; here they need no allocation.
	parent, segment buffer.SpanID
}

// take returns the text of a field's value, and false if the field is absent.
func (r *reader) take(f field) ([]byte, bool) {
	text := r.text(r.fields[f])
	return text, len(text) > 0
}

func (r *reader) wrong(f field, want string) {
	if r.err == nil {
		r.err = wrong(fieldNames[f], want, r.text(r.fields[f]))
	}
}

// knows tells whether the field was read already.
func (r *reader) knows(f field) bool { return r.known&(1<<f) != 0 }

// null tells whether the field is absent or null.
func (r *reader) null(f field) bool {
	text, ok := r.take(f)
	return !ok || text[0] == 'n'
}

func (r *reader) integer(f field) int64 {
	if r.knows(f) {
		return r.integers[min(f, projectID+1)]
	}
	text, ok := r.take(f)
	if !ok {
		r.wrong(f, "an integer")
		return 0
	}
	n, ok := parseInt(text)
	if !ok {
		r.wrong(f, "an integer of 64 bits, without fraction and exponent")
	}
	return n
}

// digitsSafe is the number of digits that never overflow an int64.
const digitsSafe = 18

// parseInt reads a JSON value as an int64.
func parseInt(text []byte) (int64, bool) {
	digits := text
	if text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) > digitsSafe {
		n, err := strconv.ParseInt(string(text), 10, 64)
		return n, err == nil
	}
	n := int64(0)
	for _, c := range digits {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// shortMax is how long a number may be that is only too large for a float64 with an exponent: the largest
// has 309 digits.
const shortMax = 300

// number checks that a field is a number that fits into a float64.
func (r *reader) number(f field) {
	const want = "a number (an integer will do)"
	if r.knows(f) {
		return
	}
	text, ok := r.take(f)
	if !ok || text[0] != '-' && text[0]-'0' > 9 {
		r.wrong(f, want)
		return
	}
	exponent := r.exponents && (bytes.IndexByte(text, 'e') >= 0 || bytes.IndexByte(text, 'E') >= 0)
	if len(text) > shortMax || exponent {
		if _, err := strconv.ParseFloat(string(text), 64); err != nil {
			r.wrong(f, want+" that fits into a float64")
		}
	}
}

func (r *reader) string(f field) {
	if text, ok := r.take(f); !r.knows(f) && (!ok || text[0] != '"') {
		r.wrong(f, "a string")
	}
}

func (r *reader) stringOrNull(f field) {
	if text, _ := r.take(f); !r.null(f) && text[0] != '"' {
		r.wrong(f, "a string or null")
	}
}

// id reads lower-case hex digits, two for each byte of dst.
func (r *reader) id(f field, dst []byte) {
	if r.knows(f) {
		switch f {
		case traceID:
			copy(dst, r.trace[:])
		case spanID:
			copy(dst, r.own[:])
		default:
			copy(dst, r.above[:])
		}
		return
	}
	if text, ok := r.take(f); !ok || !parseID(dst, text) {
		r.wrong(f, idWanted(dst))
	}
}

func idWanted(dst []byte) string {
	return "a string of " + strconv.Itoa(2*len(dst)) + " lower-case hex digits"
}

// parseID reads a JSON value as an id.
func parseID(dst, text []byte) bool {
	if len(text) < 2 || text[0] != '"' {
		return false
	}
	var buf buffered
	digits := text[1 : len(text)-1]
	if len(digits) != 2*len(dst) {
		if digits = unescape(digits, &buf); len(digits) != 2*len(dst) {
			return false
		}
	}
	return buffer.DecodeHex(dst, digits)
}

// links reads the fields from which the span's place in its trace follows.
func (r *reader) links() (links buffer.Links) {
	r.id(spanID, links.ID[:])
	if !r.null(parentSpanID) {
		links.HasParent = true
		if text, _ := r.take(parentSpanID); !empty(text) {
			r.id(parentSpanID, r.parent[:])
			links.Parent = &r.parent
		}
	}
	if text, _ := r.take(isSegment); !r.null(isSegment) {
		links.IsSegment = text[0] == 't'
		if !links.IsSegment && text[0] != 'f' {
			r.wrong(isSegment, "true, false or null")
		}
	}
	if text, _ := r.take(attributes); !r.null(attributes) && text[0] != '{' {
		r.wrong(attributes, "an object or null")
	}
	if text := r.segmentID(); !empty(text) {
		links.Segment = &r.segment
		if !parseID(r.segment[:], text) && r.err == nil {
			r.err = wrong(segmentName, idWanted(r.segment[:]), text)
		}
	}
	return links
}

// segmentID returns the text of the segment attribute, nil if there is none.
func (r *reader) segmentID() []byte {
	text, err := r.message.segmentID()
	if err != nil && r.err == nil {
		r.err = err
	}
	return text
}

// empty tells whether a value is absent or an empty string.
func empty(text []byte) bool { return len(text) == 0 || string(text) == `""` }
