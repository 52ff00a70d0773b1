package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/reports"
	"sluice/scenarios"
)

func newTestSink() (*Sink, *load.Generator) {
	s := scenarios.Default()
	s.Workload.Bad, s.Workload.Duplicates = 0.1, 0.1
	g := load.NewGenerator(s)
	return NewSink(s, g, nil), g
}

// TestSinkEntersWhatIsSent: a span that is sent again is due when it first was, and what is no span
// is due at no time.
func TestSinkEntersWhatIsSent(t *testing.T) {
	s, g := newTestSink()
	start := time.Now()
	s.begin(start)
	var spans, bad, repeats int64
	for range 1000 {
		var m load.Message
		g.Next(&m)
		before := s.Ledger.Due(m.Seq)
		switch {
		case m.Bad:
			bad++
		case m.Repeat:
			repeats++
			m.At += time.Hour
		default:
			spans++
			before = m.At.Truncate(10 * time.Microsecond)
		}
		s.Sent(start, &m)
		if at := s.Ledger.Due(m.Seq); at != before {
			t.Fatalf("message %d is due at %v, want %v", m.Seq, at, before)
		}
	}
	balance := s.Ledger.Balance(0)
	if balance.Sent != spans || balance.BadSent != bad || balance.Messages != 1000 ||
		bad*repeats == 0 {
		t.Errorf("%d spans, %d bad messages and %d repeats were sent; balance is %+v", spans, bad,
			repeats, balance)
	}
}

// TestSinkKnowsWhatKafkaTookLate: spans whose message waited for Kafka for longer than their segment
// waits for the next one are split through no fault of the system.
func TestSinkKnowsWhatKafkaTookLate(t *testing.T) {
	for name, c := range map[string]struct {
		late        bool
		unexplained int
	}{"at once": {false, 1}, "late": {true, 0}} {
		s, g := newTestSink()
		start := time.Now()
		s.begin(start)
		traces := map[uint64][]load.Message{}
		var of []load.Message // the first two spans of a trace, of which the second is the child of the first
		for of == nil {
			var m load.Message
			if !g.Next(&m) {
				t.Fatal("no trace has two spans")
			}
			if m.Bad || m.Repeat {
				continue
			}
			s.Sent(start.Add(m.At), &m)
			if traces[m.Root] = append(traces[m.Root], m); len(traces[m.Root]) == 2 && m.Seq == m.Root+1 &&
				traces[m.Root][0].Seq == m.Root {
				of = traces[m.Root]
			}
		}
		at := start.Add(of[1].At)
		if c.late {
			at = at.Add(s.late.Behind)
		}
		s.Waited(at, &of[1])
		for _, m := range of {
			s.Output(at.Add(time.Minute), outputOf(t, &m))
		}
		balance := s.Ledger.Balance(0)
		if balance.Of(ledger.Split).Count != 1 || len(balance.Incidents) != c.unexplained {
			t.Errorf("%s: %+v, want %d", name, balance.Incidents, c.unexplained)
		}
	}
}

// outputOf returns the record of a segment of that span alone.
func outputOf(t *testing.T, m *load.Message) ledger.Record {
	t.Helper()
	of := codec.New(1 << 20)
	is, err := of.Decode(m.Value)
	if err != nil {
		t.Fatal(err)
	}
	generation := buffer.Generation{TraceKey: is.TraceKey, Segment: is.ID,
		ID: buffer.DeliveryID{Partition: m.Partition, Number: int64(m.Seq) + 1}}
	chunks, err := of.Encode(generation, []buffer.Span{is.Span})
	if err != nil {
		t.Fatal(err)
	}
	r := ledger.Record{Partition: m.Partition, Offset: int64(m.Seq), Key: m.Key, Value: chunks[0].Value}
	for key, text := range map[string]string{
		ledger.HeaderSegment: is.ID.String(), ledger.HeaderTrace: is.Trace.String(),
		ledger.HeaderProject: fmt.Sprint(is.Project), ledger.HeaderGeneration: generation.ID.String(),
		ledger.HeaderChunkIndex: "0", ledger.HeaderChunkCount: "1",
	} {
		r.Headers = append(r.Headers, ledger.Header{Key: key, Value: []byte(text)})
	}
	return r
}

