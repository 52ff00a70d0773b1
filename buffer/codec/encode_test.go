package codec

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/buffer"
)

var (
	segmentB = must(buffer.ParseSpanID("bbbbbbbbbbbbbbbb"))
	spanA    = must(buffer.ParseSpanID("aaaaaaaaaaaaaaaa"))
	formB    = `{"type":"string","value":"bbbbbbbbbbbbbbbb"}`
)

// spliced are payloads of span aaaaaaaaaaaaaaaa in the segment bbbbbbbbbbbbbbbb, and how they are
// written; FORM stands for the value form of the segment's id.
var spliced = []struct{ name, payload, want string }{
	{"no attributes, no flag", `{"a":1}`,
		`{"a":1,"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"no fields", `{ }`, `{ "attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"null attributes", `{"attributes": null ,"a":1}`,
		`{"attributes": {"sentry.segment.id":FORM} ,"a":1,"is_segment":false}`},
	{"empty attributes", `{"attributes":{ },"a":1}`,
		`{"attributes":{ "sentry.segment.id":FORM},"a":1,"is_segment":false}`},
	{"other attributes", `{"attributes":{"x":{"type":"integer","value":1} } }`,
		`{"attributes":{"x":{"type":"integer","value":1} ,` +
			`"sentry.segment.id":FORM} ,"is_segment":false}`},
	{"another segment stays", `{"attributes":{"sentry.segment.id":{"value":"cccccccccccccccc"}}}`,
		`{"attributes":{"sentry.segment.id":{"value":"cccccccccccccccc"}},"is_segment":false}`},
	{"a plain one stays", `{"attributes":{"sentry.segment.id":"x"}}`,
		`{"attributes":{"sentry.segment.id":"x"},"is_segment":false}`},
	{"empty segment", `{"attributes":{"sentry.segment.id":"","x":1}}`,
		`{"attributes":{"sentry.segment.id":FORM,"x":1},"is_segment":false}`},
	{"null segment", `{"attributes":{"sentry.segment.id":null}}`,
		`{"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"segment with an empty value",
		`{"attributes":{"sentry.segment.id":{"type":"string","value":""}}}`,
		`{"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"segment with a null value", `{"attributes":{"sentry.segment.id":{"value":null}}}`,
		`{"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"segment without a value", `{"attributes":{"sentry.segment.id":{}}}`,
		`{"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"the last segment counts", `{"attributes":{"sentry.segment.id":"x","sentry.segment.id":""}}`,
		`{"attributes":{"sentry.segment.id":"x","sentry.segment.id":FORM},"is_segment":false}`},
	{"the last attributes count", `{"attributes":{"sentry.segment.id":"x"},"attributes":{}}`,
		`{"attributes":{"sentry.segment.id":"x"},"attributes":{"sentry.segment.id":FORM},` +
			`"is_segment":false}`},
	{"the last flag counts", `{"is_segment":true,"attributes":null,"is_segment":true}`,
		`{"is_segment":true,"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"flag before attributes", `{"is_segment" : null , "attributes":{}}`,
		`{"is_segment" : false , "attributes":{"sentry.segment.id":FORM}}`},
	{"flag behind attributes", `{"attributes":{},"is_segment":false}`,
		`{"attributes":{"sentry.segment.id":FORM},"is_segment":false}`},
	{"escaped keys", `{"is\u005fsegment":true,"\u0061ttributes":{"sentry\u002esegment.id":""}}`,
		`{"is\u005fsegment":false,"\u0061ttributes":{"sentry\u002esegment.id":FORM}}`},
	{"keys of the same name further down", `{"x":{"is_segment":true,"attributes":null}}`,
		`{"x":{"is_segment":true,"attributes":null},"attributes":{"sentry.segment.id":FORM},` +
			`"is_segment":false}`},
	{"white space and odd bytes stay", " \n{ \"x\" : [ 1 ,\t2.50e+1 ] , \"y\":\"\\u0041\xff\"\r}\n",
		" \n{ \"x\" : [ 1 ,\t2.50e+1 ] , \"y\":\"\\u0041\xff\"\r" +
			",\"attributes\":{\"sentry.segment.id\":FORM},\"is_segment\":false}\n"},
}

// encode writes spans as one message and returns what stands between the brackets of its spans.
func encode(t *testing.T, segment buffer.SpanID, spans ...buffer.Span) string {
	t.Helper()
	chunks, err := New(buffer.NoSegmentLimit).Encode(buffer.Generation{Segment: segment}, spans)
	if err != nil {
		t.Fatal(err)
	}
	if len(chunks) != 1 || chunks[0].Index != 0 || chunks[0].Count != 1 {
		t.Fatalf("%d chunks, want one, of one", len(chunks))
	}
	value := string(chunks[0].Value)
	value, head := strings.CutPrefix(value, `{"flush_id":"`+chunks[0].FlushID+`","spans":[`)
	value, tail := strings.CutSuffix(value, `]}`)
	if !head || !tail {
		t.Fatalf("the message is %s", chunks[0].Value)
	}
	return value
}

func TestEncodeSplices(t *testing.T) {
	for _, c := range spliced {
		t.Run(c.name, func(t *testing.T) {
			want := strings.ReplaceAll(c.want, "FORM", formB)
			span := buffer.Span{ID: spanA, Payload: []byte(c.payload)}
			if got := encode(t, segmentB, span); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := encode(t, segmentB, span, span); got != want+","+want {
				t.Errorf("twice: got %s", got)
			}
			if string(span.Payload) != c.payload {
				t.Errorf("the payload was changed to %s", span.Payload)
			}
		})
	}
}

func TestEncodeFlagsTheHeadAndTrueRoots(t *testing.T) {
	cases := []struct {
		name string
		span buffer.Span
		want bool
	}{
		{"member", buffer.Span{ID: spanA}, false},
		{"head", buffer.Span{ID: segmentB}, true},
		{"root in a segment that was cut off", buffer.Span{ID: spanA, Root: true}, true},
	}
	for _, c := range cases {
		for _, payload := range []string{`{}`, `{"is_segment":true}`, `{"is_segment":false}`} {
			c.span.Payload = []byte(payload)
			var got struct {
				IsSegment *bool `json:"is_segment"`
			}
			if err := json.Unmarshal([]byte(encode(t, segmentB, c.span)), &got); err != nil {
				t.Fatal(err)
			}
			if got.IsSegment == nil || *got.IsSegment != c.want {
				t.Errorf("%s, %s: is_segment is %v, want %v", c.name, payload, got.IsSegment, c.want)
			}
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	cases := []struct{ name, payload, want string }{
		{"no JSON", `{"a":`, "message ends after 5 bytes, want a value"},
		{"no object", `[]`, "message is [], want an object"},
		{"attributes", `{"attributes":[1]}`, "field attributes is [1], want an object or null"},
		{"segment", `{"attributes":{"sentry.segment.id":5}}`,
			"field attributes.sentry.segment.id is 5, " + wantSegment},
	}
	name := buffer.Generation{Segment: segmentB}
	const where = "encode span aaaaaaaaaaaaaaaa of segment bbbbbbbbbbbbbbbb, " +
		"trace 00000000000000000000000000000000, read at 3@7: "
	span := buffer.Span{ID: spanA, Position: buffer.Position{Partition: 3, Offset: 7}}
	for _, c := range cases {
		span.Payload = []byte(c.payload)
		_, err := New(0).Encode(name, []buffer.Span{span})
		if err == nil || err.Error() != where+c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, where+c.want)
		}
		if _, typed := errors.AsType[*Error](err); !typed {
			t.Errorf("%s: the error is %T, want a wrapped *Error", c.name, err)
		}
	}
	span.Payload = nil
	if _, err := New(0).Encode(name, []buffer.Span{span}); !errors.Is(err, ErrNoPayload) {
		t.Errorf("got %v, want ErrNoPayload", err)
	}
	if _, err := New(0).Encode(name, nil); !errors.Is(err, ErrNoSpans) {
		t.Errorf("got %v, want ErrNoSpans", err)
	}
}

func TestEncodeChunks(t *testing.T) {
	spans := make([]buffer.Span, 5)
	for i := range spans {
		binary.BigEndian.PutUint64(spans[i].ID[:], uint64(i+1))
		spans[i].Payload = []byte(with("name", `"x"`))
	}
	size := len(encode(t, segmentB, spans[0]))
	cases := []struct {
		name    string
		limit   int
		want    []int // spans per chunk
		chunked bool
	}{
		{"off", 0, []int{5}, false},
		{"just enough", 5 * size, []int{5}, false},
		{"one byte short", 5*size - 1, []int{4, 1}, true},
		{"two each", 2*size + 1, []int{2, 2, 1}, true},
		{"too small for one", size - 1, []int{1, 1, 1, 1, 1}, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := buffer.Generation{Segment: segmentB, ID: buffer.DeliveryID{Number: 1}}
			codec := New(buffer.Bytes(c.limit))
			chunks := must(codec.Encode(g, spans))
			g.ID.Number = 2
			if again := must(codec.Encode(g, spans)); !reflect.DeepEqual(chunks, again) {
				t.Error("the same spans in another generation are written otherwise")
			}
			next, flushIDs := 0, make(map[string]bool)
			for i, chunk := range chunks {
				checkChunk(t, g, chunk, c.chunked)
				if chunk.Index != i || chunk.Count != len(c.want) || len(chunk.Spans) != c.want[i] ||
					&chunk.Spans[0] != &spans[next] {
					t.Fatalf("chunk %d of %d with %d spans, want %v",
						chunk.Index, chunk.Count, len(chunk.Spans), c.want)
				}
				flushIDs[chunk.FlushID] = true
				next += len(chunk.Spans)
			}
			if next != len(spans) || len(flushIDs) != len(chunks) {
				t.Errorf("%d spans in chunks of %d ids, want %d in %d",
					next, len(flushIDs), len(spans), len(chunks))
			}
		})
	}
}

// checkChunk checks a message against the chunk that it belongs to, and its spans against the twin.
func checkChunk(t *testing.T, g buffer.Generation, chunk buffer.Chunk, chunked bool) {
	t.Helper()
	var got struct {
		FlushID        string            `json:"flush_id"`
		SkipEnrichment *bool             `json:"skip_enrichment"`
		Spans          []json.RawMessage `json:"spans"`
	}
	if err := json.Unmarshal(chunk.Value, &got); err != nil {
		t.Fatalf("%v in %s", err, chunk.Value)
	}
	if cap(chunk.Value) > len(chunk.Value)+len(chunk.Value)/8+16 {
		t.Errorf("a message of %d bytes was made in a buffer of %d", len(chunk.Value), cap(chunk.Value))
	}
	if got.FlushID != chunk.FlushID || got.FlushID != buffer.FlushID(g, chunk.Index, chunk.Spans, chunked) {
		t.Errorf("flush_id is %q, the chunk's is %q", got.FlushID, chunk.FlushID)
	}
	if (got.SkipEnrichment != nil) != chunked || chunked && !*got.SkipEnrichment {
		t.Errorf("skip_enrichment is %v, chunked is %v", got.SkipEnrichment, chunked)
	}
	if len(got.Spans) != len(chunk.Spans) {
		t.Fatalf("%d spans in the message, %d in the chunk", len(got.Spans), len(chunk.Spans))
	}
	for i, span := range chunk.Spans {
		if want := strings.TrimSpace(twinSpan(span, g.Segment)); string(got.Spans[i]) != want {
			t.Errorf("span %d:\ngot  %s\nwant %s", i, got.Spans[i], want)
		}
	}
}

// checkSpan checks that a written span means the same as its payload but for the two fields.
func checkSpan(t *testing.T, span buffer.Span, segment buffer.SpanID, written []byte) {
	t.Helper()
	before, after := must(tree(span.Payload)), must(tree(written))
	if after["is_segment"] != span.IsSegment(segment) {
		t.Errorf("is_segment is %v in %s", after["is_segment"], written)
	}
	want := (&treeReader{fields: before}).segment()
	if want == "" {
		want = segment.String()
	}
	if got := (&treeReader{fields: after}).segment(); got != want {
		t.Errorf("the segment is %q, want %q, in %s", got, want, written)
	}
	for _, fields := range []map[string]any{before, after} {
		delete(fields, "is_segment")
		attributes, _ := fields["attributes"].(map[string]any)
		delete(attributes, segmentAttribute)
		if len(attributes) == 0 {
			delete(fields, "attributes")
		}
	}
	if !reflect.DeepEqual(before, after) {
		t.Errorf("other fields changed: %v is now %v", before, after)
	}
}

// FuzzEncode writes whatever Decode accepts, and compares the message with the twin's and with
// the payload.
func FuzzEncode(f *testing.F) {
	for i, c := range accepted {
		addShort(f, c.message, uint64(i), false, int64(i*100))
	}
	for _, c := range spliced {
		if fields, ok := strings.CutPrefix(strings.TrimSpace(c.payload), "{"); ok {
			whole := strings.TrimSuffix(written(whole()), "}")
			addShort(f, whole+","+fields, uint64(1), true, int64(0))
		}
	}
	f.Fuzz(func(t *testing.T, value []byte, segment uint64, headed bool, limit int64) {
		decoded, err := New(0).Decode(value)
		if err != nil {
			return
		}
		var g buffer.Generation
		binary.BigEndian.PutUint64(g.Segment[:], segment)
		if headed {
			g.Segment = decoded.ID
		}
		spans := []buffer.Span{decoded.Span, decoded.Span}
		codec := New(buffer.Bytes(max(0, limit)))
		size := 2 * len(encode(t, g.Segment, decoded.Span))
		chunks, err := codec.Encode(g, spans)
		if err != nil {
			t.Fatal(err)
		}
		for _, chunk := range chunks {
			if !json.Valid(chunk.Value) {
				t.Fatalf("the message is no JSON: %s", chunk.Value)
			}
			checkChunk(t, g, chunk, limit > 0 && int64(size) > limit)
		}
		marked := encode(t, g.Segment, decoded.Span)
		checkSpan(t, decoded.Span, g.Segment, []byte(marked))
		if at, ok := unpack(decoded.Marks, len(value)); !ok || !at.holds(value) {
			t.Errorf("%v are no marks of %q", decoded.Marks, value)
		}
		decoded.Marks = buffer.Marks{}
		if scanned := encode(t, g.Segment, decoded.Span); scanned != marked {
			t.Errorf("with marks it is written\n%s\nwithout\n%s", marked, scanned)
		}
	})
}

// TestMarksOfAnotherPayload are not believed where they cannot be right.
func TestMarksOfAnotherPayload(t *testing.T) {
	for _, message := range []string{
		with("is_segment", "false"), with("is_segment", "null"), with("name", `"x"`),
		with("attributes", "null"), with("attributes", "{}"), with("attributes", `{"a":1}`),
		with("attributes", `{"sentry.segment.id":null}`),
	} {
		decoded := must(New(0).Decode([]byte(message)))
		for _, change := range []func() string{
			func() string { return " " + message },
			func() string { return strings.Replace(message, `"ok"`, `"not ok"`, 1) },
			func() string { return message[:len(message)-1] + `,"more":1}` },
			func() string { return message[:len(message)-1] + `,"is_segment":false}` },
		} {
			span := decoded.Span
			span.Payload = []byte(change())
			got := encode(t, segmentB, span)
			span.Marks = buffer.Marks{}
			want := encode(t, segmentB, span)
			if got != want {
				t.Errorf("with marks of %s it is written\n%s\nwithout\n%s", message, got, want)
			}
			// Just as large as it may be: what the marks say of its size is not believed either.
			limited := New(buffer.Bytes(len(want)))
			whole := must(limited.Encode(buffer.Generation{Segment: segmentB}, []buffer.Span{span}))
			span.Marks = decoded.Marks
			marked := must(limited.Encode(buffer.Generation{Segment: segmentB}, []buffer.Span{span}))
			if diff := cmp.Diff(whole[0].Value, marked[0].Value); diff != "" {
				t.Errorf("with marks of %s it is written with a limit\n%s", message, diff)
			}
		}
	}
}
