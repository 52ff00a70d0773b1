package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/flusher"
)

func TestBadMessageBecomesADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.append(3, time.Now(), "x a a", "not a span at all", "x b a")
		r.start(3)
		settle(time.Second)
		r.end()
		letters := r.broker.deadLetters()
		if len(letters) != 1 {
			t.Fatalf("%d dead letters, want 1", len(letters))
		}
		got := letters[0].Topic + " " + string(letters[0].Key) + " " + string(letters[0].Value)
		for _, h := range letters[0].Headers {
			got += fmt.Sprintf(" %s=%s", h.Key, h.Value)
		}
		want := `spans-dlq key not a span at all error="not a span at all" is not ` +
			`"trace span parent" topic=spans partition=3 offset=1`
		if got != want {
			t.Errorf("dead letter\n %s, want\n %s", got, want)
		}
		if want := "dead letters [3]: 1, the first at 3@1: "; r.journal.count(want) != 1 {
			t.Errorf("journal lacks %q:\n%s", want, r.journal)
		}
		if spans := held(t, r.store, 3); spans != "x:a,b" {
			t.Errorf("the rest of the batch did not go on: %q", spans)
		}
	})
}

func TestOffsetWaitsForTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		away := errors.New("broker is away")
		r.broker.refuse = func(flusher.Record) error { return away }
		r.broker.append(0, time.Now(), "x a a", "bad")
		r.start(0)
		settle(time.Minute)
		if got := r.broker.committedAt(0); got != 0 {
			t.Fatalf("committed %d while the dead letter was not acknowledged", got)
		}
		r.broker.mu.Lock()
		r.broker.refuse = func(flusher.Record) error { return nil }
		r.broker.mu.Unlock()
		settle(2 * time.Second)
		if got := r.broker.committedAt(0); got != 2 {
			t.Errorf("committed %d, want 2", got)
		}
		r.end()
		if began, over := r.journal.count("trying again"), r.journal.count("over"); began+over != 2 {
			t.Errorf("said more than once:\n%s", r.journal)
		}
	})
}

func TestDeadLetterThatIsTooLargeGoesWithoutItsValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.broker.refuse = func(record flusher.Record) error {
			if len(record.Value) > 100 {
				return fmt.Errorf("%w: 100", flusher.ErrRecordTooLarge)
			}
			return nil
		}
		r.broker.append(0, time.Now(), strings.Repeat("long ", 100), "x a a")
		r.start(0)
		settle(time.Second)
		r.end()
		letters := r.broker.deadLetters()
		if len(letters) != 1 || letters[0].Value != nil || r.broker.committedAt(0) != 2 {
			t.Fatalf("dead letters %v, committed %d", letters, r.broker.committedAt(0))
		}
		last := letters[0].Headers[len(letters[0].Headers)-1]
		if last.Key != flusher.HeaderValueBytes || string(last.Value) != "500" {
			t.Errorf("last header %s=%s, want the size of the value", last.Key, last.Value)
		}
	})
}

// The last that names a message is a letter of headers alone: until those are taken the partition waits.
func TestDeadLetterOfWhichNothingIsTakenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var most atomic.Int64 // of value, key and headers
		r.broker.refuse = func(record flusher.Record) error {
			size := len(record.Value) + len(record.Key)
			for _, h := range record.Headers {
				size += len(h.Key) + len(h.Value)
			}
			if int64(size) > most.Load() {
				return fmt.Errorf("%w: %d", flusher.ErrRecordTooLarge, most.Load())
			}
			return nil
		}
		r.broker.append(0, time.Now(), strings.Repeat("long ", 100), "x a a")
		r.start(0)
		settle(time.Minute)
		if got, letters := r.broker.committedAt(0), r.broker.deadLetters(); got != 0 || len(letters) > 0 {
			t.Fatalf("committed %d, dead letters %v, while not even headers were taken", got, letters)
		}
		if err := r.loop.Troubles().Of(input(0)); !errors.Is(err, flusher.ErrRecordTooLarge) {
			t.Errorf("the trouble of the input is %v, want that of the dead letter", err)
		}
		most.Store(1000)
		settle(time.Minute)
		r.end()
		letters := r.broker.deadLetters()
		if len(letters) != 1 || letters[0].Value != nil || letters[0].Key != nil ||
			r.broker.committedAt(0) != 2 {
			t.Fatalf("dead letters %v, committed %d", letters, r.broker.committedAt(0))
		}
		for _, want := range []string{"dead letter without its value [0]", "without its value and key [0]"} {
			if r.journal.count(want) != 1 {
				t.Errorf("journal lacks %q:\n%s", want, r.journal)
			}
		}
	})
}

// mute takes records, and never says what became of them.
type mute struct{ sent *atomic.Int32 }

func (m mute) Produce(context.Context, flusher.Record) flusher.Future {
	m.sent.Add(1)
	return silent{}
}

func (mute) Flush(context.Context) error { return nil }

type silent struct{}

func (silent) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// A letter that Kafka does not acknowledge is a trouble that is said, and holds up neither a revoked
// partition nor the end.
func TestALetterThatIsNotAcknowledgedIsSaid(t *testing.T) {
	for name, leave := range map[string]func(r *rig){
		"revoked": func(r *rig) { r.broker.change(flusher.Fetch{Revoked: []int32{0}}) },
		"drained": func(r *rig) { r.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				sent := atomic.Int32{}
				r.ports.DeadLetters = mute{sent: &sent}
				r.broker.append(0, time.Now(), "x a a", "bad")
				r.start(0)
				settle(time.Minute)
				if got := r.loop.troubles.Of(input(0)); !errors.Is(got, errSilent) || sent.Load() != 1 {
					t.Errorf("trouble %v, sent %d times; want that nothing is acknowledged, and once",
						got, sent.Load())
				}
				leave(r)
				settle(5 * r.config.RetryMax)
				if name == "revoked" && fmt.Sprint(r.broker.releasedNow()) != "[0]" {
					t.Errorf("released %v, want [0]", r.broker.releasedNow())
				}
				r.end()
				if got := r.broker.committedAt(0); got != 0 {
					t.Errorf("committed %d though the letter is nowhere", got)
				}
			})
		})
	}
}
