package ingest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// inWorkMax is how many batches of a partition are in work: one in the store, and one that is
// decoded and waits for it.
const inWorkMax = 2

// noOffset is the offset of a message that is not there.
const noOffset = -1

// partition is one tenure of a partition: from its assignment until nothing of it is in work.
type partition struct {
	number int32
	run    context.Context // of the loop
	ctx    context.Context // of its batches
	cancel context.CancelFunc

	pending []flusher.Message // polled and not in a batch
	bytes   buffer.Bytes      // of their values, and of those in work
	own     bool              // pending's memory is nobody else's, not the source's either
	array   []flusher.Message // empty: where that memory begins, with what was cut off pending's front
	room    []flusher.Message // memory for the next pending, of a batch that is done
	usual   int               // how many messages the last batch had
	since   time.Time         // when the first of pending was polled
	latest  time.Time         // when the last of them was
	more    bool              // the first of pending was too late for the clock of the last batch
	doubted int               // how many were pending when they were too few to judge the first by
	doubt   time.Time         // since when they have been
	started time.Time         // when the last batch was started
	inWork  []*batch          // oldest first
	last    *batch            // the last that was started; its successor waits for it
	earlier *batch            // the last of an earlier tenure, until there is a first of this one
	scratch [][]buffer.Span   // of batches that are done
	course  course

	joined  time.Time // when it was assigned
	settled int       // messages of batches that are in the store
	ready   bool      // what was delivered again is in the store, so it may be flushed
	flushed bool      // the assigner knows of it

	firstWait time.Duration // see patience

	done      flusher.Message // the last message of the last batch that is done
	committed int64           // offset of the last message that is committed
	tries     int             // of committing done that failed

	readable time.Time // since when nothing keeps it from being read; zero if something does
	caughtUp bool      // a batch was stored since
	abreast  bool      // see current
	vouches  bool      // there would be a tick now
	told     time.Time // when the last tick was begun
	vouched  time.Time // when the last batch was begun that said as much, and is stored

	paused bool   // at the source
	reason string // why the gate is closed, or empty
	lost   bool   // it is another member's, or a later tenure's: nothing of it can be committed
}

