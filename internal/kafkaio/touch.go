package kafkaio

import (
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// touch knows whether the brokers answer.
type touch struct {
	mu     sync.Mutex
	down   map[string]bool // addresses that could not be reached at the last attempt
	answer time.Time       // when any broker last answered
}

var (
	_ kgo.HookBrokerConnect = (*touch)(nil)
	_ kgo.HookBrokerRead    = (*touch)(nil)
)

func newTouch() *touch { return &touch{down: make(map[string]bool)} }

// answerAgeMax is how old the last answer may be while a broker cannot be reached.
const answerAgeMax = time.Second

// well tells whether the brokers answer. One that cannot be reached may have left the cluster for
// good, so it only counts while the others are silent, too.
func (t *touch) well() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.down) == 0 || time.Since(t.answer) < answerAgeMax
}

// OnBrokerConnect is called by the client with the outcome of every attempt to connect.
func (t *touch) OnBrokerConnect(
	meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error,
) {
	address := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.down[address] = true
		return
	}
	delete(t.down, address)
}

// OnBrokerRead is called by the client with every answer.
func (t *touch) OnBrokerRead(
	_ kgo.BrokerMetadata, _ int16, _ int, _, _ time.Duration, err error,
) {
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answer = time.Now()
}
