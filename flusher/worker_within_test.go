package flusher_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// boundedEncoder is a textEncoder that can leave out what is too large.
type boundedEncoder struct{ textEncoder }

// EncodeWithin leaves out the values of chunks of several spans that are longer than most bytes.
func (e boundedEncoder) EncodeWithin(
	g buffer.Generation, spans []buffer.Span, part bool, most int,
) (chunks []buffer.Chunk, err error) {
	if part {
		chunks, err = e.EncodePart(g, spans)
	} else {
		chunks, err = e.Encode(g, spans)
	}
	for i := range chunks {
		if len(chunks[i].Value) > most && len(chunks[i].Spans) > 1 {
			chunks[i].FlushID, chunks[i].Value = "", nil
		}
	}
	return chunks, err
}

// What a topic is known to refuse is not sent, nor loaded again for each half: the records are those that
// a refusal would have led to, names and bytes. A single span is the broker's to refuse.
func TestWorkerSendsNoRecordThatIsKnownToBeRefused(t *testing.T) {
	const most = 1200
	large := func(r flusher.Record) bool {
		return r.Topic == flusher.DefaultWorkerConfig().OutputTopic &&
			(len(r.Value) > most-512 || strings.Contains(string(r.Value), spanID(13).String()))
	}
	numbers := make([]int, 0, 90)
	for n := range 90 {
		if n%10 < 9 {
			numbers = append(numbers, n)
		}
	}
	run := func(known bool) (records string, refused, loads int) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.encoder.limit = 5
			b.broker.refuse = func(r flusher.Record) error {
				if large(r) {
					refused++
					return flusher.ErrRecordTooLarge
				}
				return nil
			}
			if known {
				b.refusesAbove = func(topic string) int {
					if topic != b.cfg.OutputTopic {
						t.Errorf("asked about topic %q", topic)
					}
					return most
				}
			}
			b.encoder.pad = 150 // so that five spans are too large, and two are not
			b.feed.put(t, 0, numbers...)
			b.start(fence(t, b.store, 0)...)
			eventually(t, 5*time.Second, "store is empty", b.empty)
			if err := b.join(); err != nil {
				t.Fatal(err)
			}
			byName := make(map[string]string)
			for _, r := range b.broker.all() {
				var name strings.Builder
				for _, h := range r.Headers {
					if h.Key != flusher.HeaderError && h.Key != flusher.HeaderGeneration {
						fmt.Fprintf(&name, "%s=%s ", h.Key, h.Value)
					}
				}
				byName[name.String()] = string(r.Value)
			}
			records = fmt.Sprint(len(byName), byName)
			for _, step := range b.faulty.steps() {
				if step == "load" {
					loads++
				}
			}
		})
		return records, refused, loads
	}
	learned, refusals, reloads := run(false)
	records, refused, loads := run(true)
	if records != learned {
		t.Errorf("records\n%s\nwant those that refusals lead to\n%s", records, learned)
	}
	// What is refused holds the span that no record may: three spans, then two, then that one.
	if refused != 3 || loads != 1+refused || refusals <= refused || reloads <= loads {
		t.Errorf("%d refused in %d loads, want 3 in 4; without the limit %d in %d", refused, loads, refusals,
			reloads)
	}
}
