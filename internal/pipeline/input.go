package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/consumer"
	"sluice/internal/kafkaio"
)

// checkStranded says what Redis holds of partitions that the input topic does not have any more.
func (p *Pipeline) checkStranded(ctx context.Context) error {
	partitions, err := kafkaio.Partitions(ctx, p.kafka, p.cfg.InputTopic)
	if err != nil {
		return err
	}
	stranded, err := p.store.Stranded(ctx, buffer.Shard(partitions))
	if err != nil {
		return err
	}
	if len(stranded) == 0 {
		return nil
	}
	segments := int64(0)
	for _, waits := range stranded {
		segments += waits
	}
	gone := slices.Sorted(maps.Keys(stranded))
	p.log.Error("the input topic has fewer partitions than before, and redis holds segments of those that "+
		"are gone: nobody flushes them", "topic", p.cfg.InputTopic, "partitions", partitions,
		"gone", gone, "segments", segments, "remedy", fmt.Sprintf("give the topic %d partitions "+
			"(kafka-topics.sh --alter --topic %s --partitions %d): then they are flushed",
			gone[len(gone)-1]+1, p.cfg.InputTopic, gone[len(gone)-1]+1))
	return nil
}

// rounds is a store's audit that tells of the end of each round of the sweep, and if it could not go on.
type rounds struct {
	buffer.Auditor
	over   func(context.Context)
	failed func()
}

// Sweep implements buffer.Auditor.
func (r rounds) Sweep(ctx context.Context, from string, limit int) (buffer.Swept, error) {
	swept, err := r.Auditor.Sweep(ctx, from, limit)
	switch {
	case err != nil:
		r.failed()
	case swept.Next == "":
		r.over(ctx)
	}
	return swept, err
}

// otherSlices is what is known of slices in whose queues something waits. It is the sweep's own.
type otherSlices struct {
	inTouch func() bool // whether our own input can be read
	looked  time.Time
	stands  map[string]standing
}

// standing is a slice: until when its input was seen, since when that is known to stand, while that says
// something of its consumers (zero: not yet), and whether it was said that it has none.
type standing struct {
	seen  buffer.Instant
	since time.Time
	said  bool
}

// forsakenAfter is how long the input of a slice must not have moved on for nobody to serve it, and lookEvery
// how often that is looked at: rounds are as short as there is little to sweep.
const (
	forsakenAfter = time.Minute
	lookEvery     = forsakenAfter / 4
)

// pause lets what stands begin anew: if the brokers or Redis were away, no input moved on, whoever serves it.
func (o *otherSlices) pause() {
	//order-free: each by itself
	for slice, s := range o.stands {
		s.since = time.Time{}
		o.stands[slice] = s
	}
}

// forsaken returns the slices that are found, at now, to be served by nobody, each once until it is served.
// What was seen when is not compared with our clock: after an outage of all, the first that starts would
// take the others for gone.
func (o *otherSlices) forsaken(found map[string]redisstore.Waits, now time.Time) (gone []string) {
	stands := make(map[string]standing, len(found))
	for _, slice := range slices.Sorted(maps.Keys(found)) {
		s, known := o.stands[slice]
		switch {
		case !known || s.seen != found[slice].Seen:
			s = standing{seen: found[slice].Seen, since: now}
		case s.since.IsZero():
			s.since = now
		case !s.said && now.Sub(s.since) >= forsakenAfter:
			s.said = true
			gone = append(gone, slice)
		}
		stands[slice] = s
	}
	o.stands = stands
	return gone
}

// onRound says which slices nobody serves any more although segments wait in their queues. That is so when
// the last consumer with another --slice has gone.
func (p *Pipeline) onRound(ctx context.Context) {
	if !p.others.inTouch() {
		p.others.pause()
		return
	}
	now := time.Now()
	if now.Sub(p.others.looked) < lookEvery {
		return
	}
	found, err := p.store.OtherSlices(ctx)
	if err != nil {
		p.others.pause() // Redis is away, which is said elsewhere
		return
	}
	p.others.looked = now
	for _, slice := range p.others.forsaken(found, now) {
		p.log.Warn("segments wait in the queues of another slice, and no input of it is seen: only a consumer "+
			"of that slice flushes them", "slice", slice, "segments", found[slice].Segments,
			"ours", p.cfg.Redis.Slice,
			"remedy", fmt.Sprintf("start the consumers with --slice %q again until they are flushed", slice))
	}
}

// onStarts says where partitions are read from, if that is not where they were left.
func (p *Pipeline) onStarts(ctx context.Context, starts []kafkaio.Start) {
	shards := make([]buffer.Shard, len(starts))
	for i, start := range starts {
		shards[i] = buffer.Shard(start.Partition)
	}
	left, err := p.store.Positions(ctx, shards)
	if err != nil {
		return // Redis is away, which is said elsewhere
	}
	var forgot, behind []setBack
	for _, start := range starts {
		at := left[buffer.Shard(start.Partition)]
		b := setBack{partition: start.Partition, from: at.Next, to: start.Offset, certain: start.Queued}
		switch {
		// A fence makes a shard known, but who was told of input once and knows no offset has forgotten it.
		case !start.None && start.Offset > 0 && (!at.Known || start.Queued && at.Next == 0):
			forgot = append(forgot, b)
		case start.Queued && at.Next < start.Offset:
			behind = append(behind, b)
		case at.Next != 0 && at.Next != start.Offset:
			p.onReset(start, at.Next)
		}
	}
	p.onForgot(p.setBacks.fresh(forgot))
	p.onBehind(p.setBacks.fresh(behind))
	p.settle(ctx, slices.Concat(forgot, behind))
}

