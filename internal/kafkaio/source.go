package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/flusher"
)

// ErrNotAssigned means that offsets were not committed, since the partition is another member's.
var ErrNotAssigned = errors.New("partition is not assigned to this member any more")

// Source reads a topic as a member of a consumer group. Rebalances are cooperative: a partition
// that is not asked for is read all the while.
//
// A revoked partition leaves in this order, so that its next owner starts behind everything that
// was read here:
//
//	the group asks for it        callback begins, nothing of it is polled any more
//	Poll reports it in Revoked   the loop finishes what is in work, and commits
//	Released                     callback returns, the group gives it away
//
// A loop that does not release in ReleaseTimeout is not waited for: the partition goes, and later
// commits of it are refused.
type Source struct {
	cfg        SourceConfig
	client     *kgo.Client
	assignment *assignment
	touch      *touch
	gaps       *gaps
	retention  retention
	made       chan struct{} // closed once client is set: its callbacks may come before
	troubles   *flusher.Troubles
	log        *slog.Logger
	admitted   atomic.Pointer[time.Time] // when the group let it in first; nil: not yet
	refetches  atomic.Int32              // how often offsets were refused one after another
	hasRead    bool                      // a message; Poll's own
	silence    silence                   // Poll's own
	failing    failing                   // Poll's own
	unknown    atomic.Pointer[spell]     // when brokers did not know the topic's id; nil: they do
	ended      atomic.Pointer[error]     // by the watch: why it cannot go on
	watching   sync.WaitGroup
	unwatch    context.CancelFunc
	closing    sync.Once
	closed     chan struct{} // by Close: callbacks wait no more
}

var _ flusher.Source = (*Source)(nil)

// NewSource joins the group. It does not wait for an assignment.
func NewSource(cfg Config, sc SourceConfig) (*Source, error) {
	if err := errors.Join(cfg.Validate(), sc.Validate()); err != nil {
		return nil, err
	}
	log := cfg.log().With("topic", sc.Topic, "group", sc.Group)
	brokers := cfg.brokers("source")
	s := &Source{
		cfg:       sc,
		touch:     newTouch(brokers, sc),
		gaps:      newGaps(),
		troubles:  newFetching(log),
		log:       log,
		failing:   failing{},
		retention: retention{kept: KeptForever},
		closed:    make(chan struct{}),
		made:      make(chan struct{}),
	}
	s.assignment = newAssignment(sc, s.fetch)
	isolation := kgo.ReadCommitted()
	if sc.Uncommitted {
		isolation = kgo.ReadUncommitted()
	}
	opts := append(cfg.options(brokers),
		kgo.WithHooks(s.touch),
		kgo.WithLogger(warnings{s.refused}),
		kgo.WithPools(&recordPool{}),
		kgo.ConsumeTopics(sc.Topic),
		kgo.ConsumerGroup(sc.Group),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AdjustFetchOffsetsFn(s.joined),
		kgo.FetchIsolationLevel(isolation),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(sc.SessionTimeout),
		kgo.HeartbeatInterval(sc.heartbeat()),
		kgo.RebalanceTimeout(sc.RebalanceTimeout),
		kgo.FetchMaxWait(sc.FetchWait),
		kgo.FetchMaxBytes(sc.FetchBytesMax),
		kgo.FetchMaxPartitionBytes(sc.FetchPartitionBytesMax),
		kgo.KeepControlRecords(),       // or what is behind the last message would be unread, until it is deleted
		kgo.KeepRetryableFetchErrors(), // or a partition that cannot be read would look like one that has nothing
		kgo.ConsumePreferringLagFn(s.asks),
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onLost),
		kgo.OnOffsetsFetched(s.offsetsFetched),
	)
	if sc.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(sc.InstanceID))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("%s: source: %w", cfg.where(), err)
	}
	s.client = client
	close(s.made)
	ctx, cancel := context.WithCancel(context.Background())
	s.unwatch = cancel
	s.watching.Go(func() { s.watch(ctx) })
	return s, nil
}

