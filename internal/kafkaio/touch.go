package kafkaio

import (
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
	roomyBytes  int           // what fewer bytes than that answer has all that there was to read
	mu          sync.Mutex
	answer      time.Time // when any broker last answered
	fetch       time.Time // when one last answered a fetch; zero if none has
	// fetches are by broker when it last answered one, roomy when the last answer was that had room left.
	fetches, roomy map[int32]time.Time
	// read is by partition when something of it was read last, and queued that, or when its fetching began:
	// from then on it is the last of its broker's that is looked at for an answer.
	read, queued map[int32]time.Time
	// leaders are by partition the broker that it was last known to be fetched from.
	leaders map[int32]int32
	// turns are by broker what is known of the last answer with something in it.
	turns map[int32]turn
}

// turn is an answer: when it came, and when the last of those that are in it was queued before. A broker
// looks at its partitions in the order in which they were in answers, until an answer is full. So it has
// looked at all that were queued before that, and they have nothing.
type turn struct{ at, before time.Time }

var _ kgo.HookBrokerRead = (*touch)(nil)

// newTouch returns a touch for the fetches of a source.
func newTouch(brokers Brokers, sc SourceConfig) *touch {
	return &touch{
		brokers: brokers, fetchAgeMax: sc.FetchWait + sc.FetchLateMax,
		roomyBytes: int(sc.FetchBytesMax - sc.FetchBytesMax/8), // the last partition's share may end before a batch
		fetches:    map[int32]time.Time{}, roomy: map[int32]time.Time{},
		read: map[int32]time.Time{}, queued: map[int32]time.Time{}, leaders: map[int32]int32{},
		turns: map[int32]turn{},
	}
}

// answerAgeMax is how old the last answer may be while a broker cannot be reached.
const answerAgeMax = time.Second

// well tells whether the brokers answer, fetches among others. One that cannot be reached may have
// left the cluster for good, so it only counts while the others are silent, too.
func (t *touch) well() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.fetch) > t.fetchAgeMax {
		return false
	}
	return len(t.brokers.All()) == 0 || time.Since(t.answer) < answerAgeMax
}

// silent tells whether nobody knows what a partition has: its broker has not answered a fetch for too
// long, or ever; or for as long its answers were full of others before it was its turn.
func (t *touch) silent(broker, partition int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, known := t.leaders[partition]; known && last != broker {
		t.queued[partition] = time.Now() // behind all that are fetched from the new one
	}
	t.leaders[partition] = broker
	heard := t.read[partition]
	if turn := t.turns[broker]; turn.before.After(t.queued[partition]) {
		heard = turn.at
	}
	if roomy := t.roomy[broker]; roomy.After(heard) {
		heard = roomy
	}
	return time.Since(t.fetches[broker]) > t.fetchAgeMax || time.Since(heard) > t.fetchAgeMax
}

// begin notes that the fetching of a partition begins, or goes on.
func (t *touch) begin(partition int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queued[partition] = time.Now()
}

// take notes that something of partitions of a broker was read.
func (t *touch) take(broker int32, partitions []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	turn := turn{at: time.Now()}
	for _, p := range partitions {
		if before := t.queued[p]; before.After(turn.before) {
			turn.before = before
		}
		t.read[p], t.queued[p] = turn.at, turn.at
	}
	t.turns[broker] = turn
}

// fetchKey is the number of the fetch request in Kafka's protocol.
var fetchKey = kmsg.Fetch.Int16()

// OnBrokerRead is called by the client with every answer.
func (t *touch) OnBrokerRead(
	broker kgo.BrokerMetadata, key int16, bytes int, _, _ time.Duration, err error,
) {
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answer = time.Now()
	if key == fetchKey {
		t.fetch = t.answer
		t.fetches[broker.NodeID] = t.answer
		if bytes < t.roomyBytes {
			t.roomy[broker.NodeID] = t.answer
		}
	}
}
