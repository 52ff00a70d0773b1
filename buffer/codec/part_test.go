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
	// Under an id of its own: the same spans may come once more as a whole segment.
	if part[0].FlushID == whole[0].FlushID {
		t.Errorf("both have the flush_id %s", part[0].FlushID)
	}
	want := strings.Replace(string(whole[0].Value), `"spans":`, `"skip_enrichment":true,"spans":`, 1)
	want = strings.Replace(want, whole[0].FlushID, part[0].FlushID, 1)
	if got := string(part[0].Value); len(part) != 1 || got != want {
		t.Errorf("part\n%s\nwant\n%s", got, want)
	}
	if strings.Contains(string(whole[0].Value), "skip_enrichment") {
		t.Errorf("whole segment is marked as a part: %s", whole[0].Value)
	}
}

// What is left out is what would be larger, to the byte; a single span is written all the same.
func TestEncodeWithinLeavesOutWhatIsTooLarge(t *testing.T) {
	spans := make([]buffer.Span, 5)
	for i := range spans {
		spans[i] = buffer.Span{ID: buffer.SpanID{byte(i)}, Payload: []byte(`{"span_id":"0100000000000000"}`)}
	}
	g := buffer.Generation{Segment: spans[0].ID}
	for _, limit := range []buffer.Bytes{buffer.NoSegmentLimit, 400} {
		c := New(limit)
		for _, part := range []bool{false, true} {
			all, err := c.Encode(g, spans)
			if part {
				all, err = c.EncodePart(g, spans)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, most := range []int{len(all[0].Value), len(all[0].Value) - 1} {
				got, err := c.EncodeWithin(g, spans, part, most)
				if err != nil || len(got) != len(all) {
					t.Fatalf("%d chunks, %v, want %d", len(got), err, len(all))
				}
				for i := range all {
					want := all[i]
					if len(want.Value) > most && len(want.Spans) > 1 {
						want.FlushID, want.Value = "", nil
					}
					if got[i].FlushID != want.FlushID || string(got[i].Value) != string(want.Value) ||
						len(got[i].Spans) != len(want.Spans) || got[i].Index != want.Index ||
						got[i].Count != want.Count {
						t.Errorf("limit %d, part %v, most %d: chunk %d is %+v, want %+v", limit, part, most, i,
							got[i], want)
					}
				}
			}
		}
	}
	if alone, err := New(buffer.NoSegmentLimit).EncodeWithin(g, spans[:1], false, 1); err != nil ||
		len(alone[0].Value) == 0 {
		t.Errorf("a single span is left out: %+v, %v", alone, err)
	}
}