// Poll returns a change of the assignment alone, or what there is of each partition, with what is
// missing before it. (A gap is seen when the next messages come: until then the client says nothing.)
func (s *Source) Poll(ctx context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	if err := s.ended.Load(); err != nil {
		return flusher.Fetch{}, *err
	}
	s.settle()
	s.retry()
	if s.assignment.hungry() {
		if err := s.absorb(s.buffered()); err != nil {
			return flusher.Fetch{}, err
		}
	}
	fetch, err := s.serve(ctx, limit)
	if err != nil || !empty(fetch) {
		return fetch, err
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if s.assignment.await(cancel) {
		var fetches kgo.Fetches
		if s.assignment.hungry() {
			fetches = s.client.PollRecords(bounded, 0)
		} else {
			<-bounded.Done() // all partitions pause
		}
		s.assignment.awake()
		if err := s.absorb(fetches); err != nil {
			return flusher.Fetch{}, err
		}
	}
	return s.serve(ctx, limit)
}

// buffered returns what the client holds, without waiting: that is what a nil context asks for.
func (s *Source) buffered() kgo.Fetches {
	var none context.Context
	return s.client.PollRecords(none, 0)
}

func empty(f flusher.Fetch) bool {
	return len(f.Batches)+len(f.Assigned)+len(f.Revoked)+len(f.Lost)+len(f.Gaps) == 0
}

// serve returns what is held, or the context's error if there is nothing.
func (s *Source) serve(ctx context.Context, limit int) (flusher.Fetch, error) {
	fetch := s.assignment.take(limit)
	if fetch.InTouch = s.touch.well(); fetch.InTouch {
		fetch.Silent = s.silent()
	}
	if empty(fetch) {
		return fetch, ctx.Err()
	}
	return fetch, nil
}

// InTouch tells whether the brokers answer, fetches among others. Of a source that fetches nothing, since it
// has no partitions or all of them pause, that is not known, and it is not.
func (s *Source) InTouch() bool { return s.touch.well() }

// AnsweredSince returns since when brokers answer, whatever they are asked; zero if none does.
func (s *Source) AnsweredSince() time.Time { return s.touch.since() }

// silence is which partitions are silent, as of some time.
type silence struct {
	partitions []int32
	looked     time.Time
}

// silenceAge is how long that is believed.
const silenceAge = 100 * time.Millisecond

// silent returns the assigned partitions of which nobody knows what they have, or by whom. (A broker of which
// nothing is fetched since too much is held of its partitions, is silent, too; what waits there has not
// been read.)
func (s *Source) silent() []int32 {
	if time.Since(s.silence.looked) < silenceAge {
		return s.silence.partitions
	}
	var silent []int32
	for _, number := range s.assignment.assigned() {
		if s.isSilent(number) {
			silent = append(silent, number)
		}
	}
	s.silence = silence{silent, time.Now()}
	return silent
}

func (s *Source) isSilent(number int32) bool {
	broker, epoch, err := s.client.PartitionLeader(s.cfg.Topic, number)
	return err != nil || s.touch.silent(leader{broker, epoch}, number)
}

// asks is called by the client with every fetch that it is about to write, to ask in which order: the only
// place where it says what it fetches. All partitions of a fetch are of one broker.
func (s *Source) asks(
	lags map[string]map[int32]int64, _ []string, order map[string][]int32,
) ([]string, map[string][]int32) {
	<-s.made
	if numbers := order[s.cfg.Topic]; len(numbers) > 0 {
		// An error is of the last answer about the topic: it is fetched where it was before.
		broker, _, _ := s.client.PartitionLeader(s.cfg.Topic, numbers[0])
		s.touch.ask(broker, numbers, lags[s.cfg.Topic])
	}
	return nil, nil // in its own
}

// fetch makes the client fetch partitions, or stop to.
func (s *Source) fetch(numbers []int32, on bool) {
	partitions := map[string][]int32{s.cfg.Topic: numbers}
	if on {
		s.client.ResumeFetchPartitions(partitions)
	} else {
		s.client.PauseFetchPartitions(partitions)
	}
}

// absorb holds what the client fetched. Its error is one that will not pass.
func (s *Source) absorb(fetches kgo.Fetches) error {
	var fatal error
	var taken, failed []int32
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if p.Err != nil {
			err, passes := s.judge(p.Topic, p.Partition, p.Err)
			fatal = errors.Join(fatal, err)
			if passes && p.Topic != "" && s.assignment.has(p.Partition) {
				failed = append(failed, p.Partition)
			}
		}
		if p.Err == nil {
			s.touch.look(p, s.gaps.start(p.Partition), s.end(p))
		}
		if len(p.Records) > 0 {
			taken = append(taken, p.Partition)
		}
		messages := data(p.Records)
		if gap, is := s.gaps.read(p, messages); is {
			s.assignment.miss(gap)
		}
		if len(messages) > 0 {
			s.assignment.add(p.Partition, messages)
		}
		for _, record := range p.Records {
			record.Recycle()
		}
	})
	s.take(taken)
	s.fail(failed) // behind what was read of it
	s.touch.empty()
	return fatal
}

// end returns where what this source may read of a partition ended when it was fetched.
func (s *Source) end(p kgo.FetchTopicPartition) int64 {
	if s.cfg.Uncommitted || p.LastStableOffset < 0 {
		return p.HighWatermark
	}
	return min(p.HighWatermark, p.LastStableOffset)
}

