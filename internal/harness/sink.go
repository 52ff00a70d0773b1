package harness

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/journal"
	"sluice/internal/judge"
	"sluice/internal/latency"
	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// Sink hears from a System what it sends, what comes out, and what happens. Its methods may be called
// from several tasks at once; times are the System's.
type Sink struct {
	// Ledger is the account of all messages, Journal what is kept for a timeline; nil if nothing is.
	Ledger  *ledger.Ledger
	Journal *journal.Journal
	latency *latency.Spread
	late    judge.Lateness
	options scenarios.Pipeline
	skews   bool
	record  *recorder

	start atomic.Pointer[time.Time] // of the load; nil before

	mu          sync.Mutex
	crowds      load.Crowds
	first, last time.Time // when the first record came out, and the last
	lives       []judge.Life
	fell        *fall // nil as long as every end of a consumer was asked for
	onFall      func()
	onStage     func(worker int, stage string) bool
	forced      time.Duration // how long a consumer had that did not stop when it was asked to
	breaches    ledger.Found
	withheld    []judge.Withheld
	losses      []judge.Loss
	ousters     []judge.Ouster
}

// fall is the end of a consumer that nobody asked for.
type fall struct{ err error }

// NewSink returns the sink of a scenario's load. Listen hears of every event.
func NewSink(of scenarios.Scenario, by *load.Generator, listen func(reports.Event)) *Sink {
	account := ledger.New(by.Recipe)
	account.SegmentBytesMax = int(of.Pipeline.MaxSegmentBytes)
	late := judge.LatenessOf(of)
	account.RootSilence, account.Silence = late.RootSilence, late.Silence
	if slices.ContainsFunc(of.Faults, func(f scenarios.Fault) bool {
		return f.Verb == scenarios.VerbDelete || f.Verb == scenarios.VerbFailover
	}) {
		account.KeepPlaces()
	}
	return &Sink{Ledger: account, latency: latency.New(), record: newRecorder(listen),
		late: late, options: of.Pipeline, skews: of.Workload.Skew.Share > 0}
}

// begin says when the load starts.
func (s *Sink) begin(start time.Time) {
	s.start.Store(&start)
	s.latency.Begin(start)
	s.record.begin(start)
	s.Journal.Begin(start)
}

// Sent notes a message that is about to be sent.
func (s *Sink) Sent(at time.Time, m *load.Message) {
	if m.Late && s.late.Held || m.Skewed || s.since(at)-m.At >= s.late.Behind ||
		m.Repeat && m.At-s.Ledger.Due(m.Seq) >= s.late.Repeat {
		s.Ledger.Late(m.Root)
	}
	if s.skews {
		s.mu.Lock()
		for _, root := range s.crowds.Sent(m) {
			s.Ledger.Late(root)
		}
		s.mu.Unlock()
	}
	if m.Bad {
		s.Ledger.SentBad(m.Seq, m.Root)
		return
	}
	s.Ledger.Sent(m.Seq, m.Root, m.At)
	s.Journal.Sent(at, m)
}

// Waited notes until when a message waited for Kafka's answer, or was given up: it may be as late as that.
func (s *Sink) Waited(at time.Time, m *load.Message) {
	if s.since(at)-m.At >= s.late.Behind {
		s.Ledger.Late(m.Root)
	}
}

// Placed notes at which offset a message stands; for the ledger, if it may become a dead letter, or be
// deleted.
func (s *Sink) Placed(m *load.Message, offset int64) {
	if !m.Bad {
		s.Journal.Placed(m, offset)
	}
	if s.Ledger.KeepsPlaces() {
		s.Ledger.Stands(m.Partition, m.Seq, m.Bad, offset)
	}
	if m.Bad || !m.Repeat && len(m.Value) >= s.Ledger.RecordBytesMax/2 {
		s.Ledger.Placed(m.Seq, m.Bad, offset)
	}
}

// Output notes a record of the output topic, DeadLetter one of the dead-letter topic.
func (s *Sink) Output(at time.Time, r ledger.Record) {
	s.came(at)
	r.At = s.since(at)
	out := s.Ledger.Output(r)
	if len(out.Spans) > 0 {
		s.Journal.Out(at, r.Partition, r.Offset, out.Root, out.Spans)
	}
	s.latency.Out(out.Due...)
	if out.Whole {
		s.segment(at, out)
	}
}

