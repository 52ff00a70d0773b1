package kafkaio

import (
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
)

// assignment is what a member holds: its partitions, what is held back of each, and the changes
// that Poll has not reported yet. The group's callbacks and the loop meet here.
type assignment struct {
	// heldBytesMax is of one partition, heldBytesTotal of all.
	heldBytesMax, heldBytesTotal int
	// fetch makes the client fetch a partition, or stop to. It is called under mu, so that the
	// client never stays told otherwise than throttled says, also not over a loss.
	fetch func(numbers []int32, on bool)

	mu         sync.Mutex
	partitions map[int32]*partition
	order      []int32 // keys of partitions, sorted: the order in which Poll serves them
	changes    []flusher.Fetch
	gaps       []flusher.Gap // that Poll has not reported yet
	wake       func()        // ends the Poll that waits, nil if none does
}

// partition is one that the member owns, or has been told to let go of.
type partition struct {
	held   []flusher.Message // fetched and not polled
	slab   slab              // for the bytes of held
	bytes  int               // of keys and values in held
	paused bool              // by the loop
	// throttled partitions are not fetched, since held is full.
	throttled bool
	// failing partitions are not fetched either, for a moment.
	failing bool
	// released is closed when nothing of a revoked partition is in work; nil while it is owned.
	released chan struct{}
	// member is the id of the one to which the group has given it: this client may be another by now.
	member string
}

// active tells whether Poll may return messages of the partition.
func (p *partition) active() bool { return !p.paused && p.released == nil }

// fetched tells whether the partition is fetched as it comes.
func (p *partition) fetched() bool { return p.active() && !p.throttled }

func newAssignment(c SourceConfig, fetch func(numbers []int32, on bool)) *assignment {
	return &assignment{heldBytesMax: c.HeldBytesMax, heldBytesTotal: c.HeldBytesTotal, fetch: fetch,
		partitions: make(map[int32]*partition)}
}

// most is how many bytes of a partition are held before it is fetched no more. The caller holds mu.
func (a *assignment) most() int {
	return min(a.heldBytesMax, a.heldBytesTotal/max(1, len(a.partitions)))
}

// throttle sets whether the partition is fetched. The caller holds mu.
func (a *assignment) throttle(number int32, p *partition, throttled bool) {
	if p.throttled != throttled {
		p.throttled = throttled
		if !p.failing {
			a.fetch([]int32{number}, !throttled)
		}
	}
}

// fail sets whether partitions are not fetched for a moment, since that fails.
func (a *assignment) fail(numbers []int32, failing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var change []int32
	for _, number := range numbers {
		if p := a.partitions[number]; p != nil && p.failing != failing {
			p.failing = failing
			if !p.throttled {
				change = append(change, number)
			}
		}
	}
	if len(change) > 0 {
		a.fetch(change, !failing)
	}
}

// assign adds partitions. Their messages are held back until the change is reported.
func (a *assignment) assign(numbers []int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, number := range numbers {
		a.partitions[number] = &partition{}
	}
	a.change(flusher.Fetch{Assigned: slices.Sorted(slices.Values(numbers))})
}

// admit notes as which member the client has its partitions, but for those that are revoked: it joins as
// another, if it was not heard of for too long, and keeps what the group gives it again.
func (a *assignment) admit(member string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.partitions { //order-free: each by itself
		if p.released == nil {
			p.member = member
		}
	}
}

// revoke drops what is held of the partitions and returns, for those that the member has, the
// channels that are closed when they are released.
func (a *assignment) revoke(numbers []int32) []<-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	var revoked []int32
	var released []<-chan struct{}
	for _, number := range slices.Sorted(slices.Values(numbers)) {
		p := a.partitions[number]
		if p == nil || p.released != nil {
			continue
		}
		a.throttle(number, p, false)
		// What fails is ended by forget, at the client too.
		*p = partition{released: make(chan struct{}), failing: p.failing, member: p.member}
		revoked = append(revoked, number)
		released = append(released, p.released)
	}
	if len(revoked) > 0 {
		a.change(flusher.Fetch{Revoked: revoked})
	}
	return released
}

// lose forgets partitions that belong to another member already.
func (a *assignment) lose(numbers []int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var lost []int32
	for _, number := range slices.Sorted(slices.Values(numbers)) {
		if a.forget(number) {
			lost = append(lost, number)
		}
	}
	if len(lost) > 0 {
		a.change(flusher.Fetch{Lost: lost})
	}
}

// release ends the tenure of revoked partitions, and returns those whose tenure it was.
func (a *assignment) release(numbers []int32) (ended []int32) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, number := range numbers {
		if p := a.partitions[number]; p != nil && p.released != nil {
			a.forget(number)
			ended = append(ended, number)
		}
	}
	return ended
}

