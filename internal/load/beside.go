package load

import (
	"encoding/binary"

	"sluice/buffer"
)

// Said is what a span's message says, as its generator knows it.
type Said struct {
	buffer.TraceKey
	ID buffer.SpanID
	// Parent is the span's own id if it is the root of its trace.
	Parent buffer.SpanID
	Root   bool
	Marks  Marks
}

// Organization is the organization_id of every span.
const Organization = 1

// What stands beside a message, behind the end of its value: tells that something does, the value's
// size, twice, and one more for a root; the four marks; the project, and the ids of the trace, the span
// and its parent.
const (
	besideTag  = 0x6265_7369
	besideSize = 4 + 8 + 4*4 + 8 + len(buffer.TraceID{}) + 2*len(buffer.SpanID{})
)

// Beside returns what the value of a span's message says, without reading it: a generator leaves that
// in memory behind the value's end. It is not there, and ok is false, if the value is no span's, is in
// other memory than the generator's, or was cut.
func Beside(value []byte) (said Said, ok bool) {
	if cap(value)-len(value) != besideSize {
		return Said{}, false
	}
	at := value[len(value):cap(value)]
	size := binary.LittleEndian.Uint64(at[4:])
	if binary.LittleEndian.Uint32(at) != besideTag || size>>1 != uint64(len(value)) {
		return Said{}, false
	}
	said.Root = size&1 == 1
	said.Marks = Marks{
		FlagFrom: mark(at[12:]), FlagTo: mark(at[16:]),
		AttributesFrom: mark(at[20:]), AttributesTo: mark(at[24:]),
	}
	said.Project = buffer.ProjectID(binary.LittleEndian.Uint64(at[28:]))
	said.Trace = buffer.TraceID(at[36:])
	said.ID = buffer.SpanID(at[52:])
	said.Parent = buffer.SpanID(at[60:])
	return said, true
}

func mark(text []byte) int { return int(binary.LittleEndian.Uint32(text)) }

// appendBeside appends what stands beside the message that was written last, that of the span at that
// place in the trace, of so many bytes and with these marks.
func (w *Writer) appendBeside(dst []byte, index, size int, m Marks) []byte {
	var at [besideSize]byte
	binary.LittleEndian.PutUint32(at[:], besideTag)
	flags := uint64(size) << 1
	if index == 0 {
		flags |= 1
	}
	binary.LittleEndian.PutUint64(at[4:], flags)
	binary.LittleEndian.PutUint32(at[12:], uint32(m.FlagFrom))
	binary.LittleEndian.PutUint32(at[16:], uint32(m.FlagTo))
	binary.LittleEndian.PutUint32(at[20:], uint32(m.AttributesFrom))
	binary.LittleEndian.PutUint32(at[24:], uint32(m.AttributesTo))
	binary.LittleEndian.PutUint64(at[28:], uint64(w.key.Project))
	copy(at[36:], w.key.Trace[:])
	binary.BigEndian.PutUint64(at[52:], w.id)
	binary.BigEndian.PutUint64(at[60:], w.parent)
	return append(dst, at[:]...)
}
