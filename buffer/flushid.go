package buffer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// FlushID names the content of an output message: 32 hex digits, the first 16 bytes of
//
//	SHA-256(project trace segment chunk span... [1])
//
// where project and chunk are 8 bytes each, big-endian, two's complement; trace is the 16 bytes of
// the trace id; segment and each span are the 8 bytes of a span id, the spans in their order; the
// last byte is there if the message says that enrichment is to be skipped, since the same spans may
// come once more as all of a segment. All parts have a fixed length, so no two contents have the
// same layout.
//
// The generation's ID is left out: equal content has an equal id, also when a redelivery after a
// flush made another generation of it. For a segment of 20 spans SHA-256 takes a third of the time
// of FNV-1a with 128 bits (218 against 720 ns, on a processor with instructions for it), and unlike
// that it holds against ids made to collide.
func FlushID(g Generation, chunk int, spans []Span, skipEnrichment bool) string {
	const stackMax = 1024 // the layout of 123 spans; more goes to the heap
	var stack [stackMax]byte
	layout := binary.BigEndian.AppendUint64(stack[:0], uint64(g.Project))
	layout = append(layout, g.Trace[:]...)
	layout = append(layout, g.Segment[:]...)
	layout = binary.BigEndian.AppendUint64(layout, uint64(chunk))
	for i := range spans {
		layout = append(layout, spans[i].ID[:]...)
	}
	if skipEnrichment {
		layout = append(layout, 1)
	}
	sum := sha256.Sum256(layout)
	return hex.EncodeToString(sum[:16])
}
