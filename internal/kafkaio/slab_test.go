package kafkaio

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
)

// What is held of an answer is its messages' own bytes, so that the answer can go; and of messages, no
// more than a piece beyond those that wait.
func TestHeldMessagesAreCopies(t *testing.T) {
	answer := bytes.Repeat([]byte("answer--"), 40_000) // with what it has of all partitions
	a := newAssignment(DefaultSourceConfig("spans", "group"), func([]int32, bool) {})
	a.assign([]int32{0, 1})
	a.take(1)
	var records []*kgo.Record
	for n := range 320 {
		piece := answer[1000*n : 1000*n+1000]
		records = append(records, &kgo.Record{Offset: int64(n), Key: piece[:8], Value: piece[8:]})
	}
	records[7].Key, records[8].Value, records[9].Value = nil, nil, []byte{}
	a.add(1, records)
	fetch := a.take(1000)
	clear(answer)
	pieces := 1
	var last flusher.Message
	for n, m := range fetch.Batches[0].Messages {
		want := bytes.Repeat([]byte("answer--"), 125)
		key, value := want[:8], want[8:]
		switch n {
		case 7:
			key = nil
		case 8:
			value = nil
		case 9:
			value = []byte{}
		}
		if !bytes.Equal(m.Key, key) || !bytes.Equal(m.Value, value) || (m.Key == nil) != (key == nil) ||
			(m.Value == nil) != (value == nil) {
			t.Fatalf("message %d is %q: %q once its answer was used again", n, m.Key, m.Value)
		}
		if cap(m.Value) > len(m.Value) {
			t.Fatalf("message %d has room that is others'", n)
		}
		if n > 9 && !sideBySide(last, m) {
			pieces++
		}
		last = m
	}
	if want := 320_000/slabBytes + 1; pieces > want {
		t.Errorf("%d pieces of memory, want no more than %d", pieces, want)
	}
}

// sideBySide tells whether the key of a message lies in memory where the value of the one before it ends.
func sideBySide(before, m flusher.Message) bool {
	end := uintptr(unsafe.Pointer(unsafe.SliceData(before.Value))) + uintptr(len(before.Value))
	return uintptr(unsafe.Pointer(unsafe.SliceData(m.Key))) == end
}