func newPartition(
	ctx context.Context, number int32, earlier *batch, now time.Time, c Config,
) *partition {
	p := &partition{number: number, run: ctx, earlier: earlier, joined: now, committed: noOffset,
		course: course{grain: c.grain()}, firstWait: c.AssignWait / 2}
	p.done.Position.Offset = noOffset
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// tail returns the last batch that was started, in this tenure or an earlier one.
func (p *partition) tail() *batch {
	if p.last == nil {
		return p.earlier
	}
	return p.last
}

// uncommitted tells whether there is an offset to commit. It may be one below the last, if Kafka lost the
// end of the log.
func (p *partition) uncommitted() bool {
	return !p.lost && p.done.Position.Offset != p.committed
}

// lose ends a tenure of which nothing can be committed, or released, any more.
func (p *partition) lose() {
	p.lost = true
	p.cancel()
}

// full tells whether the source is to hold back what comes next.
func (p *partition) full(maxBatch int, share buffer.Bytes) bool {
	return len(p.pending) >= maxBatch || p.heavy(share)
}

// heavy tells whether its messages are as large as they may be, however few they are.
func (p *partition) heavy(share buffer.Bytes) bool { return p.bytes >= share }

// accept adds what was polled.
func (p *partition) accept(messages []flusher.Message, now time.Time) {
	p.bytes += bytesOf(messages)
	p.latest = now
	if len(p.pending) == 0 {
		p.pending, p.own, p.since = messages, false, now
		return
	}
	if cap(p.pending)-len(p.pending) < len(messages) {
		p.makeRoom(len(messages))
	}
	p.pending = append(p.pending, messages...)
}

// drop lets go of what is pending: it is delivered again.
func (p *partition) drop() {
	p.bytes -= bytesOf(p.pending)
	p.pending = nil
}

// tryOnce has its offset tried once more at least, however often that failed while it was not to leave.
func (p *partition) tryOnce() { p.tries = min(p.tries, commitTriesMax-1) }

// bytesOf is the size of the values of messages.
func bytesOf(messages []flusher.Message) (sum buffer.Bytes) {
	for i := range messages {
		sum += buffer.Bytes(len(messages[i].Value))
	}
	return sum
}

// makeRoom makes room for more pending messages: at once for as many as a batch had.
func (p *partition) makeRoom(more int) {
	if cap(p.room) >= len(p.pending)+more {
		p.pending, p.room = append(p.room[:0], p.pending...), nil
	} else {
		p.pending = slices.Grow(p.pending, max(more, p.usual))
	}
	p.own, p.array = true, p.pending[:0]
}

// due tells whether a batch is to be started, and if not, in how long one will be; never if
// something else has to happen first.
func (p *partition) due(
	now time.Time, maxBatch int, share buffer.Bytes, wait time.Duration,
) (bool, time.Duration) {
	switch {
	case len(p.pending) == 0, p.reason != "", len(p.inWork) >= inWorkMax:
		return false, never
	case p.doubted == len(p.pending) && !p.heavy(share):
		rest := p.doubt.Add(p.patience()).Sub(now)
		return rest <= 0, rest
	case p.more, len(p.pending) >= maxBatch:
		return true, 0
	case len(p.inWork) > 0:
		return false, never
	case p.heavy(share):
		return true, 0
	}
	rest := p.started.Add(wait).Sub(now)
	return rest <= 0, rest
}

// never is longer than any wait.
const never = time.Duration(1<<63 - 1)

// patience is how long a message waits for those after it by which its clock is judged. The first
// of a tenure must not, for long, since flushing waits for it.
func (p *partition) patience() time.Duration {
	switch {
	case p.last == nil:
		return p.firstWait
	case p.abreast:
		return settleWait
	}
	return blindWait
}

// blindWait is the same while the source is not in touch.
const blindWait = 5 * time.Second

// cut takes a batch from what is pending: not more than its clock can stand for. It takes none if
// more has to come first, which cannot be where nothing more may come.
func (p *partition) cut(now time.Time, maxBatch int, share buffer.Bytes) *batch {
	wall := buffer.InstantOf(p.since)
	waited := p.heavy(share) || p.doubted > 0 && now.Sub(p.doubt) >= p.patience()
	n, agreed := reach{&p.course, p.pending, buffer.InstantOf(now), wall, waited}.cut(maxBatch)
	if n == 0 {
		if p.doubted == 0 {
			p.doubt = now
		}
		p.doubted = len(p.pending)
		return nil
	}
	p.doubted = 0
	b := &batch{
		number:   p.number,
		messages: p.pending[:n:n],
		wall:     wall,
		begun:    now,
		clock:    p.course.advance(p.pending[:n], agreed, wall, p.abreast),
		agreed:   agreed,
		run:      p.run,
		last:     n == len(p.pending),
	}
	if p.vouches {
		b.seen = buffer.InstantOf(now)
	}
	since := p.since
	if !agreed.has(clockOf(&p.pending[0])) {
		since = p.latest // its clock is that of a message that came later
	}
	if b.ahead = now.Sub(since); (!b.last || p.paused) && agreed != noClocks {
		// Others wait behind it, polled or not, it may be since long: no time has passed for them.
		b.ahead = min(b.ahead, agreed.to.Sub(agreed.from))
	}
	b.bytes = bytesOf(b.messages)
	switch b.own = p.own; {
	case b.last:
		if p.pending = nil; p.own {
			b.room = p.array
		}
	case p.own: // what is done of the batch is cleared, so that the rest does not keep it alive
		p.pending = p.pending[n:]
	default: // once for all batches that are cut of it
		p.pending = slices.Clone(p.pending[n:])
		p.own, p.array = true, p.pending[:0]
	}
	p.usual = n
	p.since, p.more = now, n < maxBatch && !b.last
	if last := len(p.scratch) - 1; last >= 0 {
		b.spans, p.scratch = p.scratch[last][:0], p.scratch[:last]
	}
	p.started = now
	return p.append(b)
}

// append puts a batch behind those that are in work.
func (p *partition) append(b *batch) *batch {
	b.before, b.earlier = p.last, p.earlier
	p.last, p.earlier = b, nil
	p.inWork = append(p.inWork, b)
	return b
}

// slow tells whether the oldest batch is on its way into the store for longer than usual, so that what
// came since may be waiting.
func (p *partition) slow(now time.Time, usual time.Duration) bool {
	return len(p.inWork) > 0 && now.Sub(p.inWork[0].begun) > usual
}

// finished takes the oldest batch in work if it is done.
func (p *partition) finished() *batch {
	if len(p.inWork) == 0 || !p.inWork[0].task.Done() {
		return nil
	}
	b := p.inWork[0]
	p.inWork = append(p.inWork[:0], p.inWork[1:]...)
	p.bytes -= b.bytes
	return b
}

// settle notes that a batch is in the store.
func (p *partition) settle(b *batch, maxBatch int) {
	p.settled += len(b.messages)
	if b.last && len(b.messages) < maxBatch || p.settled >= catchUpMax*maxBatch {
		p.ready = true
	}
	p.done = b.messages[len(b.messages)-1]
	p.done.Key, p.done.Value = nil, nil
	p.done.Queued = b.told
	p.tries = 0
	if b.told {
		p.caughtUp = !p.readable.IsZero()
	}
	if b.seen != 0 {
		p.vouched = b.begun
	}
	clear(b.spans) // lets go of the payloads
	p.scratch = append(p.scratch, b.spans)
	if b.own {
		clear(b.messages)
	}
	if b.room != nil {
		p.room = b.room
	}
	b.messages, b.spans = nil, nil
}

func (p *partition) taskName() string { return "ingest " + strconv.Itoa(int(p.number)) }
