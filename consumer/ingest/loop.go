package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// Loop reads the partitions that are assigned to this member into the store.
type Loop struct {
	config Config
	ports  Ports
	ledger *ledger

	troubles *flusher.Troubles
	// partitions are those assigned, by number; leaving those that were revoked or lost, and of
	// which something is in work.
	partitions []*partition
	leaving    []*partition
	assigned   []buffer.Shard // what the assigner was told
	commit     commit
	ticker     ticker
	draining   bool
	handing    handing
	delivered  int64     // the number of the last delivery
	pollAt     time.Time // when the source is asked again

	// Scratch of every turn.
	every  []*partition
	shards []buffer.Shard
}

// New returns a loop that runs nothing yet. The error names every fault of the config and every
// port that is missing.
func New(config Config, ports Ports) (*Loop, error) {
	if err := errors.Join(config.Validate(), ports.validate()); err != nil {
		return nil, err
	}
	l := &Loop{config: config, ports: ports, ledger: newLedger()}
	l.troubles = flusher.NewTroubles(ports.Clock, l.hear)
	return l, nil
}

// Run reads until stop is done, then finishes what is in work, commits it and returns nil; what the store
// has no room for is left to be delivered again. When ctx is done it gives up at once and returns ctx's
// error; stop must end with ctx. Any other error is one that trying again does not cure, of the source or
// of the store; what was not committed will be delivered again.
//
// Run may be called once.
func (l *Loop) Run(ctx, stop context.Context) error {
	err := l.read(ctx, stop)
	l.ticker.end()
	for _, p := range l.all() {
		p.cancel()
	}
	for _, p := range l.all() {
		for _, b := range p.inWork {
			b.task.Wait()
		}
	}
	if l.commit.task != nil {
		l.commit.task.Wait()
	}
	for _, row := range l.ticker.rows {
		row.task.Wait()
	}
	return err
}

func (l *Loop) read(ctx, stop context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if stop.Err() != nil {
			l.drain()
		}
		now := l.ports.Clock.Now()
		if err := l.collect(); err != nil {
			return err
		}
		l.assign(now)
		l.commitDone(ctx, now)
		l.handing.callOff(now)
		l.release(now)
		if l.draining {
			l.yield(now)
			if l.idle() {
				l.giveUp()
				return nil
			}
		}
		l.watchGate(buffer.InstantOf(now))
		l.tick(ctx, now)
		wait := l.start(now)
		if err := l.poll(ctx, stop, now, wait); err != nil {
			return err
		}
	}
}

// all returns every partition of which something may be in work. It is overwritten by the next call.
func (l *Loop) all() []*partition {
	l.every = append(append(l.every[:0], l.partitions...), l.leaving...)
	return l.every
}

// drain lets go of what is not in work; it is delivered again.
func (l *Loop) drain() {
	for _, p := range l.partitions {
		p.drop()
		if !l.draining {
			p.tryOnce()
		}
	}
	l.draining = true
}

// giveUp says of which partitions offsets stay uncommitted at the end.
func (l *Loop) giveUp() {
	for _, p := range l.partitions {
		if p.uncommitted() {
			l.ports.event(Event{Kind: CommitGivenUp, Partitions: []int32{p.number}})
		}
	}
}

// yield lets go of batches for which the store has no room, while draining: the workers end with the
// loop, so it may be that nobody makes any; and of those of which Kafka does not take a dead letter,
// which may be for ever, too. What is not stored is not committed, and another member has more luck,
// as in release.
func (l *Loop) yield(now time.Time) {
	for _, p := range l.partitions {
		trouble, _ := l.troubles.Open(input(p.number))
		lost := trouble.Step == letterStep && !passes(trouble, now)
		if len(p.inWork) > 0 && (lost || errors.Is(trouble.Err, buffer.ErrFull)) {
			p.cancel()
		}
	}
}

// idle tells whether nothing is in work and nothing is left to commit.
func (l *Loop) idle() bool {
	if l.commit.task != nil || len(l.leaving) > 0 {
		return false
	}
	for _, p := range l.partitions {
		if len(p.inWork) > 0 || p.uncommitted() && p.tries < commitTriesMax {
			return false
		}
	}
	return true
}

// collect takes note of the batches that are done. Its error ends the loop.
func (l *Loop) collect() error {
	for _, p := range l.all() {
		for b := p.finished(); b != nil; b = p.finished() {
			switch {
			case b.set:
				p.course.catchUp(b.wall)
				if l.find(p.number) == p {
					l.ledger.catchUp(p.number, b.wall)
				}
			case b.empty: // its turn comes again
			case b.err == nil:
				p.settle(b, l.config.MaxBatch)
				l.ledger.add(b, l.find(p.number) == p)
			case p.ctx.Err() != nil:
				// Given up with its partition, or with everything.
			case !errors.Is(b.err, errSkipped):
				return b.err
			}
		}
	}
	return nil
}

// start starts the batches that are due, and returns how long the poll may wait.
func (l *Loop) start(now time.Time) time.Duration {
	wait, share := min(l.config.PollWait, l.config.TickEvery), l.share()
	for _, p := range l.partitions {
		for {
			due, in := p.due(now, l.config.MaxBatch, share, l.config.batchWait())
			if !due {
				wait = min(wait, in)
				break
			}
			b := p.cut(now, l.config.grownBatch(), share)
			if b == nil {
				continue
			}
			b.delivery = l.delivery(p, now, b)
			l.launch(p, b)
		}
		l.hold(p, share)
	}
	if l.busy() {
		wait = min(wait, l.config.BusyWait)
	}
	return wait
}

