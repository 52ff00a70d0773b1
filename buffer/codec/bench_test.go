package codec

import (
	"encoding/json"
	"testing"

	"sluice/buffer"
	"sluice/internal/benchload"
)

// spans500 are spans of 500 bytes: the workload that speed is measured with, in one segment of 20.
func spans500() []buffer.Span {
	load := benchload.W1(1)
	load.Spans, load.Interleaved = 20, 1
	return load.Batches()[0]
}

// rich is a span of the kind that SDKs send: many short attributes in place of one long one.
const rich = `{"organization_id":1,"project_id":42,"trace_id":"0123456789abcdef0123456789abcdef",` +
	`"span_id":"0123456789abcdef","parent_span_id":"fedcba9876543210","name":"GET /api/0",` +
	`"start_timestamp":1700000000.123456,"end_timestamp":1700000000.323456,` +
	`"received":1700000001.5,"retention_days":90,"status":"ok","is_segment":false,"attributes":{` +
	`"sentry.op":{"type":"string","value":"http.client"},` +
	`"http.status_code":{"type":"integer","value":200},` +
	`"server.address":{"type":"string","value":"10.0.0.1"}}}`

// BenchmarkDecode has encoding/json's mere check of the grammar beside it, as the measure of the
// machine.
func BenchmarkDecode(b *testing.B) {
	codec := New(0)
	for _, message := range []struct {
		name  string
		value []byte
	}{{"w1", spans500()[1].Payload}, {"rich", []byte(rich)}} {
		b.Run(message.name, func(b *testing.B) {
			b.SetBytes(int64(len(message.value)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := codec.Decode(message.value); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(message.name+"-json.Valid", func(b *testing.B) {
			b.SetBytes(int64(len(message.value)))
			for b.Loop() {
				if !json.Valid(message.value) {
					b.Fatal("no JSON")
				}
			}
		})
	}
}

// marked are the spans as Decode leaves them.
func marked(spans []buffer.Span) []buffer.Span {
	for i := range spans {
		spans[i] = must(New(0).Decode(spans[i].Payload)).Span
	}
	return spans
}

// BenchmarkEncode writes spans with marks, and spans that must be scanned for want of them.
func BenchmarkEncode(b *testing.B) {
	codec := New(10 << 20)
	richSpans := make([]buffer.Span, 20)
	for i := range richSpans {
		richSpans[i].Payload = []byte(rich)
	}
	for _, segment := range []struct {
		name  string
		spans []buffer.Span
	}{{"w1", spans500()}, {"rich", richSpans}, {"w1-marked", marked(spans500())}} {
		b.Run(segment.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := codec.Encode(buffer.Generation{}, segment.spans); err != nil {
					b.Fatal(err)
				}
			}
			written := float64(b.N * len(segment.spans))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/written, "ns/span")
		})
	}
}
