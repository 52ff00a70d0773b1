package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"sluice/buffer"
	"sluice/internal/load"
)

// segmentAttribute is the attribute that names a span's segment.
const segmentAttribute = "sentry.segment.id"

// envelope is what a record says about itself.
type envelope struct {
	flushID flushID
	segment buffer.SpanID
	trace   buffer.TraceID
	project buffer.ProjectID
	cutOff  cutOff
	// attribute is how the segment attribute of the record's spans must be written.
	attribute []byte
	// The trace and project of the root that was asked for last, if any was.
	ofRoot      bool
	root        uint64
	rootTrace   buffer.TraceID
	rootProject buffer.ProjectID
}

type cutOff int

const (
	cutOffUnknown cutOff = iota
	cutOffNo
	cutOffYes
)

// The usual record: these parts around the flush id and the spans.
const (
	recordHead   = `{"flush_id":"`
	recordMiddle = `","spans":`
	recordTail   = `}`
)

// split finds the flush id and the spans of a record, which it leaves in l.spans, and whether it
// says that enrichment is to be skipped.
func (l *Ledger) split(value []byte) (id []byte, skip bool, err error) {
	l.spans = l.spans[:0]
	const from = len(recordHead) + 2*len(flushID{})
	if n := len(value); n > from && bytes.HasPrefix(value, []byte(recordHead)) &&
		bytes.HasPrefix(value[from:], []byte(recordMiddle)) && value[n-1] == recordTail[0] {
		// The spans are taken apart without looking for their end first.
		if l.spans, err = elements(l.spans, value[from+len(recordMiddle):n-1]); err == nil {
			return value[len(recordHead):from], false, nil
		}
	}
	if l.fields[0], err = members(l.fields[0][:0], value); err != nil {
		return nil, false, err
	}
	for _, field := range l.fields[0] {
		switch string(field.key) {
		case "flush_id":
			id = bytes.Trim(field.value, `"`)
		case "spans":
			if l.spans, err = elements(l.spans[:0], field.value); err != nil {
				return nil, false, fmt.Errorf("spans: %w", err)
			}
		case "skip_enrichment":
			skip = string(field.value) == "true"
		default:
			return nil, false, fmt.Errorf("unknown field %q", field.key)
		}
	}
	return id, skip, nil
}

// unpack reads the envelope of a record, and leaves its spans in l.spans.
func (l *Ledger) unpack(r Record) (envelope, error) {
	var in envelope
	id, skip, err := l.split(r.Value)
	if err != nil {
		return in, err
	}
	if err := in.read(r.Headers); err != nil {
		return in, fmt.Errorf("headers: %w", err)
	}
	chunks := header(r.Headers, HeaderChunkCount)
	n, err := hex.Decode(in.flushID[:], id[:min(len(id), 2*len(in.flushID))])
	switch {
	case err != nil || n != len(in.flushID) || len(id) != 2*n:
		return in, fmt.Errorf("flush_id %q is not 32 hex digits", clip(id))
	case len(l.spans) == 0:
		return in, errors.New("there are no spans")
	case string(r.Key) != in.trace.String():
		return in, fmt.Errorf("key %q is not the trace id %v", r.Key, in.trace)
	case skip != (chunks != "1") && header(r.Headers, HeaderChunkPart) == "":
		return in, fmt.Errorf("skip_enrichment is %v in one of %s chunks", skip, chunks)
	}
	return in, nil
}

// read reads the headers.
func (in *envelope) read(headers []Header) error {
	var errs [4]error
	in.segment, errs[0] = buffer.ParseSpanID(header(headers, HeaderSegment))
	in.trace, errs[1] = buffer.ParseTraceID(header(headers, HeaderTrace))
	project, err := strconv.ParseInt(header(headers, HeaderProject), 10, 64)
	in.project, errs[2] = buffer.ProjectID(project), err
	_, errs[3] = buffer.ParseDeliveryID(header(headers, HeaderGeneration))
	in.attribute = fmt.Appendf(nil, `"%s":{"type":"string","value":"%v"}`, segmentAttribute,
		in.segment)
	return errors.Join(errs[:]...)
}

