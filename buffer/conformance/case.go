package conformance

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"sluice/buffer"
)

// Case is one case of a file.
type Case struct {
	Name    string
	Note    string
	Options caseOptions
	Permute bool
	Steps   []step
}

type caseOptions struct {
	Timeout          *float64 `json:"timeout"`
	RootTimeout      *float64 `json:"root_timeout"`
	MaxSegmentAge    *float64 `json:"max_segment_age"`
	MaxSegmentBytes  *int64   `json:"max_segment_bytes"`
	MaxFlushSegments *int     `json:"max_flush_segments"`
	Shards           []int32  `json:"shards"`
}

// step is one step of a case; Op says which fields count.
type step struct {
	Op  string
	Now float64

	Spans   []caseSpan
	Enqueue *bool

	Shards []int32
	ID     string
	Ack    *bool
	Expect json.RawMessage
	Flush  string

	MaxBytes       int64 `json:"max_bytes"`
	Sizes          []int
	SkipEnrichment bool `json:"skip_enrichment"`

	JSON       json.RawMessage
	KillSwitch []buffer.Rule `json:"killswitch"`
	Partition  int32
	IsSegment  *bool           `json:"is_segment"`
	SegmentID  json.RawMessage `json:"segment_id"`

	MaxProcesses int `json:"max_processes"`
}

type caseSpan struct {
	ProjectID    int64   `json:"project_id"`
	TraceID      string  `json:"trace_id"`
	SpanID       string  `json:"span_id"`
	ParentSpanID *string `json:"parent_span_id"`
	SegmentID    *string `json:"segment_id"`
	IsSegment    bool    `json:"is_segment"`
	PayloadBytes *int    `json:"payload_bytes"`
	Partition    *int32  `json:"partition"`
}

// expectedSegment is a segment that a flush must produce.
type expectedSegment struct {
	ProjectID   int64    `json:"project_id"`
	TraceID     string   `json:"trace_id"`
	Segment     string   `json:"segment_span_id"`
	SpanIDs     []string `json:"span_ids"`
	IsSegmentOf []string `json:"is_segment_of"`
}

// UnmarshalJSON refuses options that are not known: a case that was run without one of its options
// would say nothing.
func (o *caseOptions) UnmarshalJSON(text []byte) error {
	type plain caseOptions
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode((*plain)(o))
}

func (o caseOptions) buffer() buffer.Options {
	options := buffer.DefaultOptions()
	duration := func(dst *time.Duration, seconds *float64) {
		if seconds != nil {
			*dst = time.Duration(*seconds * float64(time.Second))
		}
	}
	duration(&options.Timeout, o.Timeout)
	duration(&options.RootTimeout, o.RootTimeout)
	duration(&options.MaxSegmentAge, o.MaxSegmentAge)
	if o.MaxSegmentBytes != nil {
		options.MaxSegmentBytes = buffer.Bytes(*o.MaxSegmentBytes)
	}
	return options
}

func (o caseOptions) maxFlushSegments() int {
	if o.MaxFlushSegments != nil {
		return *o.MaxFlushSegments
	}
	return 500
}

func (o caseOptions) shards() []buffer.Shard {
	if o.Shards == nil {
		return []buffer.Shard{0}
	}
	return toShards(o.Shards)
}

func toShards(numbers []int32) []buffer.Shard {
	shards := make([]buffer.Shard, len(numbers))
	for i, n := range numbers {
		shards[i] = buffer.Shard(n)
	}
	return shards
}

// spanID reads an id of a case. The cases use some that are not hex (a store takes ids as they
// come); those stand for ids that no hex one of a case is likely to be.
func spanID(text string) buffer.SpanID {
	if id, err := buffer.ParseSpanID(text); err == nil {
		return id
	}
	sum := sha256.Sum256([]byte(text))
	return buffer.SpanID(sum[:8])
}

func traceID(text string) buffer.TraceID {
	if id, err := buffer.ParseTraceID(text); err == nil {
		return id
	}
	sum := sha256.Sum256([]byte(text))
	return buffer.TraceID(sum[:16])
}

// defaultPayloadBytes is the size of a span that names none.
const defaultPayloadBytes = 100

// span returns the span as the decoder would have, with a payload in the input format. Its size is
// what the case says, not what the payload has.
func (c *caseSpan) span(partition int32, offset int64) buffer.Span {
	links := buffer.Links{
		ID: spanID(c.SpanID), HasParent: c.ParentSpanID != nil, IsSegment: c.IsSegment,
	}
	set := func(text *string) *buffer.SpanID {
		if text == nil || *text == "" {
			return nil
		}
		id := spanID(*text)
		return &id
	}
	links.Parent, links.Segment = set(c.ParentSpanID), set(c.SegmentID)
	span := buffer.Span{
		TraceKey: buffer.TraceKey{
			Project: buffer.ProjectID(c.ProjectID), Trace: traceID(c.TraceID),
		},
		ID:       links.ID,
		Parent:   links.EffectiveParent(),
		Root:     links.Root(),
		Size:     defaultPayloadBytes,
		Position: buffer.Position{Partition: partition, Offset: offset},
	}
	if c.PayloadBytes != nil {
		span.Size = *c.PayloadBytes
	}
	span.Payload = c.payload(span, links)
	return span
}

func (c *caseSpan) payload(span buffer.Span, links buffer.Links) []byte {
	fields := map[string]any{
		"organization_id": 1, "project_id": c.ProjectID,
		"trace_id": span.Trace.String(), "span_id": span.ID.String(),
		"start_timestamp": 1.5, "end_timestamp": 2, "received": 3,
		"retention_days": 90, "status": "ok",
	}
	if links.HasParent {
		fields["parent_span_id"] = ""
		if links.Parent != nil {
			fields["parent_span_id"] = hex.EncodeToString(links.Parent[:])
		}
	}
	if links.Segment != nil {
		fields["attributes"] = map[string]any{"sentry.segment.id": links.Segment.String()}
	}
	if c.IsSegment {
		fields["is_segment"] = true
	}
	payload, err := json.Marshal(fields)
	if err != nil {
		panic(err) // only strings and numbers are in there
	}
	return payload
}
