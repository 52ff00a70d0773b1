package ingest

import (
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// TestMemoryOfMessages: what a batch held is held no longer once it is in the store, its memory is used
// again if it was the partition's own, and what the source handed out is left as it was.
func TestMemoryOfMessages(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	p := newPartition(t.Context(), 0, nil, now, DefaultConfig("spans", "dlq"))
	offset := int64(0)
	source := func(n int) []flusher.Message {
		messages := make([]flusher.Message, n, 2*n) // with room that is the source's
		for i := range messages {
			messages[i] = flusher.Message{Position: buffer.Position{Offset: offset}, Time: now, Value: []byte("v")}
			offset++
		}
		return messages[:n:n]
	}
	whole := func(messages []flusher.Message, first int64) {
		t.Helper()
		for i := range messages {
			if messages[i].Position.Offset != first+int64(i) || len(messages[i].Value) == 0 {
				t.Fatalf("message %d is %+v", i, messages[i])
			}
		}
	}
	store := func(want int) *batch {
		t.Helper()
		b := p.cut(now, want, 1<<20)
		if b == nil || len(b.messages) != want {
			t.Fatalf("a batch of %d was cut of %d messages: %+v", want, len(p.pending), b)
		}
		p.inWork = p.inWork[:0]
		return b
	}

	first := source(6)
	p.accept(first, now)
	b := store(6)
	whole(b.messages, 0)
	p.settle(b, 1000)
	whole(first, 0)
	if p.room != nil {
		t.Error("the source's memory is to be used again")
	}

	// What waits behind a batch of the source's memory moves to memory of its own, once.
	polled := source(6)
	p.accept(polled, now)
	b = store(2)
	moved := p.array[:4]
	second := store(1)
	if &moved[0] == &polled[2] || &second.messages[0] != &moved[0] || &p.pending[0] != &moved[1] {
		t.Error("what waits was not moved, or was moved twice")
	}
	p.settle(b, 1000)
	p.settle(second, 1000)
	whole(polled, 6)
	if moved[0].Value != nil {
		t.Error("the second batch is held, though it is in the store")
	}
	whole(p.pending, 9)
	p.settle(store(3), 1000)

	// Batches of the same memory let go of it one after the other; it is used again after the last.
	p.accept(source(6), now)
	p.accept(source(6), now)
	p.room = nil
	head, memory := store(5), p.array[:12]
	tail := store(7)
	p.settle(head, 1000)
	if p.room != nil || memory[0].Value != nil || memory[4].Value != nil {
		t.Errorf("memory is used again that others are in, or holds what is done: %+v", memory)
	}
	whole(tail.messages, 17)
	p.settle(tail, 1000)
	if cap(p.room) < 12 {
		t.Fatalf("there is room for %d messages, want that of both batches", cap(p.room))
	}
	room := p.room[:1]
	if room[0].Value != nil {
		t.Error("a payload is held that is in the store")
	}
	p.accept(source(3), now)
	p.accept(source(3), now)
	if &p.pending[0] != &room[0] {
		t.Error("new memory was taken")
	}
	whole(p.pending, 24)
}
