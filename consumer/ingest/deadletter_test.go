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

// letterbox is a dead-letter topic's producer. Letters wait at its slot while it is full, and for their
// acknowledgement until it is open.
type letterbox struct {
	*broker
	full, open chan struct{} // closed: it is not, it is
	tries      atomic.Int32
}

func (l *letterbox) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	l.tries.Add(1)
	select {
	case <-l.full:
		return acknowledged{l, record}
	case <-ctx.Done():
		return outcome{ctx.Err()}
	}
}

type acknowledged struct {
	*letterbox
	record flusher.Record
}

func (a acknowledged) Wait(ctx context.Context) error {
	select {
	case <-a.open:
		return a.broker.Produce(ctx, a.record).Wait(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leaves are the ways in which partition 0 is let go of.
var leaves = map[string]func(r *rig){
	"revoked": func(r *rig) { r.broker.change(flusher.Fetch{Revoked: []int32{0}}) },
	"drained": func(r *rig) { r.stop() },
}

// left tells whether it was.
func left(r *rig) bool {
	if fmt.Sprint(r.broker.releasedNow()) == "[0]" {
		return true
	}
	select {
	case err := <-r.ended:
		r.ended <- err
		return true
	default:
		return false
	}
}

// A letter that Kafka does not take is a trouble that is said, and holds up neither a revoked partition nor
// the end: one that nobody acknowledges, that there is no room for, or that is refused.
func TestALetterThatIsNotTakenIsSaid(t *testing.T) {
	refusal := errors.New("TOPIC_AUTHORIZATION_FAILED")
	for kind, want := range map[string]error{"silent": errSilent, "without room": errSilent, "refused": refusal} {
		for name, leave := range leaves {
			t.Run(kind+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					box := &letterbox{broker: r.broker, full: make(chan struct{}), open: make(chan struct{})}
					switch kind {
					case "silent":
						close(box.full)
					case "refused":
						close(box.full)
						close(box.open)
						r.broker.refuse = func(flusher.Record) error { return refusal }
					}
					r.ports.DeadLetters = box
					r.broker.append(0, time.Now(), "x a a", "bad", "no span", "none")
					r.start(0)
					settle(time.Minute)
					if got := r.loop.troubles.Of(input(0)); !errors.Is(got, want) {
						t.Errorf("trouble %v, want %v", got, want)
					}
					if got := box.tries.Load(); kind == "silent" && got != 3 {
						t.Errorf("handed over %d times, want each letter once", got)
					}
					leave(r)
					settle(5 * r.config.RetryMax)
					if !left(r) {
						t.Error("it holds on to the partition")
						r.kill()
						<-r.ended
						return
					}
					r.end()
					if got := r.broker.committedAt(0); got != 0 {
						t.Errorf("committed %d though the letters are nowhere", got)
					}
				})
			})
		}
	}
}

// What is in the store would come out a second time if it were not committed because a letter takes a few
// seconds: while the leader of a partition is elected, say.
func TestALetterThatComesLateIsWaitedFor(t *testing.T) {
	for name, leave := range leaves {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				box := &letterbox{broker: r.broker, full: make(chan struct{}), open: make(chan struct{})}
				close(box.full)
				r.ports.DeadLetters = box
				r.broker.append(0, time.Now(), "x a a", "bad")
				r.start(0)
				settle(3 * time.Second)
				leave(r)
				settle(4 * time.Second)
				if left(r) {
					t.Error("let go of before the letter was acknowledged")
				}
				close(box.open)
				settle(2 * time.Second)
				if got := r.broker.committedAt(0); !left(r) || got != 2 {
					t.Errorf("let go of: %v, committed %d, want both messages", left(r), got)
				}
				r.end()
			})
		})
	}
}

// Letters that found no room are all handed over once there is some, none waiting for the one before it.
func TestLettersAreHandedOverOnceThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		box := &letterbox{broker: r.broker, full: make(chan struct{}), open: make(chan struct{})}
		r.ports.DeadLetters = box
		r.broker.append(0, time.Now(), "bad", "no span", "none")
		r.start(0)
		settle(time.Minute)
		before := box.tries.Load()
		close(box.full)
		settle(time.Minute)
		if got := box.tries.Load() - before; got < 2 || got > 3 {
			t.Errorf("%d letters were handed over, want the rest of 3", got)
		}
		close(box.open)
		settle(2 * time.Second)
		if got := r.broker.committedAt(0); got != 3 || len(r.broker.deadLetters()) != 3 {
			t.Errorf("committed %d, %d letters, want 3", got, len(r.broker.deadLetters()))
		}
		if began, over := r.journal.count("trying again"), r.journal.count("over"); began+over != 2 {
			t.Errorf("said more than once:\n%s", r.journal)
		}
		r.end()
	})
}
