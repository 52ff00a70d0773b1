package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sluice/buffer"
)

// chunk checks how spans of given sizes are cut into chunks.
func (r *runner) chunk(s step) {
	var got [][]int
	for _, c := range buffer.Chunks(s.Sizes, buffer.Bytes(s.MaxBytes)) {
		var indexes []int
		for i := c[0]; i < c[1]; i++ {
			indexes = append(indexes, i)
		}
		got = append(got, indexes)
	}
	want := unmarshal[[][]int](r, s.Expect)
	if !slices.EqualFunc(got, want, slices.Equal) {
		r.errorf("chunks of %v at %d bytes are %v, want %v", s.Sizes, s.MaxBytes, got, want)
	}
	r.encodedChunks(s, want)
}

// encodedChunks checks the same on messages: all sizes and the limit are scaled alike, so that a
// whole span fits into the smallest.
func (r *runner) encodedChunks(s step, want [][]int) {
	const room = 600 // bytes, more than the smallest span takes when it is written
	scale := room/slices.Min(s.Sizes) + 1
	limit := buffer.Bytes(s.MaxBytes) * buffer.Bytes(scale)
	name := buffer.Generation{Segment: spanID("aaaaaaaaaaaaaaaa")}
	var spans []buffer.Span
	for i, size := range s.Sizes {
		c := caseSpan{SpanID: fmt.Sprintf("%016x", i+1), ParentSpanID: new(string)}
		span := c.span(0, int64(i))
		short := size*scale - len(r.written(name, []buffer.Span{span})[0].Spans[0])
		if short < 0 {
			r.fatalf("span %d takes %d bytes more than %d", i, -short, size*scale)
		}
		span.Payload = bytes.Replace(span.Payload, []byte(`"status":"ok`),
			[]byte(`"status":"ok`+strings.Repeat("x", short)), 1)
		spans = append(spans, span)
	}
	r.codec = r.subject.Codec(limit)
	seen := make(map[string]bool)
	next := 0
	for i, m := range r.written(name, spans) {
		if i >= len(want) || len(m.Spans) != len(want[i]) || next != want[i][0] {
			r.errorf("chunk %d has %d spans from %d on, want %v", i, len(m.Spans), next, want)
		}
		next += len(m.Spans)
		if m.SkipEnrichment != s.SkipEnrichment {
			r.errorf("chunk %d: skip_enrichment is %v", i, m.SkipEnrichment)
		}
		if len(m.FlushID) != 32 || seen[m.FlushID] {
			r.errorf("chunk %d: flush_id %q is not 32 digits of its own", i, m.FlushID)
		}
		seen[m.FlushID] = true
	}
	if next != len(spans) {
		r.errorf("%d of %d spans were written", next, len(spans))
	}
}

// message is an output message.
type message struct {
	FlushID        string            `json:"flush_id"`
	SkipEnrichment bool              `json:"skip_enrichment"`
	Spans          []json.RawMessage `json:"spans"`
}

func (r *runner) written(name buffer.Generation, spans []buffer.Span) []message {
	chunks, err := r.codec.Encode(name, spans)
	r.must(err)
	var messages []message
	for _, chunk := range chunks {
		messages = append(messages, unmarshal[message](r, chunk.Value))
	}
	return messages
}

// decode checks what becomes of a message.
func (r *runner) decode(s step) {
	want := unmarshal[string](r, s.Expect)
	if len(s.JSON) > 0 && s.JSON[0] == '"' { // a message that is no JSON object stands as a text
		s.JSON = json.RawMessage(unmarshal[string](r, s.JSON))
	}
	decoded, err := r.codec.Decode(s.JSON)
	got := "ok"
	if err != nil {
		got = "dlq"
	} else {
		decoded.Position.Partition = s.Partition
		rules, err := buffer.NewKillSwitch(s.KillSwitch)
		r.must(err)
		if _, dropped := rules.Match(decoded.Organization, &decoded.Span); dropped {
			got = "dropped"
		}
	}
	if got != want {
		r.errorf("message %s is %s (%v), want %s", s.JSON, got, err, want)
	}
	if got != "ok" {
		return
	}
	if s.IsSegment != nil && decoded.Root != *s.IsSegment {
		r.errorf("root is %v, want %v", decoded.Root, *s.IsSegment)
	}
	if string(decoded.Payload) != string(s.JSON) {
		r.errorf("payload is %q, not the message's own bytes", decoded.Payload)
	}
	if s.SegmentID != nil {
		r.segmentIDAfterDecode(s, decoded)
	}
}

// segmentIDAfterDecode checks the segment id through the effective parent, which is all that is
// kept of it.
func (r *runner) segmentIDAfterDecode(s step, decoded buffer.Decoded) {
	fields := unmarshal[struct {
		SpanID       string  `json:"span_id"`
		ParentSpanID *string `json:"parent_span_id"`
		IsSegment    *bool   `json:"is_segment"`
	}](r, s.JSON)
	links := buffer.Links{ID: spanID(fields.SpanID), HasParent: fields.ParentSpanID != nil,
		IsSegment: fields.IsSegment != nil && *fields.IsSegment}
	if fields.ParentSpanID != nil && *fields.ParentSpanID != "" {
		id := spanID(*fields.ParentSpanID)
		links.Parent = &id
	}
	if text := unmarshal[*string](r, s.SegmentID); text != nil {
		id := spanID(*text)
		links.Segment = &id
	}
	if want := links.EffectiveParent(); decoded.Parent != want {
		r.errorf("effective parent is %v, want %v", decoded.Parent, want)
	}
}

// shardMap checks which worker gets which shards.
func (r *runner) shardMap(s step) {
	got, err := r.subject.ShardMap(toShards(s.Shards), s.MaxProcesses)
	var word string
	if json.Unmarshal(s.Expect, &word) == nil {
		if word != "error" || err == nil {
			r.errorf("shards %v over %d: %v, %v; want %s", s.Shards, s.MaxProcesses, got, err, word)
		}
		return
	}
	r.must(err)
	want := unmarshal[map[string][]int32](r, s.Expect)
	if len(got) != len(want) {
		r.errorf("shards %v over %d: %v, want %v", s.Shards, s.MaxProcesses, got, want)
	}
	for worker, shards := range got {
		if !slices.Equal(shards, toShards(want[strconv.Itoa(worker)])) {
			r.errorf("worker %d has shards %v, want %v", worker, shards, want)
		}
	}
}
