package kafkaio

import (
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// touch knows whether the brokers answer, and whether what they have is read: a member that has
// just joined, or whose brokers have just come back, may wait for seconds for its first records.
type touch struct {
	brokers     Brokers       // of the same client
	fetchAgeMax time.Duration // how old the last answer to a fetch may be
	failedMax   time.Duration // for how long a failed fetch counts, if nothing came since
	roomyBytes  int           // what fewer bytes than that answer has room for more
	moreWait    time.Duration // in which a broker that has more of a partition says so
	mu          sync.Mutex
	answer      time.Time // when any broker last answered
	answering   time.Time // since when there is no gap between the answers
	gapMax      time.Duration
	fetch       time.Time // when one last answered a fetch; zero if none has
	emptied     time.Time // when all that the client held was last taken from it
	questions   uint64    // how many fetches there were
	// Each is by broker: when it last answered a fetch, what it was last asked, its last answer that had
	// room left, and what is known of the last with something in it.
	fetches map[int32]time.Time
	asked   map[int32]question
	roomy   map[int32]room
	turns   map[int32]turn
	refused map[int32]time.Time // by broker, when it last refused a fetch as a whole
	// partitions are those that were assigned once.
	partitions map[int32]*known
}

// question is a fetch: its number, when it was written, and since when its broker has answered none.
type question struct {
	number    uint64
	at, since time.Time
}

// room is an answer with room left: when it came, and the number of its question.
type room struct {
	at       time.Time
	question uint64
}

// turn is an answer: when it came, and when the last of those that are in it was queued before. A broker
// looks at its partitions in the order in which they were in answers, until an answer is full. So it has
// looked at all that were queued before that, and they have nothing, unless one is known to be behind.
type turn struct{ at, before time.Time }

// leader is the broker from which a partition is fetched, and in which epoch.
type leader struct{ broker, epoch int32 }

// known is what is known of a partition.
type known struct {
	from leader
	// first and last are the numbers of questions: it was in all from the one to the other that went to its
	// broker. Not in the last of them is who pauses, or of whom the client does not know yet where to begin.
	first, last uint64
	asked       time.Time // when it was in one last
	began       time.Time // when it was assigned, or this leader was first known
	// queued is when something of it was read last, or first was asked: from then on it is the last of its
	// broker's that is looked at for an answer.
	queued time.Time
	heard  time.Time // when it was last known to have nothing that was not read
	failed time.Time // when it was an error in an answer, if nothing of it was read since
	// next is the offset behind what was read, as far as is known. high is where the partition ended when it
	// was last in an answer, and end where what may be read of it did: behind transactions that are open it
	// may not. Brokers keep it back, also from answers with room left, if a batch is larger than what a
	// partition may bring: only the first partition that has something is given it all the same.
	next, high, end int64
}

// behind tells whether there is known to be more than was read.
func (k *known) behind() bool { return k.next < k.end }

// nobody is the leader that is not known.
var nobody = leader{-1, -1}

// begin forgets what was known: what was read in another tenure says nothing of what there is now.
func (k *known) begin() { *k = known{from: nobody, began: time.Now()} }

// move forgets what was heard of another leader: that says nothing of what this one has. Offsets stay.
func (k *known) move() {
	*k = known{from: nobody, began: time.Now(), next: k.next, high: k.high, end: k.end}
}

// in tells whether the last question of its broker has the partition in it.
func (k *known) in(last question) bool { return k.last != 0 && k.last == last.number }

var (
	_ kgo.HookBrokerRead     = (*touch)(nil)
	_ kgo.HookBrokerThrottle = (*touch)(nil)
)

// newTouch returns a touch for the fetches of a source.
func newTouch(brokers Brokers, sc SourceConfig) *touch {
	return &touch{
		brokers: brokers, fetchAgeMax: sc.FetchWait + sc.FetchLateMax,
		gapMax:     2 * sc.heartbeat(),
		failedMax:  max(sc.FetchWait+sc.FetchLateMax, 2*backoffMax), // the next attempt comes before
		roomyBytes: int(sc.FetchBytesMax - sc.FetchBytesMax/8),      // the last partition's share may end before a batch
		moreWait:   sc.FetchWait + 3*silenceAge,                     // by then the next question says how far the client is
		fetches:    map[int32]time.Time{}, asked: map[int32]question{}, roomy: map[int32]room{},
		turns: map[int32]turn{}, refused: map[int32]time.Time{}, partitions: map[int32]*known{},
	}
}

// answerAgeMax is how old the last answer may be while a broker cannot be reached.
const answerAgeMax = time.Second

// well tells whether the brokers answer, fetches among others. One that cannot be reached may have
// left the cluster for good, so it only counts while the others are silent, too.
func (t *touch) well() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isWell()
}