// settle notes in Redis where the input of partitions stands whose loss is said now: until the next batch
// of each, every member that gets it would find the loss again. (Nothing is hidden by that: a Redis that is
// set back once more has forgotten the note, too.)
func (p *Pipeline) settle(ctx context.Context, lost []setBack) {
	to := make(map[buffer.Shard]int64)
	for _, l := range lost {
		if l.certain {
			to[buffer.Shard(l.partition)] = l.to
		}
	}
	if len(to) == 0 {
		return
	}
	if err := p.store.Advance(ctx, to); err != nil {
		p.log.Warn("what redis has lost will be said again: it takes no note of where the input stands",
			"error", err)
	}
}

// onForgot says of which partitions Redis has nothing any more.
func (p *Pipeline) onForgot(forgot []setBack) {
	if len(forgot) == 0 {
		return
	}
	partitions := make([]int32, len(forgot))
	for i, f := range forgot {
		partitions[i] = f.partition
	}
	p.log.Error("redis knows nothing of partitions that the group has read: it was wiped since, and what "+
		"it held is lost; or the namespace or the slice is a new one, and what the old one holds waits until "+
		"that is given again", "partitions", partitions, "namespace", p.cfg.Redis.Namespace,
		"slice", p.cfg.Redis.Slice)
}

// onReset says that a partition is read from another offset than the one it was left at.
func (p *Pipeline) onReset(start kafkaio.Start, from int64) {
	switch {
	case start.None && from <= start.Read:
		// It was lost before its first commit: that is no more than any loss of a partition, which was said.
	case start.None:
		p.log.Error("the group has no offset of the partition any more (expired, deleted, or none was ever "+
			"committed): it is read from its start, and what was flushed comes out again. If another topic was "+
			"read into this namespace before, from is an offset of that, and nothing is repeated",
			"topic", p.cfg.InputTopic, "partition", start.Partition, "from", from, "to", start.Offset)
	case start.Set && start.Offset > from:
		p.log.Error("the offset of the group was set ahead: messages in between are not read",
			"partition", start.Partition, "from", from, "to", start.Offset,
			"messages", start.Offset-from)
	case start.Set:
		p.log.Warn("the offset of the group was set back: messages are read again",
			"partition", start.Partition, "from", from, "to", start.Offset,
			"messages", from-start.Offset)
	}
}

// onBehind says that Redis was set back before this member looked.
func (p *Pipeline) onBehind(behind []setBack) {
	if len(behind) == 0 {
		return
	}
	var partitions []int32
	var from, to []int64
	messages := int64(0)
	for _, b := range behind {
		partitions, from, to = append(partitions, b.partition), append(from, b.from), append(to, b.to)
		messages += b.to - b.from
	}
	p.log.Error("redis is behind what the group has committed: it was set back (an older file, a replica that "+
		"lagged), or another topic was read into this namespace; what lies between may be lost", "partitions", partitions, "from", from, "to", to, "messages", messages)
}

// setBack is a partition of which Redis has forgotten what lies between two offsets, or all (from 0).
type setBack struct {
	partition int32
	from, to  int64
	certain   bool // it was told of that, and then the group committed it
}

// setBacks are the losses of Redis that only the offsets tell of, since nobody beat when it happened.
type setBacks struct {
	mu     sync.Mutex
	heard  bool            // of one that the audit has seen, whose traces these would be
	said   map[int32]int64 // from where, by partition: until the next batch it stays so
	losses uint64          // 1 at the most: of one from before it ran, since the audit sees those that come later
}

// hear takes note that the audit has seen a loss, and said it.
func (s *setBacks) hear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = true
}

// fresh returns those that are to be said. All that are certain count as one loss, however many rebalances
// bring their partitions.
func (s *setBacks) fresh(behind []setBack) (fresh []setBack) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range behind {
		from, said := s.said[b.partition]
		if s.heard || said && from == b.from {
			continue
		}
		if s.said == nil {
			s.said = make(map[int32]int64)
		}
		s.said[b.partition] = b.from
		fresh = append(fresh, b)
		if b.certain {
			s.losses = 1
		}
	}
	return fresh
}

// Audited returns what the audit of the store has seen so far. The losses are also those from before it began.
func (p *Pipeline) Audited() consumer.AuditCounters {
	counters := p.Consumer.Audited()
	p.setBacks.mu.Lock()
	defer p.setBacks.mu.Unlock()
	counters.Losses += p.setBacks.losses
	return counters
}
