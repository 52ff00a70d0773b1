// Package benchload makes the loads that speed is measured with. W1 is 200,000 spans of 500 bytes in
// traces of 20 spans with random earlier parents, 200 traces at a time interleaved at random, in
// batches of 1,000; W2 is the mix of segments of all sizes that users have. Equal seeds give equal spans.
package benchload

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"

	"sluice/buffer"
)

// Workload says how many spans there are and of what kind. Partition is where they were read.
type Workload struct {
	Spans, SpansPerTrace, Interleaved, SpansPerBatch, SpanBytes int

	Seed      uint64
	Partition int32
	// Project of all spans.
	Project buffer.ProjectID
}

// W1 returns the workload with the figures above.
func W1(seed uint64) Workload {
	return Workload{
		Spans: 200_000, SpansPerTrace: 20, Interleaved: 200, SpansPerBatch: 1000, SpanBytes: 500,
		Seed: seed, Project: 1,
	}
}

// trace is a trace that is not complete yet.
type trace struct {
	id    buffer.TraceID
	spans []buffer.SpanID
}

// Batches returns the spans in the order in which they arrive. Their payloads are JSON objects
// with the fields that a span must have, filled up with hex digits of random bytes, which no
// compressor gets below half.
func (w Workload) Batches() [][]buffer.Span {
	random := rand.New(rand.NewChaCha8(keyOf(w.Seed)))
	open := make([]*trace, 0, w.Interleaved)
	begun, traces := 0, w.Spans/w.SpansPerTrace
	var batches [][]buffer.Span
	var batch []buffer.Span
	for n := 0; n < traces*w.SpansPerTrace; n++ {
		for len(open) < w.Interleaved && begun < traces {
			t := &trace{}
			fill(random, t.id[:])
			open = append(open, t)
			begun++
		}
		at := random.IntN(len(open))
		batch = append(batch, w.next(random, open[at], int64(n)))
		if len(open[at].spans) == w.SpansPerTrace {
			open[at] = open[len(open)-1]
			open = open[:len(open)-1]
		}
		if len(batch) == w.SpansPerBatch {
			batches = append(batches, batch)
			batch = make([]buffer.Span, 0, w.SpansPerBatch)
		}
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches
}

// next makes the trace's next span: the first is the root, the others have a random earlier parent.
func (w Workload) next(random *rand.Rand, t *trace, offset int64) buffer.Span {
	span := buffer.Span{
		TraceKey: buffer.TraceKey{Project: w.Project, Trace: t.id},
		Position: buffer.Position{Partition: w.Partition, Offset: offset},
	}
	fill(random, span.ID[:])
	parent := "null"
	if len(t.spans) == 0 {
		span.Parent, span.Root = span.ID, true
	} else {
		span.Parent = t.spans[random.IntN(len(t.spans))]
		parent = `"` + span.Parent.String() + `"`
	}
	t.spans = append(t.spans, span.ID)
	span.Payload = w.payload(random, span, parent)
	span.Size = len(span.Payload)
	return span
}

// payload is exactly SpanBytes long, unless its fixed part alone is longer.
func (w Workload) payload(random *rand.Rand, span buffer.Span, parent string) []byte {
	start := 1_700_000_000 + float64(span.Position.Offset)/1000
	text := fmt.Appendf(make([]byte, 0, w.SpanBytes),
		`{"organization_id":1,"project_id":%d,"trace_id":"%v","span_id":"%v","parent_span_id":%s,`+
			`"start_timestamp":%.3f,"end_timestamp":%.3f,"received":%.3f,"retention_days":90,`+
			`"status":"ok","name":"w1","attributes":{"fill":{"type":"string","value":"`,
		w.Project, span.Trace, span.ID, parent, start, start+0.01, start+0.02)
	const end = `"}}}`
	fillBytes := make([]byte, (max(0, w.SpanBytes-len(text)-len(end))+1)/2)
	fill(random, fillBytes)
	text = hex.AppendEncode(text, fillBytes)
	if over := len(text) + len(end) - w.SpanBytes; over > 0 {
		text = text[:len(text)-min(over, 2*len(fillBytes))]
	}
	return append(text, end...)
}

func keyOf(seed uint64) (key [32]byte) {
	binary.LittleEndian.PutUint64(key[:], seed)
	return key
}

func fill(random *rand.Rand, dst []byte) {
	var word [8]byte
	for len(dst) > 0 {
		binary.LittleEndian.PutUint64(word[:], random.Uint64())
		dst = dst[copy(dst, word[:]):]
	}
}