// isWell is well for who holds mu.
func (t *touch) isWell() bool {
	if time.Since(t.fetch) > t.fetchAgeMax {
		return false
	}
	return len(t.brokers.All()) == 0 || time.Since(t.answer) < answerAgeMax
}

// since returns since when brokers answer; zero if they do not. A member that fetches nothing still beats.
func (t *touch) since() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.answer) > t.gapMax {
		return time.Time{}
	}
	return t.answering
}

// of returns what is known of a partition. The caller holds mu.
func (t *touch) of(partition int32) *known {
	k := t.partitions[partition]
	if k == nil {
		k = &known{from: nobody}
		t.partitions[partition] = k
	}
	return k
}

// heardIn tells whether it was asked for in the question of an answer, and is in the last one, too.
func (k *known) heardIn(answer room, last question) bool {
	return k.first <= answer.question && answer.question < last.number
}

// hear notes an answer for which the broker has looked at the partition, and which has nothing of it.
func (k *known) hear(at time.Time) {
	if at.After(k.heard) {
		k.heard = at
	}
}

// look notes what an answer has of a partition, and where what may be read of it ends. It is not read before
// start.
func (t *touch) look(p kgo.FetchTopicPartition, start, end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.of(p.Partition)
	k.high, k.end = p.HighWatermark, end
	if n := len(p.Records); n > 0 {
		k.next = p.Records[n-1].Offset + 1
	} else {
		k.next = max(k.next, start)
	}
}

// more tells whether a partition is known to have something that was not read.
func (t *touch) more(partition int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.of(partition).behind()
}

// silent tells whether nobody knows what a partition has: its broker has not answered a fetch for too
// long, or ever; or for as long its answers were full of others before it was its turn, or it was not asked
// for, or it could not be read. An answer with room left says nothing of a partition that was not asked for;
// and none is believed to do so before the next question has the partition, too: after some errors the
// client says nothing and looks for the partition's offset again. Nor does it say anything of one that is
// known to have more, which comes at once or is kept back.
func (t *touch) silent(at leader, partition int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.of(partition)
	if k.from != at && k.from != nobody {
		k.move()
	}
	k.from = at
	if last := t.asked[at.broker]; k.in(last) {
		if room := t.roomy[at.broker]; !k.behind() && k.heardIn(room, last) {
			k.hear(room.at)
		}
		if turn := t.turns[at.broker]; !k.behind() && turn.before.After(k.queued) {
			k.hear(turn.at)
		}
	}
	now, heardAge := time.Now(), t.fetchAgeMax
	if k.behind() {
		heardAge = t.moreWait
	}
	return now.Sub(t.fetches[at.broker]) > t.fetchAgeMax || now.Sub(k.heard) > heardAge ||
		now.Sub(k.failed) < t.failedMax || now.Sub(t.refused[at.broker]) < t.failedMax
}

// begin notes that partitions were assigned.
func (t *touch) begin(partitions []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range partitions {
		t.of(p).begin()
	}
}

// ask notes that a broker is about to be asked for partitions, and how far the client is behind the end of each:
// it has read what nobody is given, too (what was aborted or compacted, or is gone).
func (t *touch) ask(broker int32, partitions []int32, lags map[int32]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.questions++
	last, now := t.asked[broker], question{number: t.questions, at: time.Now()}
	if now.since = now.at; t.waits(broker) {
		now.since = last.since
	}
	t.asked[broker] = now
	for _, p := range partitions {
		k := t.of(p)
		if !k.in(last) {
			k.first, k.queued = now.number, now.at
		}
		k.last, k.asked = now.number, now.at
		if lag, known := lags[p]; known {
			k.next = max(k.next, k.high-lag)
		}
	}
}

