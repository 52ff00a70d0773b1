package load

import (
	"encoding/binary"
	"strconv"

	"sluice/buffer"
)

// Writer writes the messages of one trace after another. What those of a trace have in common it works
// out once. A Writer is ready when Begin was called, and belongs to one goroutine.
type Writer struct {
	recipe *Recipe
	root   uint64
	key    buffer.TraceKey
	// keyText is the key of the trace's messages, nil until one was written.
	keyText []byte
	// head is how every message of the trace begins, up to the digits of the span's id.
	head []byte
	// begins is the second in which all of them say that they begin, received when they were.
	begins, received [secondDigits]byte
	// id and parent are the ids in the message that was written last; parent is a root's own.
	id, parent uint64
	// places are those of the first spans of the trace, as far as somebody asked for them.
	places []place
}

// place is where a span hangs.
type place struct {
	parent int32
	// level counts the draws from the span up to the root: see Recipe.Parent.
	level int32
}

// placesMax is how many places a writer keeps at most. Those of a giant trace are found one by one.
const placesMax = 1 << 10

// Begin makes the trace with that root the one whose messages are written from now on.
func (w *Writer) Begin(r *Recipe, root uint64) {
	w.recipe, w.root, w.keyText, w.places = r, root, nil, w.places[:0]
	w.key.Project = r.Project(root)
	w.head = append(w.head[:0], headText...)
	w.head = strconv.AppendInt(w.head, int64(w.key.Project), 10)
	w.head = append(w.head, traceText...)
	high, low := r.trace(root)
	binary.BigEndian.PutUint64(w.key.Trace[:8], high)
	binary.BigEndian.PutUint64(w.key.Trace[8:], low)
	at := len(w.head) - len(traceText) + traceAt
	putHex(w.head[at:], high)
	putHex(w.head[at+idDigits:], low)
	putSeconds(w.begins[:], epoch+root/1000)
	putSeconds(w.received[:], epoch+root/1000+receivedAfter)
}

// receivedAfter is how many seconds after it began a span was received.
const receivedAfter = 4

// Of tells whether the writer writes the messages of the trace with that root.
func (w *Writer) Of(root uint64) bool { return w.recipe != nil && w.root == root }

// digits returns the digits of the trace's id, which are those of the messages' key.
func (w *Writer) digits() []byte {
	end := len(w.head) - (len(traceText) - traceAt - traceDigits)
	return w.head[end-traceDigits : end]
}

// Parent is Recipe.Parent of the trace.
func (w *Writer) Parent(index int) int {
	if index >= placesMax {
		return w.recipe.Parent(w.root, index)
	}
	if len(w.places) == 0 {
		w.places = append(w.places, place{})
	}
	for len(w.places) <= index {
		drawn := int32(w.recipe.drawn(w.root, len(w.places)))
		above := w.places[drawn]
		at := place{parent: drawn, level: above.level + 1}
		if int(above.level) >= w.recipe.work.Depth {
			at.parent = above.parent // which is the first of the chain that is above the lowest level
		}
		w.places = append(w.places, at)
	}
	return int(w.places[index].parent)
}

// AppendMarked appends the message of the span at that place in the trace, and tells where in it what
// stands.
func (w *Writer) AppendMarked(dst []byte, index int) ([]byte, Marks) {
	parent := 0
	if index > 0 {
		parent = w.Parent(index)
	}
	return w.append(dst, index, parent)
}
