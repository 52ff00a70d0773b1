package buffer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"testing"
)

func TestFlushIDIsTheDocumentedHash(t *testing.T) {
	g := Generation{TraceKey: TraceKey{Project: -2, Trace: TraceID{15: 3}}, Segment: SpanID{7: 4}}
	spans := []Span{{ID: SpanID{7: 5}}, {ID: SpanID{0: 6}}}
	const layout = "fffffffffffffffe" + "00000000000000000000000000000003" + "0000000000000004" +
		"0000000000000001" + "0000000000000005" + "0600000000000000"
	content, err := hex.DecodeString(layout)
	if err != nil {
		t.Fatal(err)
	}
	for skip, content := range map[bool][]byte{false: content, true: append(content, 1)} {
		sum := sha256.Sum256(content)
		if got, want := FlushID(g, 1, spans, skip), hex.EncodeToString(sum[:16]); got != want {
			t.Errorf("enrichment skipped %v: got %s, want %s", skip, got, want)
		}
	}
	// The text form is what consumers have seen, so it must never change.
	if got, want := FlushID(Generation{}, 0, nil, false), "2c34ce1df23b838c5abf2a7f6437cca3"; got != want {
		t.Errorf("of nothing: got %s, want %s", got, want)
	}
}

func TestFlushIDNamesContent(t *testing.T) {
	g := Generation{TraceKey: TraceKey{Project: 1, Trace: TraceID{1}}, Segment: SpanID{1}}
	spans := make([]Span, 300) // more than fit into the buffer on the stack
	for i := range spans {
		binary.BigEndian.PutUint64(spans[i].ID[:], uint64(i))
	}
	want := FlushID(g, 0, spans, false)
	same := g
	same.ID = DeliveryID{Partition: 1, Number: 2}
	if got := FlushID(same, 0, spans, false); got != want {
		t.Errorf("another generation of the same content is %s, want %s", got, want)
	}
	project, trace, segment := g, g, g
	project.Project++
	trace.Trace[15]++
	segment.Segment[7]++
	swapped := append([]Span{spans[1], spans[0]}, spans[2:]...)
	others := map[string]string{
		"project": FlushID(project, 0, spans, false), "trace": FlushID(trace, 0, spans, false),
		"segment": FlushID(segment, 0, spans, false), "chunk": FlushID(g, 1, spans, false),
		"order": FlushID(g, 0, swapped, false), "one span less": FlushID(g, 0, spans[:299], false),
		"to be enriched or not": FlushID(g, 0, spans, true),
	}
	seen := map[string]string{want: "the original"}
	for what, id := range others {
		if len(id) != 32 {
			t.Errorf("%s: %q has %d digits, want 32", what, id, len(id))
		}
		if seen[id] != "" {
			t.Errorf("another %s has the same id as %s", what, seen[id])
		}
		seen[id] = what
	}
}

func TestFlushIDsDoNotCollide(t *testing.T) {
	seen := make(map[string]bool)
	spans := make([]Span, 2)
	for i := range 100_000 {
		binary.LittleEndian.PutUint64(spans[i%2].ID[:], uint64(i))
		id := FlushID(Generation{}, 0, spans, false)
		if seen[id] {
			t.Fatalf("content %d has the id %s of an earlier one", i, id)
		}
		seen[id] = true
	}
}

func BenchmarkFlushID(b *testing.B) {
	spans := interleaved(20)
	b.ReportAllocs()
	for b.Loop() {
		FlushID(Generation{}, 0, spans, false)
	}
}
