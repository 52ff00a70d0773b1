package sim

import (
	"bytes"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
)

// TestRecords: the memory of an output record is used again once the broker has it, and not before; that
// of a dead letter, which is a span's own, never.
func TestRecords(t *testing.T) {
	memory := &records{}
	c := producerContract{sent{}, func() []buffer.Shard { return nil }, func(string) {}, memory}
	produced := func(topic string, value []byte) flusher.Future {
		return c.Produce(t.Context(), flusher.Record{Topic: topic, Value: value})
	}
	value, letter := append(memory.room(1000), "a record"...), append(make([]byte, 0, 2000), "a span"...)
	future := produced(outputTopic, value)
	if err := produced(letterTopic, letter).Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if other := memory.room(1000)[:1]; &other[0] == &value[0] || &other[0] == &letter[0] {
		t.Error("the memory of a record that nobody has acknowledged, or of a span, is used again")
	}
	for range 2 {
		if err := future.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	again := memory.room(500)
	if len(again) != 0 || &again[:1][0] != &value[0] {
		t.Error("the memory of a record is not used again")
	}
	if other := memory.room(500)[:1]; &other[0] == &value[0] {
		t.Error("the memory of a record is used twice at a time")
	}
	memory.done(again)
	if large := memory.room(5000); len(large) != 0 || cap(large) < 5000 {
		t.Errorf("a record of 5000 bytes gets %d", cap(large))
	}
	if small := memory.room(700)[:1]; &small[0] != &value[0] {
		t.Error("the memory of a small record is lost to a large one that it has no room for")
	}
	if !bytes.Equal(letter, []byte("a span")) {
		t.Errorf("a dead letter is %q now", letter)
	}
}