// launch starts the task of a batch. (In the loop itself its closure would cost memory in every turn.)
func (l *Loop) launch(p *partition, b *batch) {
	b.task = l.ports.Tasks.Go(p.taskName(), func() { b.err = l.ingest(p.ctx, b) })
}

// delivery names the next batch of a partition. Numbers follow the wall clock, in microseconds, so
// that they also grow from one run of the program to the next. The batch may take the numbers that
// follow, one for each of its rounds.
func (l *Loop) delivery(p *partition, now time.Time, b *batch) buffer.DeliveryID {
	rounds := buffer.RoundsMax(len(b.messages), b.bytes, l.config.AttachSpansMax, buffer.AttachBytesMax)
	first := max(l.delivered+1, now.UnixMicro())
	l.delivered = first + int64(rounds) - 1
	return buffer.DeliveryID{Partition: p.number, Number: first}
}

// busy tells whether something will be done soon that the loop has to see.
func (l *Loop) busy() bool {
	if l.commit.task != nil || len(l.leaving) > 0 {
		return true
	}
	for _, p := range l.partitions {
		if len(p.inWork) > 0 || p.uncommitted() {
			return true
		}
	}
	return false
}

// share is how much of each partition may be here: something, however many there are.
func (l *Loop) share() buffer.Bytes {
	return max(1, l.config.BytesMax/buffer.Bytes(max(1, len(l.partitions))))
}

// hold pauses the partition at the source while it is full or its gate is closed.
func (l *Loop) hold(p *partition, share buffer.Bytes) {
	paused := l.draining || p.reason != "" || p.full(l.config.grownBatch(), share)
	if paused == p.paused {
		return
	}
	p.paused = paused
	if paused {
		l.ports.Source.Pause(p.number)
	} else {
		l.ports.Source.Resume(p.number)
	}
}

// poll takes what the source has, or waits while it is not its time yet. A poll that waits ends with stop.
func (l *Loop) poll(ctx, stop context.Context, now time.Time, wait time.Duration) error {
	until := stop
	if l.draining {
		until = ctx
	}
	if rest := l.pollAt.Sub(now); rest > 0 && !l.draining && len(l.leaving) == 0 {
		_ = l.ports.Clock.Sleep(until, min(rest, wait)) // the loop looks at both contexts next
		return nil
	}
	fetch, err := l.ports.Source.Poll(until, l.config.MaxBatch, wait)
	if err != nil {
		if until.Err() != nil {
			return nil // the loop looks at both contexts next
		}
		return err
	}
	l.ticker.inTouch, l.ticker.silent = fetch.InTouch, fetch.Silent
	l.reassign(ctx, fetch)
	l.skip(fetch.Gaps)
	l.accept(fetch.Batches)
	if l.little(fetch.Batches) {
		l.pollAt = now.Add(l.config.pollEvery())
	}
	return nil
}

// littleBytes is less than any fetch brings of a backlog.
const littleBytes = 256 << 10

// little tells whether a poll brought something, but so little that it was all there was.
func (l *Loop) little(batches []flusher.Batch) bool {
	n, bytes := 0, buffer.Bytes(0)
	for i := range batches {
		n += len(batches[i].Messages)
		bytes += bytesOf(batches[i].Messages)
	}
	return 0 < n && n < l.config.MaxBatch && bytes < littleBytes
}

// skip says and counts what nobody will ever read.
func (l *Loop) skip(gaps []flusher.Gap) {
	for _, gap := range gaps {
		l.ledger.skip(gap)
		l.ports.event(Event{
			Kind: MessagesDeleted, Partitions: []int32{gap.Partition}, Gap: gap,
			Reason: fmt.Sprintf("retention, or by hand; going on behind them: from=%d to=%d count=%d",
				gap.From, gap.To, gap.To-gap.From),
		})
	}
}

func (l *Loop) accept(batches []flusher.Batch) {
	if l.draining || len(batches) == 0 {
		return
	}
	now := l.ports.Clock.Now()
	for _, polled := range batches {
		if p := l.find(polled.Partition); p != nil && len(polled.Messages) > 0 {
			p.accept(polled.Messages, now)
		}
	}
}

// watchGate pauses the input of the shards whose gate is closed, and says so when that changes.
func (l *Loop) watchGate(now buffer.Instant) {
	closed := l.ports.Gate.Closed()
	var changes []Event
	for _, p := range l.partitions {
		reason := closed[buffer.Shard(p.number)]
		if reason == p.reason {
			continue
		}
		switch {
		case p.reason == "":
			changes = gather(changes, InputPaused, p.number, reason)
		case reason == "":
			changes = gather(changes, InputResumed, p.number, "")
		}
		p.reason = reason
		l.ledger.pause(p.number, reason, now)
	}
	for _, e := range changes {
		l.ports.event(e)
	}
}

// gather adds a partition to the event of its kind and reason: one cause is said once.
func gather(events []Event, kind EventKind, number int32, reason string) []Event {
	for i, e := range events {
		if e.Kind == kind && e.Reason == reason {
			events[i].Partitions = append(e.Partitions, number)
			return events
		}
	}
	return append(events, Event{Kind: kind, Partitions: []int32{number}, Reason: reason})
}