func header(headers []Header, key string) string {
	for _, h := range headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// compare checks a span that came out against the one that was sent: the same fields in the same
// order and the same bytes, but for is_segment and the segment attribute, which must be right.
func (l *Ledger) compare(value []byte, in *envelope, seq, root uint64) error {
	var marks load.Marks
	l.sentBuffer, marks = l.recipe.AppendMarked(l.sentBuffer[:0], root, int(seq-root))
	flag := strconv.AppendBool(nil, seq == root || l.recipe.ID(seq) == in.segment)
	if plainly(value, l.sentBuffer, marks, flag, in.attribute) {
		return nil
	}
	return l.compareFields(value, flag, in)
}

// compareFields is the long way of comparing, which takes any layout and says what is wrong.
func (l *Ledger) compareFields(value, flag []byte, in *envelope) error {
	var err error
	if l.fields[0], err = members(l.fields[0][:0], value); err != nil {
		return err
	}
	if l.fields[1], err = members(l.fields[1][:0], l.sentBuffer); err != nil {
		return err
	}
	got, isSegment, nested := without(l.fields[0], "is_segment", "attributes")
	want, _, sentNested := without(l.fields[1], "is_segment", "attributes")
	if err := same(got, want); err != nil {
		return err
	}
	if !bytes.Equal(isSegment, flag) {
		return fmt.Errorf("is_segment is %q, want %s", isSegment, flag)
	}
	return l.compareAttributes(nested, sentNested, in)
}

func (l *Ledger) compareAttributes(got, sent []byte, in *envelope) error {
	var err error
	if l.attributes[0], err = members(l.attributes[0][:0], got); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	l.attributes[1] = l.attributes[1][:0]
	if sent != nil && string(sent) != "null" {
		if l.attributes[1], err = members(l.attributes[1], sent); err != nil {
			return fmt.Errorf("attributes: %w", err)
		}
	}
	rest, segment, _ := without(l.attributes[0], segmentAttribute, "")
	if want := `{"type":"string","value":"` + in.segment.String() + `"}`; string(segment) != want {
		return fmt.Errorf("attribute %s is %s, want %s", segmentAttribute, clip(segment), want)
	}
	if err := same(rest, l.attributes[1]); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	return nil
}

// without takes two keys out of the list, in place, and returns their values. A key that stands
// there twice stays, and so is seen to be one too many.
func without(list []member, first, second string) (rest []member, a, b []byte) {
	rest = list[:0]
	for _, m := range list {
		switch key := string(m.key); {
		case key == first && a == nil:
			a = m.value
		case key == second && b == nil:
			b = m.value
		default:
			rest = append(rest, m)
		}
	}
	return rest, a, b
}

func same(got, want []member) error {
	for i, w := range want {
		if i >= len(got) {
			return fmt.Errorf("field %s is missing", w.key)
		}
		g := got[i]
		if !bytes.Equal(g.key, w.key) {
			return fmt.Errorf("field %s stands where %s was sent", g.key, w.key)
		}
		if !bytes.Equal(g.value, w.value) {
			return fmt.Errorf("field %s is %s, sent was %s", g.key, clip(g.value), clip(w.value))
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("field %s was not sent", got[len(want)].key)
	}
	return nil
}

// stringField returns the text of a top-level field, as it is written between its quotes.
func stringField(object []byte, key string) (string, bool) {
	at := blank(object, 0)
	if at == len(object) || object[at] != '{' {
		return "", false
	}
	for at++; at < len(object); {
		name, next, err := take(object, blank(object, at))
		if err != nil {
			return "", false
		}
		at = blank(object, next)
		if at == len(object) || object[at] != ':' {
			return "", false
		}
		value, next, err := take(object, blank(object, at+1))
		if err != nil {
			return "", false
		}
		if string(bytes.Trim(name, `"`)) == key && len(value) > 1 && value[0] == '"' {
			return string(value[1 : len(value)-1]), true
		}
		at = blank(object, next)
		if at < len(object) && object[at] == ',' {
			at++
		} else {
			return "", false
		}
	}
	return "", false
}
