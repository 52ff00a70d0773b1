package consumer

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"sluice/consumer/ingest"
	"sluice/flusher"
)

// TestNoEventIsLostOnASlowHarness: what nobody collects must bring every event in order once it is
// collected, as JSON, and as little as possible of all else.
func TestNoEventIsLostOnASlowHarness(t *testing.T) {
	rings := 0
	b := newOutbox(func() { rings++ })
	if got := b.collect(); len(got) != 0 {
		t.Errorf("before there is a pipeline %+v is sent", got)
	}
	b.opened(func() state {
		return state{Workers: []flusher.WorkerState{{State: flusher.StateHung, Beat: time.Now()}}}
	})
	const events = 20_000
	for i := range events {
		b.event(flusher.Event{Kind: flusher.EventFailed, Worker: i})
		b.addFresh(1, make([]time.Duration, 5))
	}
	b.ingest(ingest.Event{Kind: ingest.CommitFailed, Err: errors.New("planted")})
	if rings != events+2 {
		t.Errorf("%d rings for %d events, the pipeline and one of the input", rings, events)
	}
	text, err := json.Marshal(b.collect())
	if err != nil {
		t.Fatal(err)
	}
	var got []report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if want := events + 3; len(got) != want {
		t.Fatalf("%d reports, want %d: the events, that of the input, freshness and one state",
			len(got), want)
	}
	for i, r := range got[:events] {
		if r.Event == nil || r.Event.Worker != i || r.Event.Kind != flusher.EventFailed {
			t.Fatalf("event %+v, want that of %d", r.Event, i)
		}
	}
	if e := got[events].Ingest.event(); e.Kind != ingest.CommitFailed || e.Err == nil ||
		e.Err.Error() != "planted" {
		t.Errorf("the input's event is %v", e)
	}
	if f := got[events+1].Fresh; f == nil || f.Worker != 1 || len(f.Samples) != freshMax {
		t.Errorf("freshness is not the last %d samples of worker 1", freshMax)
	}
	if s := got[events+2].State; s == nil || s.Workers[0].State != flusher.StateHung {
		t.Errorf("the state is %+v", s)
	}
	if got := b.collect(); len(got) != 1 || got[0].State == nil {
		t.Errorf("without news %+v is sent, want the state alone", got)
	}
}

// TestAHarnessThatNeverReadsIsGivenUp, by the consumer's end: the run is judged by all its events.
func TestAHarnessThatNeverReadsIsGivenUp(t *testing.T) {
	b := newOutbox(func() {})
	for range waitingMax {
		b.event(flusher.Event{})
	}
	defer func() {
		if recover() == nil {
			t.Error("one more event than can wait was taken")
		}
	}()
	b.event(flusher.Event{})
}
