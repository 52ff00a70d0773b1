package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"

	"sluice/buffer"
)

// The dumb twins of Decode and Encode: they read the message with encoding/json.

var (
	hex16 = regexp.MustCompile(`^[0-9a-f]{16}$`)
	hex32 = regexp.MustCompile(`^[0-9a-f]{32}$`)

	errTwin = errors.New("twin: refused")
)

// depthOf is how deep valid JSON nests.
func depthOf(value []byte) (deepest int) {
	depth, inside := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case inside && c == '\\':
			i++
		case c == '"':
			inside = !inside
		case inside:
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return deepest
}

// tree reads a message that is an object into a tree.
func tree(value []byte) (map[string]any, error) {
	if !json.Valid(value) || depthOf(value) > nestingMax {
		return nil, errTwin
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var node any
	if err := decoder.Decode(&node); err != nil {
		return nil, err
	}
	fields, ok := node.(map[string]any)
	if !ok {
		return nil, errTwin
	}
	return fields, nil
}

// treeReader reads fields from a tree; bad is set by any fault.
type treeReader struct {
	fields map[string]any
	bad    bool
}

func (r *treeReader) integer(field string) int64 {
	number, _ := r.fields[field].(json.Number)
	n, err := strconv.ParseInt(number.String(), 10, 64)
	r.bad = r.bad || err != nil
	return n
}

func (r *treeReader) number(field string) {
	number, _ := r.fields[field].(json.Number)
	_, err := number.Float64()
	r.bad = r.bad || err != nil
}

func (r *treeReader) text(field string, mayBeNull bool) string {
	text, ok := r.fields[field].(string)
	r.bad = r.bad || !ok && !(mayBeNull && r.fields[field] == nil)
	return text
}

func (r *treeReader) id(text string) *buffer.SpanID {
	if text == "" {
		return nil
	}
	id, err := buffer.ParseSpanID(text)
	r.bad = r.bad || err != nil || !hex16.MatchString(text)
	return &id
}

// segment is the segment attribute, empty if there is none.
func (r *treeReader) segment() string {
	attributes, ok := r.fields["attributes"].(map[string]any)
	r.bad = r.bad || !ok && r.fields["attributes"] != nil
	value := attributes[segmentAttribute]
	if form, ok := value.(map[string]any); ok {
		kind, ok := form["type"].(string)
		r.bad = r.bad || form["type"] != nil && (!ok || kind != "string")
		value = form["value"]
	}
	text, ok := value.(string)
	r.bad = r.bad || !ok && value != nil
	return text
}

// twinDecode is Decode.
func twinDecode(value []byte) (buffer.Decoded, error) {
	var d buffer.Decoded
	fields, err := tree(value)
	if err != nil {
		return d, err
	}
	r := treeReader{fields: fields}
	d.Payload, d.Size = value, len(value)
	d.Organization = r.integer("organization_id")
	d.Project = buffer.ProjectID(r.integer("project_id"))
	r.integer("retention_days")
	for _, field := range []string{"start_timestamp", "end_timestamp", "received"} {
		r.number(field)
	}
	r.text("status", false)
	r.text("name", true)
	trace := r.text("trace_id", false)
	if d.Trace, err = buffer.ParseTraceID(trace); err != nil || !hex32.MatchString(trace) {
		return d, errTwin
	}
	id := r.id(r.text("span_id", false))
	if id == nil {
		return d, errTwin
	}
	links := buffer.Links{ID: *id, HasParent: fields["parent_span_id"] != nil}
	links.Parent = r.id(r.text("parent_span_id", true))
	links.Segment = r.id(r.segment())
	flag, ok := fields["is_segment"].(bool)
	r.bad = r.bad || !ok && fields["is_segment"] != nil
	links.IsSegment = flag
	d.ID, d.Parent, d.Root = links.ID, links.EffectiveParent(), links.Root()
	if r.bad {
		return d, errTwin
	}
	return d, nil
}

// member is a member of an object and where its value lies.
type member struct {
	found    bool
	from, to int
}

// members finds the last members with these names in the object at value[from:], the offset of
// its closing bracket, and whether it is empty.
func members(value []byte, from int, names ...string) (found []member, closing int, empty bool) {
	found = make([]member, len(names))
	empty = true
	decoder := json.NewDecoder(bytes.NewReader(value[from:]))
	must(decoder.Token())
	for decoder.More() {
		empty = false
		key := must(decoder.Token())
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			panic(err)
		}
		to := from + int(decoder.InputOffset())
		for i, name := range names {
			if key == name {
				found[i] = member{true, to - len(raw), to}
			}
		}
	}
	must(decoder.Token())
	return found, from + int(decoder.InputOffset()) - 1, empty
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// twinSpan is how a span that Decode accepts is written.
func twinSpan(span buffer.Span, segment buffer.SpanID) string {
	value := setAttribute(string(span.Payload), segment)
	flag := strconv.FormatBool(span.ID == segment || span.Root)
	found, closing, _ := members([]byte(value), 0, "is_segment")
	if at := found[0]; at.found {
		return value[:at.from] + flag + value[at.to:]
	}
	return value[:closing] + `,"is_segment":` + flag + value[closing:]
}

func setAttribute(value string, segment buffer.SpanID) string {
	form := `{"type":"string","value":"` + segment.String() + `"}`
	attribute := `"sentry.segment.id":` + form
	found, closing, _ := members([]byte(value), 0, "attributes")
	at := found[0]
	switch {
	case !at.found:
		return value[:closing] + `,"attributes":{` + attribute + `}` + value[closing:]
	case value[at.from] == 'n':
		return value[:at.from] + "{" + attribute + "}" + value[at.to:]
	}
	r := treeReader{fields: must(tree([]byte(value)))}
	if r.segment() != "" {
		return value
	}
	found, closing, empty := members([]byte(value), at.from, segmentAttribute)
	switch old := found[0]; {
	case old.found:
		return value[:old.from] + form + value[old.to:]
	case empty:
		return value[:closing] + attribute + value[closing:]
	}
	return value[:closing] + "," + attribute + value[closing:]
}
