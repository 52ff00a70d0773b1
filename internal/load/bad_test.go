package load

import (
	"bytes"
	"errors"
	"testing"

	"sluice/buffer/codec"
	"sluice/scenarios"
)

// TestBadMessagesAreBad draws many and asks the decoder: it must refuse each, for many different
// reasons. A span that has all that these lack passes.
func TestBadMessagesAreBad(t *testing.T) {
	work := scenarios.Default().Workload
	work.Bad = 0.25
	r := NewRecipe(work, 4, 3)
	decoder, reasons, follow := codec.New(0), map[string]int{}, 0
	const root, size = 40, 5000
	for index := range size {
		seq := uint64(root + index)
		if r.BadAfter(seq) {
			follow++
		}
		message := r.AppendBad([]byte("before"), root, index)[len("before"):]
		_, err := decoder.Decode(message)
		var refused *codec.Error
		if !errors.As(err, &refused) {
			t.Fatalf("%q is accepted: %v", message, err)
		}
		reasons[refused.Field]++
		if !bytes.Equal(message, r.AppendBad(nil, root, index)) {
			t.Fatalf("%q is another message the second time", message)
		}
		if got, ok := r.BadSeq(r.BadKey(seq)); !ok || got != seq {
			t.Fatalf("key of %d is that of %d, %v", seq, got, ok)
		}
		if _, ok := r.BadSeq(r.Trace(seq)); ok {
			t.Fatalf("trace %v passes for the key of a bad message", r.Trace(seq))
		}
	}
	if len(reasons) < len(required) {
		t.Errorf("reasons are %v, want each of the required fields among them", reasons)
	}
	if follow < size*23/100 || follow > size*27/100 {
		t.Errorf("%d bad messages follow %d spans, want a share of 0.25", follow, size)
	}
	if _, err := decoder.Decode(r.appendFields(nil, root, root+1, -1, "")); err != nil {
		t.Errorf("with all its fields it is no span either: %v", err)
	}
	after, ok := BadSpan(r.Seq(r.ID(7 | badSpan)))
	if _, isSpan := BadSpan(7); after != 7 || !ok || isSpan {
		t.Errorf("the bad message's own span id is that of %d, %v", after, ok)
	}
}
