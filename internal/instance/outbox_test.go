package instance

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"sluice/consumer/ingest"
	"sluice/flusher"
)

// TestNoEventIsLostOnASlowHarness: a pipe that nobody reads must block nobody, and must bring every
// event in order once it is read.
func TestNoEventIsLostOnASlowHarness(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	b := newOutbox(w)
	b.opened(func() state {
		return state{Workers: []flusher.WorkerState{{State: flusher.StateHung, Beat: time.Now()}}}
	})
	const events = 20_000 // many times what the pipe holds
	for i := range events {
		b.event(flusher.Event{Kind: flusher.EventFailed, Worker: i})
		b.addFresh(1, make([]time.Duration, 5))
	}
	b.ingest(ingest.Event{Kind: ingest.CommitFailed, Err: errors.New("planted")})
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.close(errors.New("last"))
		_ = w.Close()
	}()
	next, samples, states := 0, 0, 0
	var last report
	for dec := json.NewDecoder(r); ; {
		var line report
		if err := dec.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch {
		case line.Event != nil:
			if line.Event.Worker != next || line.Event.Kind != flusher.EventFailed {
				t.Fatalf("event %+v, want that of %d", line.Event, next)
			}
			next++
		case line.Ingest != nil:
			if e := line.Ingest.event(); e.Err == nil || e.Err.Error() != "planted" {
				t.Errorf("the input's event is %v", e)
			}
		case line.Fresh != nil:
			samples += len(line.Fresh.Samples)
		case line.State != nil:
			states++
			if line.State.Workers[0].State != flusher.StateHung {
				t.Errorf("the state is %+v", line.State)
			}
		case line.LastWord != "":
			last = line
		}
	}
	<-closed
	if next != events || last.LastWord != "last" {
		t.Errorf("%d events of %d, last word %q", next, events, last.LastWord)
	}
	if samples == 0 || states == 0 || states > events/10 {
		t.Errorf("%d samples, %d states", samples, states)
	}
}
