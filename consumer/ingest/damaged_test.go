package ingest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
)

// unreadableStore cannot read what it has of some traces, and says so of every list that names one, once it has
// stored what is before the first of them.
type unreadableStore struct {
	buffer.Store
	traces string
	asked  int
}

func (s *unreadableStore) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	s.asked++
	at := slices.IndexFunc(traces, func(trace buffer.TraceBatch) bool {
		return strings.ContainsRune(s.traces, rune(trace.Trace[0]))
	})
	if at < 0 {
		return s.Store.Attach(ctx, delivery, traces)
	}
	attached, err := s.Store.Attach(ctx, delivery, traces[:at])
	if err == nil {
		err = fmt.Errorf("attach: %w", buffer.ErrDamaged)
	}
	if at%2 == 0 { // the answers are lost with the call
		return nil, err
	}
	return append(attached, make([]buffer.Attached, len(traces)-at)...), err
}

// TestSpansOfADamagedTraceBecomeDeadLetters, and all others of the batch are stored: it is committed.
func TestSpansOfADamagedTraceBecomeDeadLetters(t *testing.T) {
	for _, damaged := range []string{"d", "a", "h", "bcg", "abcdefgh"} {
		t.Run(damaged, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				store := &unreadableStore{Store: r.store, traces: damaged}
				r.steps.Store = store
				var messages, letters, kept []string
				for _, trace := range "abcdefgh" {
					messages = append(messages, fmt.Sprintf("%c 2 1", trace), fmt.Sprintf("%c 1 1", trace))
					if strings.ContainsRune(damaged, trace) {
						letters = append(letters, messages[len(messages)-2:]...)
					} else {
						kept = append(kept, fmt.Sprintf("%c:1,2", trace))
					}
				}
				r.broker.append(3, time.Now(), messages...)
				r.start(3)
				settle(2 * time.Second)
				if got := r.broker.committedAt(3); got != int64(len(messages)) {
					t.Errorf("committed %d, want %d", got, len(messages))
				}
				c := r.loop.Counters().Partitions[0]
				r.end()
				var got []string
				for _, letter := range r.broker.deadLetters() {
					got = append(got, string(letter.Value))
					text := ""
					for _, h := range letter.Headers {
						text += fmt.Sprintf(" %s=%s", h.Key, h.Value)
					}
					trace := buffer.TraceID{letter.Value[0]}
					if !strings.Contains(text, fmt.Sprintf("trace 1:%v", trace)) ||
						!strings.Contains(text, buffer.ErrDamaged.Error()) || !strings.Contains(text, "offset=") {
						t.Errorf("the headers of a dead letter are%s", text)
					}
				}
				if !slices.Equal(got, letters) {
					t.Errorf("dead letters %q, want %q", got, letters)
				}
				if spans := held(t, r.store, 3); spans != strings.Join(kept, " ") {
					t.Errorf("stored are %q, want %q", spans, kept)
				}
				if c.DeadLetters != uint64(len(letters)) || c.Spans != uint64(len(messages)-len(letters)) ||
					c.Messages != uint64(len(messages)) {
					t.Errorf("counted %+v, want %d dead letters of %d", c, len(letters), len(messages))
				}
				for _, trace := range damaged {
					text := fmt.Sprintf("%s [3]: 2, the first at 3@%d", TraceDamaged, 2*(trace-'a'))
					if n := r.journal.count(text); n != 1 {
						t.Errorf("said %d times, want once: %s\n%s", n, text, r.journal)
					}
				}
				if len(damaged) == 1 && store.asked > 10 {
					t.Errorf("the store was asked %d times for 8 traces, want halves to be", store.asked)
				}
			})
		})
	}
}

// TestADamagedTraceWaitsForItsDeadLetters: until they are acknowledged it is not committed.
func TestADamagedTraceWaitsForItsDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.steps.Store = &unreadableStore{Store: r.store, traces: "x"}
		away := errors.New("broker is away")
		var taken atomic.Bool
		r.broker.before = func(call string) error {
			if call == "produce" && !taken.Load() {
				return away
			}
			return nil
		}
		r.broker.append(0, time.Now(), "x a a", "y a a")
		r.start(0)
		settle(time.Minute)
		if got := r.broker.committedAt(0); got != 0 {
			t.Errorf("committed %d without the dead letter", got)
		}
		taken.Store(true)
		settle(time.Minute)
		if got := r.broker.committedAt(0); got != 2 || len(r.broker.deadLetters()) != 1 {
			t.Errorf("committed %d, %d dead letters; want 2 and 1", got, len(r.broker.deadLetters()))
		}
		r.end()
	})
}