// data returns the records without the marks of transactions.
func data(records []*kgo.Record) []*kgo.Record {
	is := func(r *kgo.Record) bool { return r.Attrs.IsControl() }
	if !slices.ContainsFunc(records, is) {
		return records
	}
	return slices.DeleteFunc(slices.Clone(records), is)
}

// take notes of which partitions something was read.
func (s *Source) take(partitions []int32) {
	if len(partitions) == 0 {
		return
	}
	s.hasRead = true
	s.unknown.Store(nil)
	for _, number := range partitions {
		delete(s.failing, number)
	}
	s.assignment.fail(partitions, false)
	if len(s.failing) == 0 && !s.touch.refuses() {
		s.troubles.Works(fetching)
	}
	by := map[int32][]int32{}
	for _, number := range partitions {
		if broker, _, err := s.client.PartitionLeader(s.cfg.Topic, number); err == nil {
			by[broker] = append(by[broker], number)
		}
	}
	for broker, numbers := range by { //order-free: each by itself
		s.touch.take(broker, numbers)
	}
}

// judge returns the error of a fetch if it is fatal, and whether it is one that passes by itself: that is
// said while it lasts. Others are neither.
func (s *Source) judge(topic string, number int32, err error) (ends error, passes bool) {
	var loss *kgo.ErrDataLoss
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, false // the end of the wait
	case errors.As(err, &loss):
		s.log.Error("kafka lost messages that were not read yet; continuing where it resumes",
			"partition", number, "consumed_to", loss.ConsumedTo, "reset_to", loss.ResetTo, "error", err)
		return nil, false
	case errors.Is(err, kerr.FencedInstanceID):
		return fmt.Errorf("consumer group %s: another member has joined as instance %q: %w",
			s.cfg.Group, s.cfg.InstanceID, err), false
	case s.wasAllowed(err): // it passes, as with all else that is refused
	case fatal(err):
		if topic == "" {
			return fmt.Errorf("consumer group %s: %w", s.cfg.Group, err), false
		}
		return fmt.Errorf("read topic %s, partition %d: %w", topic, number, err), false
	}
	if topic != "" && number >= 0 {
		if !s.assignment.has(number) {
			return nil, false // another member's, or not ours any more
		}
		err = fmt.Errorf("partition %d: %w", number, err)
	}
	if errors.Is(err, kerr.UnknownTopicID) {
		s.unknown.Store(s.unknown.Load().more(time.Now(), s.touch.failedMax))
	}
	s.troubles.Fails(fetching, "fetch", err)
	return nil, true
}

// Troubles returns the register of what fails for now: that Kafka cannot be read.
func (s *Source) Troubles() *flusher.Troubles { return s.troubles }

// Pause holds back what is fetched of these partitions, and fetches no more when HeldBytesMax of
// one is held.
func (s *Source) Pause(partitions ...int32) { s.assignment.pause(partitions, true) }

// Resume ends Pause, also for a Poll that waits.
func (s *Source) Resume(partitions ...int32) { s.assignment.pause(partitions, false) }

// Released lets revoked partitions go.
func (s *Source) Released(partitions ...int32) { s.assignment.release(partitions) }

// Close leaves the group, unless the membership is static. Commit before. It may be called again.
func (s *Source) Close() {
	s.closing.Do(func() { close(s.closed) })
	s.unwatch()
	s.watching.Wait()
	s.client.Close()
}

// slab is memory for the bytes of messages of one partition, which are done about in the order in which
// they came: a piece of it is held no longer than the last of those that lie side by side in it.
type slab []byte

// slabBytes is the size of a piece.
const slabBytes = 64 << 10

// keep copies some bytes, which may be nil.
func (s *slab) keep(text []byte) []byte {
	if len(text) == 0 {
		return text
	}
	if cap(*s)-len(*s) < len(text) {
		*s = make([]byte, 0, max(slabBytes, len(text)))
	}
	from := len(*s)
	*s = append(*s, text...)
	return (*s)[from:len(*s):len(*s)]
}

// message converts a record. Key and value are copied: in place they would keep all of a broker's answer
// in memory, with what it has of other partitions, until the slowest of them is done with it.
func message(record *kgo.Record, to *slab) flusher.Message {
	return flusher.Message{
		Position:    buffer.Position{Partition: record.Partition, Offset: record.Offset},
		Time:        record.Timestamp,
		LeaderEpoch: record.LeaderEpoch,
		Key:         to.keep(record.Key),
		Value:       to.keep(record.Value),
	}
}

func messageBytes(m *flusher.Message) int { return len(m.Key) + len(m.Value) }
