package load

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"sluice/buffer"
)

// A bad message is not a span, and belongs in the dead-letter topic. At most one follows each span,
// so the span's number is also that of the bad message, and every byte of it follows from the seed
// and that number, as with spans. Its key, which no trace has, tells which it is, whatever became
// of its value.

// badSpan is set in the number from which a bad message's span id is made, so that it is nobody's.
const badSpan = 1 << 63

// BadAfter tells whether a bad message follows the span.
func (r *Recipe) BadAfter(seq uint64) bool {
	share := r.work.Bad
	return share > 0 && unit(r.random(keyBad, seq)) < share
}

// BadKey returns the key of the bad message that follows a span, in the form of a trace id: a
// bijection of the span's number, and as many bits to check it by.
func (r *Recipe) BadKey(seq uint64) buffer.TraceID {
	var key buffer.TraceID
	binary.BigEndian.PutUint64(key[:8], mix(seq^r.key[keyBadKey]))
	binary.BigEndian.PutUint64(key[8:], r.random(keyBadCheck, seq))
	return key
}

// BadSeq is the inverse of BadKey; ok is false for a key that BadKey never returned.
func (r *Recipe) BadSeq(key buffer.TraceID) (seq uint64, ok bool) {
	seq = unmix(binary.BigEndian.Uint64(key[:8])) ^ r.key[keyBadKey]
	return seq, r.BadKey(seq) == key
}

// BadSpan returns the number of the span that a bad message follows, from the number that Seq gives
// for the message's own span id; ok is false for the id of a span.
func BadSpan(seq uint64) (after uint64, ok bool) { return seq &^ badSpan, seq&badSpan != 0 }

// required are the fields that a span must have, with the kind of their value.
var required = [...]struct {
	name string
	kind fieldKind
}{
	{"organization_id", fieldInteger}, {"project_id", fieldInteger}, {"trace_id", fieldText},
	{"span_id", fieldText}, {"start_timestamp", fieldNumber}, {"end_timestamp", fieldNumber},
	{"received", fieldNumber}, {"retention_days", fieldInteger}, {"status", fieldText},
}

const (
	fieldTrace = 2 // in required
	fieldSpan  = 3
)

type fieldKind int

const (
	fieldInteger fieldKind = iota
	fieldNumber
	fieldText
	fieldKinds
)

// mistyped are values that a field of that kind must not have.
var mistyped = [fieldKinds][4]string{
	fieldInteger: {`"7"`, `7.5`, `null`, `true`},
	fieldNumber:  {`"7"`, `{}`, `null`, `true`},
	fieldText:    {`7`, `[]`, `null`, `true`},
}

// noObjects are valid JSON, but no object.
var noObjects = [...]string{`null`, `17`, `"span"`, `[]`, `[{}]`}

// The kinds of bad messages.
const (
	badCut     = iota // a span that breaks off
	badNothing        // no bytes at all
	badNoSpan         // JSON, but no object
	badMissing        // a required field is missing
	badTyped          // a required field has a value of another type
	badID             // an id is too short, too long, or not of lower-case hex digits
	badKinds
)

// badDraw draws what is wrong with a bad message, from its own random bits.
type badDraw uint64

// below returns the next draw, which takes what the one before left.
func (d *badDraw) below(n int) int {
	drawn := uint64(*d) % uint64(n)
	*d /= badDraw(n)
	return int(drawn)
}

// badKind returns what is wrong with the bad message after a span, with which of the required
// fields, if it is one of them, and the draw for the rest.
func (r *Recipe) badKind(seq uint64) (kind, field int, draw badDraw) {
	draw = badDraw(r.random(keyBadKind, seq))
	switch kind = draw.below(badKinds); kind {
	case badID:
		field = fieldTrace + draw.below(fieldSpan-fieldTrace+1)
	case badMissing, badTyped:
		field = draw.below(len(required))
	}
	return kind, field, draw
}

// BadField returns the name of the field that is wrong in the bad message that follows a span, or ""
// if it is not one field.
func (r *Recipe) BadField(seq uint64) string {
	switch kind, field, _ := r.badKind(seq); kind {
	case badID, badMissing, badTyped:
		return required[field].name
	}
	return ""
}

// AppendBad appends the bad message that follows the span at that place in the trace with that
// root.
func (r *Recipe) AppendBad(dst []byte, root uint64, index int) []byte {
	seq := root + uint64(index)
	switch kind, field, draw := r.badKind(seq); kind {
	case badCut:
		start := len(dst)
		dst = r.Append(dst, root, index)
		return dst[:start+1+draw.below(len(dst)-start-1)]
	case badNothing:
		return dst
	case badNoSpan:
		return append(dst, noObjects[draw.below(len(noObjects))]...)
	case badID:
		id := r.badField(field, root, seq)
		return r.appendFields(dst, root, seq, field, spoil(id, draw.below(len(spoils))))
	case badMissing:
		return r.appendFields(dst, root, seq, field, "")
	default:
		values := mistyped[required[field].kind]
		return r.appendFields(dst, root, seq, field, values[draw.below(len(values))])
	}
}

// appendFields appends a span of the required fields and its parent, with one field's value
// replaced, or the field left out if the value is empty.
func (r *Recipe) appendFields(dst []byte, root, seq uint64, field int, value string) []byte {
	id := r.ID(seq)
	dst = append(dst, `{"parent_span_id":"`...)
	dst = append(hex.AppendEncode(dst, id[:]), '"')
	for i := range required {
		text := value
		if i != field {
			text = r.badField(i, root, seq)
		}
		if text != "" {
			dst = append(dst, `,"`...)
			dst = append(dst, required[i].name...)
			dst = append(dst, `":`...)
			dst = append(dst, text...)
		}
	}
	return append(dst, '}')
}

// badField returns what a required field would have been. The span belongs to the trace, below the
// one that it follows: were it taken for one, it would come out with them.
func (r *Recipe) badField(field int, root, seq uint64) string {
	switch field {
	case fieldTrace:
		return `"` + r.Trace(root).String() + `"`
	case fieldSpan:
		return `"` + r.ID(seq|badSpan).String() + `"`
	}
	switch required[field].kind {
	case fieldInteger:
		return strconv.FormatInt(int64(r.Project(root)), 10)
	case fieldNumber:
		var text [timeDigits]byte
		putTime(text[:], seq)
		return string(text[:])
	}
	return `"ok"`
}

// spoils turn the digits of an id into something that is not an id.
var spoils = [...]func(digits string) string{
	func(digits string) string { return digits[:len(digits)-1] },
	func(digits string) string { return digits + "0" },
	func(digits string) string { return "g" + digits[1:] },
	func(digits string) string { return "A" + digits[1:] },
	func(string) string { return "" },
	func(digits string) string { return hex.EncodeToString([]byte(digits)) },
}

func spoil(quoted string, how int) string {
	return `"` + spoils[how](quoted[1:len(quoted)-1]) + `"`
}