func TestSinkKnowsWhenRecordsCameOut(t *testing.T) {
	s, _ := newTestSink()
	if first, last := s.outputs(); !first.IsZero() || !last.IsZero() {
		t.Errorf("without records: %v, %v", first, last)
	}
	start := time.Now()
	s.Output(start, ledger.Record{})
	s.Output(start.Add(time.Second), ledger.Record{})
	s.DeadLetter(start.Add(2*time.Second), ledger.Record{})
	if first, last := s.outputs(); first != start || last != start.Add(2*time.Second) {
		t.Errorf("the first came %v after the start, the last %v", first.Sub(start), last.Sub(start))
	}
	found := int64(0)
	for _, f := range s.Ledger.Balance(0).Findings {
		found += f.Count
	}
	if found != 3 {
		t.Errorf("%d of 3 bad records came to the ledger", found)
	}
}

// TestSinkRecordsTheEndOfAConsumer: its workers are lost with one that did not drain.
func TestSinkRecordsTheEndOfAConsumer(t *testing.T) {
	for _, c := range []struct {
		err              error
		consumer, worker reports.State
	}{
		{nil, reports.StateStopped, reports.StateHealthy},
		{errors.New("planted"), reports.StateDead, reports.StateDead},
	} {
		s, _ := newTestSink()
		s.Supervised(1, 1, flusher.Event{Kind: flusher.EventHealthy, At: time.Now(), Worker: 2})
		s.Ended(time.Now(), 1, true, ingest.Counters{}, c.err)
		states := s.record.states
		if got := states[who{1, reports.NoWorker}]; got != c.consumer {
			t.Errorf("with error %v the consumer is %s", c.err, got)
		}
		if got := states[who{1, 2}]; got != c.worker {
			t.Errorf("with error %v the worker is %s", c.err, got)
		}
	}
}

func TestSinkTellsOfAConsumerThatFell(t *testing.T) {
	s, _ := newTestSink()
	told := 0
	s.whenFallen(func() { told++ })
	s.Ended(time.Now(), 0, true, ingest.Counters{}, errors.New("planted"))
	if _, fallen := s.fallen(); fallen || told != 0 {
		t.Error("one that was ended has fallen")
	}
	s.Ended(time.Now(), 0, false, ingest.Counters{}, nil) // also in good order: nobody had asked for it
	if err, fallen := s.fallen(); !fallen || err != nil || told != 1 {
		t.Errorf("fallen is %v, with %v; told %d times", fallen, err, told)
	}
	s.whenFallen(func() { told++ }) // it is too late already
	if told != 2 {
		t.Errorf("told %d times", told)
	}
	s.forgive()
	if _, fallen := s.fallen(); fallen {
		t.Error("it is not forgotten")
	}
	planted := errors.New("planted")
	s.Ended(time.Now(), 0, false, ingest.Counters{}, planted)
	if err, fallen := s.fallen(); !fallen || !errors.Is(err, planted) || told != 3 {
		t.Errorf("fallen is %v, with %v; told %d times", fallen, err, told)
	}
}

// TestAConsumerThatEndsUnaskedEndsTheLoad, unless the scenario is about that.
func TestAConsumerThatEndsUnaskedEndsTheLoad(t *testing.T) {
	for _, c := range []struct {
		name  string
		asked bool
		end   scenarios.End
		ends  bool
	}{
		{"unasked", false, scenarios.EndDrained, true},
		{"asked", true, scenarios.EndDrained, false},
		{"expected", false, scenarios.EndBudget, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			rig := newRig(t)
			s := scenarios.Default()
			s.Expectations.End = c.end
			r := &run{cfg: Config{Scenario: s}, system: rig.fakeSystem, sink: rig.sink,
				injector: rig.injector}
			r.observer = newObserver(r)
			rig.send = func(context.Context) {
				rig.sink.Ended(rig.Now(), firstConsumer, c.asked, ingest.Counters{}, errors.New("planted"))
			}
			watching, endWatching := context.WithCancel(t.Context())
			var e judge.Evidence
			observing, err := r.load(t.Context(), watching, &e)
			endWatching()
			if err != nil {
				t.Fatal(err)
			}
			observing.Wait()
			if (e.SendErr != nil) != c.ends {
				t.Errorf("the load ended with %v", e.SendErr)
			}
			phases := rig.heard(reports.EventPhase)
			if !slices.ContainsFunc(phases, func(e reports.Event) bool {
				return e.Text == reports.PhaseLoad && e.T == 0
			}) {
				t.Errorf("phases are %+v", phases)
			}
		})
	}
}
