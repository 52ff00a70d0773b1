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
}

var _ kgo.HookBrokerRead = (*touch)(nil)

// newTouch returns a touch for the fetches of a source.
func newTouch(brokers Brokers, sc SourceConfig) *touch {
	return &touch{
		brokers: brokers, fetchAgeMax: sc.FetchWait + sc.FetchLateMax,
		roomyBytes: int(sc.FetchBytesMax - sc.FetchBytesMax/8), // the last partition's share may end before a batch
		fetches:    map[int32]time.Time{}, roomy: map[int32]time.Time{},
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

// silent tells whether nobody knows what a partition has, of which something was read last at a time: its
// broker has not answered a fetch for too long, or ever; or for as long its answers were full of other
// partitions, which says nothing of one that is not among them.
func (t *touch) silent(broker int32, read time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	heard := t.roomy[broker]
	if read.After(heard) {
		heard = read
	}
	return time.Since(t.fetches[broker]) > t.fetchAgeMax || time.Since(heard) > t.fetchAgeMax
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