// DeadLetter notes a record of the dead-letter topic.
func (s *Sink) DeadLetter(at time.Time, r ledger.Record) {
	s.came(at)
	r.At = s.since(at)
	if seq, root, is := s.Ledger.DeadLetter(r); is {
		s.Journal.Letter(at, r.Partition, r.Offset, root, seq)
	}
}

func (s *Sink) came(at time.Time) {
	s.latency.Reading(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = at
	if s.first.IsZero() {
		s.first = at
	}
}

// outputs returns when the first and the last record came out; zero if none did.
func (s *Sink) outputs() (first, last time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first, s.last
}

// Supervised notes a transition of a consumer's supervisor.
func (s *Sink) Supervised(consumer, life int, e flusher.Event) {
	s.record.supervisor(consumer, life, e)
}

// Changed notes that whose shards are whose may have changed, in a world that sees when it does. It asks
// how the consumers stand if that is judged.
func (s *Sink) Changed(at time.Time, stand func() []judge.ConsumerLook) { s.record.changed(at, stand) }

// Staged notes that a worker, or scenarios.OfConsumer, begins with a stage, in a world that sees that
// when it happens. It returns whether something was begun that they must not get ahead of.
func (s *Sink) Staged(consumer, worker int, stage string) bool {
	s.mu.Lock()
	tell := s.onStage
	s.mu.Unlock()
	return tell != nil && consumer == firstConsumer && tell(worker, stage)
}

// whenStaged has somebody told of the stages of the first consumer and its workers.
func (s *Sink) whenStaged(tell func(worker int, stage string) bool) {
	s.mu.Lock()
	s.onStage = tell
	s.mu.Unlock()
}

// Ingested notes what happened to a consumer's input.
func (s *Sink) Ingested(at time.Time, consumer int, e ingest.Event) {
	switch e.Kind {
	case ingest.PartitionsLost:
		s.ousted(at, consumer, len(e.Partitions))
		return
	case ingest.MessagesDeleted:
	default:
		return
	}
	if s.Ledger.KeepsPlaces() {
		s.Ledger.Missed(e.Gap.Partition, e.Gap.From, e.Gap.To)
	}
	s.record.note(at, reports.Event{Kind: reports.EventNote, Consumer: consumer, Worker: reports.NoWorker,
		Text: e.String()})
}

// ousted notes that a consumer's session with its group ended, and its partitions with it.
func (s *Sink) ousted(at time.Time, consumer, partitions int) {
	s.record.note(at, reports.Event{Kind: reports.EventNote, Consumer: consumer, Worker: reports.NoWorker,
		Text: fmt.Sprintf("lost %s, with its session", options.FormatCount(partitions, "partition"))})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ousters = append(s.ousters, judge.Ouster{T: s.since(at).Seconds(), Consumer: consumer})
}

// Audited notes what a consumer has seen of the store.
func (s *Sink) Audited(at time.Time, index int, e consumer.AuditEvent) {
	if e.Loss == nil {
		return
	}
	s.record.note(at, reports.Event{Kind: reports.EventNote, Consumer: index, Worker: reports.NoWorker,
		Text: e.String()})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses = append(s.losses, judge.Loss{
		T: s.since(at).Seconds(), Consumer: index, Spans: int64(e.Loss.Spans),
	})
}

// SetBack notes that a node of Redis lost just now what it was told since some offsets were committed.
// Of tells which traces it holds.
func (s *Sink) SetBack(committed map[int32]int64, of func(trace buffer.TraceKey) bool) {
	s.Ledger.ExcuseSince(ledger.SetBack, committed, of)
}

// Fresh notes how long after their deadlines segments were acknowledged, as a worker says.
func (s *Sink) Fresh(at time.Time, consumer, worker int, samples []time.Duration) {
	s.record.fresh.add(s.since(at).Seconds(), consumer, worker, samples)
}

// Breach notes that somebody made a call of the store that it should not have, or owed it one, in a
// world that sees that: who, and what, in words.
func (s *Sink) Breach(at time.Time, text string) {
	t := s.since(at).Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaches.Count++; s.breaches.Count == 1 {
		s.breaches.First = fmt.Sprintf("at %.1fs %s", t, text)
	}
}

// Withheld notes that a consumer holds back the input of a shard for no reason, in a world that sees that.
func (s *Sink) Withheld(at time.Time, consumer int, shard buffer.Shard) {
	w := judge.Withheld{T: s.since(at).Seconds(), Consumer: consumer, Shard: shard}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.withheld = append(s.withheld, w)
}

// since counts from the start of the load.
func (s *Sink) since(at time.Time) time.Duration {
	if start := s.start.Load(); start != nil {
		return at.Sub(*start)
	}
	return at.Sub(time.Time{})
}

// segment notes how long after its deadline a segment was read: its time-out counts from its last
// span, by a clock of whole seconds, but no segment grows older than it may.
func (s *Sink) segment(at time.Time, out ledger.Out) {
	timeout := s.options.Timeout
	if out.Rooted {
		timeout = s.options.RootTimeout
	}
	start := at.Add(-s.since(at))
	deadline := start.Add(out.Last).Truncate(time.Second).Add(timeout)
	if age := s.options.MaxSegmentAge; age > 0 {
		if old := start.Add(slices.Min(out.Due)).Truncate(time.Second).Add(age); old.Before(deadline) {
			deadline = old
		}
	}
	by := at.Sub(deadline)
	s.record.fresh.see(by)
	if by >= s.late.Behind {
		s.record.fresh.lagged(buffer.Shard(out.Shard), s.since(at).Seconds(), by.Seconds())
	}
}

// Consumer notes what a consumer is from now on.
func (s *Sink) Consumer(at time.Time, consumer int, state reports.State, text string) {
	s.record.consumer(at, consumer, state, text)
}

// Ended notes that a life of a consumer is over, with its error, or nil if it drained in good order.
// Asked is false if nobody had ended it or asked it to; done is what it has done with its input.
func (s *Sink) Ended(at time.Time, consumer int, asked bool, done ingest.Counters, err error) {
	life := judge.Life{T: s.since(at).Seconds(), Drained: err == nil}
	for _, p := range done.Partitions {
		life.Messages += int64(p.Messages)
		life.Spans += int64(p.Spans)
		life.Letters += int64(p.DeadLetters)
		life.Duplicates += int64(p.Duplicates)
		life.Batches += int64(p.Batches)
		life.Refused += int64(p.Retries)
		life.Deleted += int64(p.Deleted)
	}
	s.mu.Lock()
	s.lives = append(s.lives, life)
	s.mu.Unlock()
	if err == nil {
		s.record.consumer(at, consumer, reports.StateStopped, "drained")
	} else {
		s.record.consumer(at, consumer, reports.StateDead, err.Error())
		s.record.orphaned(at, consumer, err.Error())
	}
	if asked {
		return
	}
	s.mu.Lock()
	s.fell = &fall{err}
	then := s.onFall
	s.mu.Unlock()
	if then != nil {
		then()
	}
}

// tell adds to the evidence what was heard of consumers.
func (s *Sink) tell(e *judge.Evidence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.Lives, e.Losses, e.Ousters = slices.Clone(s.lives), slices.Clone(s.losses), slices.Clone(s.ousters)
	e.Breaches, e.Withheld, e.Crowds = s.breaches, slices.Clone(s.withheld), s.crowds.Count
	e.ForcedAfter = s.forced.Seconds()
}

// whenFallen has a function called when a consumer ends that nobody asked to.
func (s *Sink) whenFallen(do func()) {
	s.mu.Lock()
	s.onFall = do
	already := s.fell != nil
	s.mu.Unlock()
	if already {
		do()
	}
}

// force notes that a consumer did not stop within a time, and was ended.
func (s *Sink) force(within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forced = within
}

// forgive forgets it: the consumer is started again.
func (s *Sink) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fell = nil
}

// fallen returns why a consumer ended though nobody had asked it to; ok is false if none did.
func (s *Sink) fallen() (err error, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fell == nil {
		return nil, false
	}
	return s.fell.err, true
}

// BrokerRecordMax is how large a batch Kafka takes by default.
const BrokerRecordMax = 1 << 20

// firstConsumer is the one that faults happen to.
const firstConsumer = judge.FirstConsumer