// empty notes that all that the client held was taken from it: it asks each broker again.
func (t *touch) empty() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.emptied = time.Now()
}

// waits tells whether a broker has not answered the last question. The caller holds mu.
func (t *touch) waits(broker int32) bool {
	last := t.asked[broker]
	return last.number > 0 && !t.fetches[broker].After(last.at)
}

// missed tells whether a partition has not been asked for so long, while others of its broker are, or though
// nothing keeps the client from it: it asks a broker for nothing as long as it holds an answer of it that was
// not taken, so only the time until all was taken counts.
func (t *touch) missed(broker, partition int32, age time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, last := t.of(partition), t.asked[broker]
	idle := latest(k.began, k.asked)
	if time.Since(last.at) <= t.fetchAgeMax {
		return !k.in(last) && time.Since(idle) >= age
	}
	return t.isWell() && !t.waits(broker) && t.emptied.Sub(latest(idle, t.fetches[broker])) >= age
}

// hangs tells whether the broker of a partition has answered no fetch, for so long beyond what one may take,
// while others do.
func (t *touch) hangs(broker, partition int32, age time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := latest(t.asked[broker].since, t.of(partition).began)
	return t.isWell() && t.waits(broker) && time.Since(since) >= t.fetchAgeMax+age
}

// latest returns the last of some moments.
func latest(moments ...time.Time) time.Time { return slices.MaxFunc(moments, time.Time.Compare) }

// unanswered tells whether nothing was heard of a partition for so long, though it was asked for, and its
// broker has answered since, with room left. (One that is known to have more is spoken of.) Call silent before,
// which hears.
func (t *touch) unanswered(broker, partition int32, age time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, room := t.of(partition), t.roomy[broker]
	return !k.behind() && time.Since(room.at) <= t.fetchAgeMax && room.at.Sub(k.heard) >= age && k.asked.After(k.heard)
}

// take notes that something of partitions of a broker was read.
func (t *touch) take(broker int32, partitions []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := turn{at: time.Now()}
	for _, p := range partitions {
		k := t.of(p)
		if k.queued.After(turn.before) {
			turn.before = k.queued
		}
		// The answer put it there, not its being taken: what was asked for meanwhile is behind it.
		k.queued = t.fetches[broker]
		k.heard, k.failed = turn.at, time.Time{}
	}
	t.turns[broker] = turn
}

// fail notes that partitions could not be read.
func (t *touch) fail(partitions []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range partitions {
		t.of(p).failed = time.Now()
	}
}

// refuse notes that a broker refused a fetch as a whole.
func (t *touch) refuse(broker int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused[broker] = time.Now()
}

// refuses tells whether some broker did so lately.
func (t *touch) refuses() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, at := range t.refused { //order-free: any
		if time.Since(at) < t.failedMax {
			return true
		}
	}
	return false
}

// fetchKey is the number of the fetch request in Kafka's protocol.
var fetchKey = kmsg.Fetch.Int16()

// OnBrokerRead is called by the client with every answer.
func (t *touch) OnBrokerRead(
	broker kgo.BrokerMetadata, key int16, bytes int, waited, took time.Duration, err error,
) {
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.answer
	t.answer = time.Now()
	if t.answer.Sub(last) > t.gapMax {
		t.answering = t.answer
	}
	if key == fetchKey {
		t.fetch = t.answer
		t.fetches[broker.NodeID] = t.answer
		// A question that was written after this one was answers nothing here: the client does not always wait.
		written := t.answer.Add(-waited - took)
		if asked := t.asked[broker.NodeID]; bytes < t.roomyBytes && !asked.at.After(written) {
			t.roomy[broker.NodeID] = room{t.answer, asked.number}
		}
	}
}

// OnBrokerThrottle is called by the client after OnBrokerRead if the broker says that it was asked for too
// much: then it answers with nothing, whatever it has.
func (t *touch) OnBrokerThrottle(broker kgo.BrokerMetadata, _ time.Duration, _ bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.roomy, broker.NodeID)
}
