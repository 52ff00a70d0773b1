package benchload

import (
	"encoding/json"
	"reflect"
	"testing"

	"sluice/buffer"
)

func small(seed uint64) Workload {
	w := W1(seed)
	w.Spans = 4000
	return w
}

func TestBatchesAreW1(t *testing.T) {
	w := small(1)
	traces := make(map[buffer.TraceID][]buffer.SpanID)
	for n, batch := range w.Batches() {
		if len(batch) != w.SpansPerBatch {
			t.Errorf("batch %d has %d spans, want %d", n, len(batch), w.SpansPerBatch)
		}
		for i := range batch {
			span := &batch[i]
			if len(span.Payload) != w.SpanBytes || span.Size != w.SpanBytes {
				t.Fatalf("span has %d bytes, size %d: want %d",
					len(span.Payload), span.Size, w.SpanBytes)
			}
			checkPayload(t, span)
			before := traces[span.Trace]
			switch {
			case len(before) == 0:
				if !span.Root || span.Parent != span.ID {
					t.Fatalf("the first span of a trace is no root: %+v", span)
				}
			case span.Root:
				t.Fatalf("a later span is a root: %+v", span)
			default:
				known := false
				for _, id := range before {
					known = known || id == span.Parent
				}
				if !known {
					t.Fatalf("the parent of %v did not come before it", span.ID)
				}
			}
			traces[span.Trace] = append(before, span.ID)
		}
	}
	if want := w.Spans / w.SpansPerTrace; len(traces) != want {
		t.Errorf("%d traces, want %d", len(traces), want)
	}
	for id, spans := range traces {
		if len(spans) != w.SpansPerTrace {
			t.Errorf("trace %v has %d spans, want %d", id, len(spans), w.SpansPerTrace)
		}
	}
}

func checkPayload(t *testing.T, span *buffer.Span) {
	t.Helper()
	var fields struct {
		TraceID string  `json:"trace_id"`
		SpanID  string  `json:"span_id"`
		Parent  *string `json:"parent_span_id"`
	}
	if err := json.Unmarshal(span.Payload, &fields); err != nil {
		t.Fatalf("payload %s: %v", span.Payload, err)
	}
	if fields.TraceID != span.Trace.String() || fields.SpanID != span.ID.String() {
		t.Errorf("payload %s is not of span %v", span.Payload, span.ID)
	}
	if root := fields.Parent == nil; root != span.Root {
		t.Errorf("payload %s: root is %v, want %v", span.Payload, root, span.Root)
	}
}

func TestSeedsRepeat(t *testing.T) {
	a, b, other := small(1).Batches(), small(1).Batches(), small(2).Batches()
	if !reflect.DeepEqual(a, b) {
		t.Error("equal seeds give different spans")
	}
	if reflect.DeepEqual(a, other) {
		t.Error("different seeds give equal spans")
	}
}
