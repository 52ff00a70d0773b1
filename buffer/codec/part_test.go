package codec

import (
	"strings"
	"testing"

	"sluice/buffer"
)

func TestEncodePartIsMarkedAsAPart(t *testing.T) {
	span := buffer.Span{ID: buffer.SpanID{1}, Payload: []byte(`{"span_id":"0100000000000000"}`)}
	g := buffer.Generation{Segment: span.ID}
	c := New(buffer.NoSegmentLimit)
	whole, err := c.Encode(g, []buffer.Span{span})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.EncodePart(g, []buffer.Span{span})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(whole[0].Value), `"spans":`, `"skip_enrichment":true,"spans":`, 1)
	if got := string(part[0].Value); len(part) != 1 || got != want {
		t.Errorf("part\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(string(whole[0].Value), "skip_enrichment") {
		t.Errorf("whole segment is marked as a part: %s", whole[0].Value)
	}
}
