package codec_test

import (
	"bytes"
	"testing"

	"sluice/buffer"
	"sluice/buffer/codec"
)

// TestIn writes into memory that is given, byte by byte what a codec without it writes, whatever was there
// before.
func TestIn(t *testing.T) {
	span := []byte(`{"organization_id":1,"project_id":2,"trace_id":"000102030405060708090a0b0c0d0e0f",` +
		`"span_id":"0001020304050607","start_timestamp":1,"end_timestamp":2,"received":3,` +
		`"retention_days":90,"status":"ok"}`)
	asked := 0
	memory := bytes.Repeat([]byte("x"), 4096)
	plain := codec.New(buffer.NoSegmentLimit)
	in := plain.In(func(size int) []byte {
		asked = size
		return memory[:0]
	})
	d, err := in.Decode(span)
	if err != nil {
		t.Fatal(err)
	}
	g := buffer.Generation{TraceKey: d.TraceKey, Segment: d.ID, ID: buffer.DeliveryID{Number: 1}}
	want, err := plain.Encode(g, []buffer.Span{d.Span, d.Span})
	if err != nil {
		t.Fatal(err)
	}
	got, err := in.Encode(g, []buffer.Span{d.Span, d.Span})
	if err != nil || len(got) != 1 {
		t.Fatal(got, err)
	}
	if !bytes.Equal(got[0].Value, want[0].Value) || &got[0].Value[0] != &memory[0] || asked != len(want[0].Value) {
		t.Errorf("%d bytes were asked for\n%s\nwant\n%s", asked, got[0].Value, want[0].Value)
	}
}