// forget removes a partition and tells whether it was there. The caller holds mu.
func (a *assignment) forget(number int32) bool {
	p := a.partitions[number]
	if p == nil {
		return false
	}
	if p.released != nil {
		close(p.released)
	}
	if p.throttled || p.failing {
		a.fetch([]int32{number}, true)
	}
	delete(a.partitions, number)
	a.reorder()
	return true
}

// change queues a report and ends the Poll that waits. The caller holds mu.
func (a *assignment) change(c flusher.Fetch) {
	a.changes = append(a.changes, c)
	a.reorder()
	a.wakeUp()
}

func (a *assignment) reorder() { a.order = slices.Sorted(maps.Keys(a.partitions)) }

func (a *assignment) wakeUp() {
	if a.wake != nil {
		a.wake()
		a.wake = nil
	}
}

// await registers how to end the Poll that is about to wait. It is false if there is something
// to return already.
func (a *assignment) await(wake func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.changes) > 0 || a.ready() {
		return false
	}
	a.wake = wake
	return true
}

// awake says that Poll waits no more.
func (a *assignment) awake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wake = nil
}

// ready tells whether an active partition holds messages. The caller holds mu.
func (a *assignment) ready() bool {
	for _, p := range a.partitions {
		if p.active() && len(p.held) > 0 {
			return true
		}
	}
	return false
}

// hungry tells whether some active partition holds nothing, or there is no partition: only then is
// more taken from the client. What it may not take on stays in the client, which fetches no more
// meanwhile; a partition that is throttled instead would have to be fetched twice.
func (a *assignment) hungry() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.partitions {
		if p.active() && len(p.held) == 0 {
			return true
		}
	}
	return len(a.partitions) == 0
}

// take returns the next change, or else at most limit messages of each active partition.
func (a *assignment) take(limit int) flusher.Fetch {
	a.mu.Lock()
	defer a.mu.Unlock()
	var fetch flusher.Fetch
	if len(a.changes) > 0 {
		fetch, a.changes = a.changes[0], a.changes[1:]
		return fetch
	}
	fetch.Gaps, a.gaps = a.gaps, nil
	for _, number := range a.order {
		p := a.partitions[number]
		if !p.active() || len(p.held) == 0 {
			continue
		}
		batch := flusher.Batch{Partition: number, Messages: p.held}
		if limit < len(p.held) {
			batch.Messages = slices.Clone(p.held[:limit])
			clear(p.held[:limit]) // the rest must not keep alive what is done of these
			p.held = p.held[limit:]
		} else {
			p.held = nil
		}
		for i := range batch.Messages {
			p.bytes -= messageBytes(&batch.Messages[i])
		}
		if p.bytes <= a.most()/2 {
			a.throttle(number, p, false)
		}
		fetch.Batches = append(fetch.Batches, batch)
	}
	return fetch
}

// miss has a gap reported.
func (a *assignment) miss(gap flusher.Gap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gaps = append(a.gaps, gap)
}

// add holds fetched records. When that is enough, the partition is fetched no more for now.
func (a *assignment) add(number int32, records []*kgo.Record) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partitions[number]
	if p == nil || p.released != nil {
		return // fetched before the partition was taken away; its next owner reads them
	}
	p.held = slices.Grow(p.held, len(records))
	for _, record := range records {
		p.held = append(p.held, message(record, &p.slab))
		p.bytes += len(record.Key) + len(record.Value)
	}
	if p.bytes > a.most() {
		a.throttle(number, p, true)
	}
}

// pause sets whether Poll holds back the partitions.
func (a *assignment) pause(numbers []int32, paused bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, number := range numbers {
		p := a.partitions[number]
		if p == nil {
			continue
		}
		p.paused = paused
		if p.active() {
			a.wakeUp()
		}
	}
}

// assigned returns the partitions that the member has, sorted.
func (a *assignment) assigned() []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.order)
}

// fetches tells whether a partition is fetched as it comes.
func (a *assignment) fetches(number int32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partitions[number]
	return p != nil && p.fetched()
}

// wants returns the partitions that should be fetched as they come.
func (a *assignment) wants() []int32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	var wanted []int32
	for _, number := range a.order {
		if p := a.partitions[number]; p.fetched() && !p.failing {
			wanted = append(wanted, number)
		}
	}
	return wanted
}

// wanted tells whether some partition is fetched as it comes.
func (a *assignment) wanted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.partitions {
		if p.fetched() {
			return true
		}
	}
	return false
}

// has tells whether the partition is the member's, or was and is not released yet.
func (a *assignment) has(number int32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.partitions[number] != nil
}

// tenure returns the partition as Poll has told of it last; nil if it is not the member's, or is again, which
// Poll has not told yet: who commits then has read it before.
func (a *assignment) tenure(number int32) *partition {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.changes {
		if slices.Contains(a.changes[i].Assigned, number) {
			return nil
		}
	}
	return a.partitions[number]
}

// isOf tells whether offsets that were taken in a tenure may be committed as this member's.
func (a *assignment) isOf(number int32, tenure *partition, member string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.partitions[number]
	return p != nil && p == tenure && p.member == member
}
