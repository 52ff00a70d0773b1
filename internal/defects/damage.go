package defects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// Damages are done to what workers hand over to Kafka, or say of themselves, one kind each. All are
// shown on a run of some seconds in which one worker dies.
var (
	negated = damage("freshness-negated", "a worker says freshness with the wrong sign", "freshness",
		func(p *flusher.WorkerPorts) { p.Reporter = backwards{p.Reporter} })
	whim = damage("letter-on-a-whim", "a worker sends good spans to the dead-letter topic",
		"conservation", records(onAWhim))
	doubled = explored("protocol", damage("doubled", "a worker sends every record twice", "duplicates",
		records(func(r flusher.Record) []flusher.Record { return []flusher.Record{r, r} })))
	noDelivery = damage("generation-of-nothing", "records name a delivery that there cannot be",
		"conservation", records(relabelled(flusher.HeaderGeneration, "0-0")))
	noIndex = damage("chunk-index-in-words", "records write the index of a chunk in words",
		"conservation", records(relabelled(flusher.HeaderChunkIndex, "seven")))
	oneHeaderMore = damage("header-added", "records have a header that does not belong there",
		"conservation", records(relabelled("extra", "")))
	reversed = damage("reversed", "the spans of a segment are in reverse order", "segment integrity",
		records(edited(func(spans []json.RawMessage) []json.RawMessage {
			slices.Reverse(spans)
			return spans
		})))
	spaced = damage("spaced", "a blank is put into a span", "conservation",
		records(edited(func(spans []json.RawMessage) []json.RawMessage {
			spans[0] = append([]byte("{ "), spans[0][1:]...)
			return spans
		})))
)

// Damages returns those defects that damage what comes out, or what is said of it.
func Damages() []Defect {
	return []Defect{negated, whim, doubled, noDelivery, noIndex, oneHeaderMore, reversed, spaced}
}

func damage(name, wrong, caught string, worker func(*flusher.WorkerPorts)) Defect {
	return Defect{Name: name, Wrong: wrong, Caught: caught, Shown: "crash", Changes: []string{
		"duration=8s", "workload.rate=constant 400/s", "workload.traces_at_once=10",
		"pipeline.timeout=3s", "pipeline.root_timeout=2s", "pipeline.max_unhealthy=2s",
		"expectations.drain_max=45s", "expectations.restarts_min=0", "faults=[at 6s crash worker 2]",
	}, worker: worker}
}

func explored(preset string, d Defect) Defect {
	d.Explored = preset
	return d
}

// backwards is a Reporter that takes the deadline from the acknowledgement the wrong way round.
type backwards struct{ flusher.Reporter }

// Fresh negates.
func (b backwards) Fresh(samples []time.Duration) {
	for i := range samples {
		samples[i] = -samples[i]
	}
	b.Reporter.Fresh(samples)
}

// vandal is a Producer that makes others of its records.
type vandal struct {
	flusher.Producer
	of func(flusher.Record) []flusher.Record
}

func records(of func(flusher.Record) []flusher.Record) func(*flusher.WorkerPorts) {
	return func(p *flusher.WorkerPorts) { p.Producer = vandal{p.Producer, of} }
}

// Produce hands over what is made of a record; the last counts.
func (v vandal) Produce(ctx context.Context, r flusher.Record) (last flusher.Future) {
	for _, r := range v.of(r) {
		last = v.Producer.Produce(ctx, r)
	}
	return last
}

// relabelled sets or adds a header.
func relabelled(key, value string) func(flusher.Record) []flusher.Record {
	return func(r flusher.Record) []flusher.Record {
		r.Headers = slices.DeleteFunc(slices.Clone(r.Headers),
			func(h flusher.Header) bool { return h.Key == key })
		r.Headers = append(r.Headers, flusher.Header{Key: key, Value: []byte(value)})
		return []flusher.Record{r}
	}
}

// edited changes the spans of a record.
func edited(edit func([]json.RawMessage) []json.RawMessage) func(flusher.Record) []flusher.Record {
	return func(r flusher.Record) []flusher.Record {
		if spans := spansOf(r); len(spans) > 0 {
			r = withSpans(r, edit(spans))
		}
		return []flusher.Record{r}
	}
}

const beforeSpans = `"spans":[`

func spansOf(r flusher.Record) []json.RawMessage {
	var in struct {
		Spans []json.RawMessage `json:"spans"`
	}
	_ = json.Unmarshal(r.Value, &in) // a dead letter has none
	return in.Spans
}

func withSpans(r flusher.Record, spans []json.RawMessage) flusher.Record {
	head := r.Value[:bytes.Index(r.Value, []byte(beforeSpans))+len(beforeSpans)]
	list := make([][]byte, len(spans))
	for i, span := range spans {
		list[i] = span
	}
	r.Value = append(append(slices.Clone(head), bytes.Join(list, []byte(","))...), "]}"...)
	return r
}

// onAWhim takes the last span out of a record and makes a dead letter of it.
func onAWhim(r flusher.Record) []flusher.Record {
	spans := spansOf(r)
	if len(spans) < 2 {
		return []flusher.Record{r}
	}
	last := spans[len(spans)-1]
	var span struct {
		ID string `json:"span_id"`
	}
	_ = json.Unmarshal(last, &span) // it was written by the worker
	letters := strings.Replace(r.Topic, "segments", "dlq", 1)
	letter := flusher.Record{Topic: letters, Key: r.Key, Value: last}
	for _, h := range r.Headers {
		if h.Key != flusher.HeaderChunkIndex && h.Key != flusher.HeaderChunkCount {
			letter.Headers = append(letter.Headers, h)
		}
	}
	name := flusher.Header{Key: flusher.HeaderSpan, Value: []byte(span.ID)}
	letter.Headers = append(append(letter.Headers, name),
		flusher.DeadLetterHeaders(errors.New("whim"), "spans", buffer.Position{})...)
	return []flusher.Record{letter, withSpans(r, spans[:len(spans)-1])}
}
