package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/ledger"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// kafka is one broker or several: the input topic with its group, and the topics that take what comes
// out. The partitions of a topic are spread over the brokers, without replicas.
type kafka struct {
	*link   // of the first broker, which coordinates the group
	brokers []*link
	java    []*warming // by broker
	costs   Kafka
	on      *hosts
	harness Harness
	sink    *harness.Sink
	largest int           // bytes of a record that the output topic takes; 0: any
	failing map[int32]int // faults by output partition under which it takes nothing
	refuses int           // faults under which the topic of dead letters takes nothing
	// deposed are the partitions of each topic, and elections is whether a new leader has what the one
	// before it was just writing.
	deposed   []leadership
	elections *rand.Rand

	input []partition
	come  *kernel.Cond // something was added to the input
	// requests are those so far, of all clients.
	requests Requests
	group    *group
	offset   int64           // of the next record that comes out
	headers  []ledger.Header // scratch, of the record that comes out
}

// leadership is what a partition has of a leader.
type leadership struct {
	lacks int           // faults under which it has none
	since time.Duration // when the last of them began
}

// The names of the topics, which the ledger knows.
const (
	inputTopic  = "spans"
	outputTopic = "segments"
	letterTopic = "dlq"
)

func newKafka(
	k *kernel.Kernel, costs Costs, on *hosts, s scenarios.Scenario, sink *harness.Sink,
) *kafka {
	var brokers []*link
	var java []*warming
	for n := range s.Brokers() {
		name := "kafka"
		if s.Brokers() > 1 {
			name = fmt.Sprintf("kafka broker %d", n)
		}
		w := &warming{station: on.kafka.Share(name, 0), warmUp: costs.Kafka.WarmUp}
		l := newLink(k, name, costs.Network.Hop, w)
		w.used, l.wire = &l.used, on.wire
		brokers, java = append(brokers, l), append(java, w)
	}
	b := &kafka{link: brokers[0], brokers: brokers, java: java, costs: costs.Kafka, on: on,
		deposed:   make([]leadership, s.Topology.Partitions),
		elections: scenarios.Stream(s.Seed, "elections of leaders"),
		harness:   costs.Harness, sink: sink,
		largest: int(s.Topology.OutputRecordMax), failing: map[int32]int{},
		input: make([]partition, s.Topology.Partitions), come: k.NewCond("input")}
	b.group = newGroup(b, s.Topology.Partitions)
	if b.costs.Idle > 0 {
		k.Go("kafka idles", func() {
			idles(k, b.costs.Idle, func(cost time.Duration) {
				if b.up() {
					b.burn(cost)
				}
			})
		})
	}
	return b
}

// of returns the broker of a partition.
func (b *kafka) of(partition int32) *link { return b.brokers[int(partition)%len(b.brokers)] }

// open tells whether a partition can be read and written.
func (b *kafka) open(partition int32) bool {
	return b.deposed[partition].lacks == 0 && b.of(partition).up()
}

// connect returns a connection to each broker.
func (b *kafka) connect() []*conn {
	conns := make([]*conn, len(b.brokers))
	for n, broker := range b.brokers {
		conns[n] = broker.connect()
	}
	return conns
}

// partitions are those that a fault hits.
func (b *kafka) partitions(f scenarios.Fault) []int32 {
	partitions := make([]int32, 0, len(b.input))
	for p := range b.input {
		if f.Target.Kind != scenarios.TargetPartition || p == f.Target.N {
			partitions = append(partitions, int32(p))
		}
	}
	return partitions
}

// depose takes the leader from partitions.
func (b *kafka) depose(partitions []int32) (undo func() error) {
	for _, p := range partitions {
		b.deposed[p].lacks++
		b.deposed[p].since = b.k.Elapsed()
	}
	return func() error {
		for _, p := range partitions {
			b.deposed[p].lacks--
		}
		b.come.Broadcast()
		return nil
	}
}

// fail has the output topic, or that partition of it, take nothing; a fault of the broker that of dead
// letters, too.
func (b *kafka) fail(f scenarios.Fault) (undo func() error) {
	partitions, letters := b.partitions(f), 0
	if f.Target.Kind != scenarios.TargetPartition {
		letters = 1
	}
	for _, p := range partitions {
		b.failing[p]++
	}
	b.refuses += letters
	return func() error {
		for _, p := range partitions {
			b.failing[p]--
		}
		b.refuses -= letters
		return nil
	}
}

// Break does a fault to the broker or to the way to it.
func (b *kafka) Break(f scenarios.Fault) (undo func() error, err error) {
	switch f.Verb {
	case scenarios.VerbFail:
		return b.fail(f), nil
	case scenarios.VerbDepose:
		return b.depose(b.partitions(f)), nil
	case scenarios.VerbDelete:
		for _, p := range b.partitions(f) {
			b.deleteAll(p)
		}
		return nil, nil
	}
	var undos []func() error
	for n, broker := range b.brokers {
		if f.Target.Kind == scenarios.TargetBroker && n != f.Target.N {
			continue
		}
		undo, ok := broker.breakDown(f)
		if !ok {
			return nil, fmt.Errorf("world virtual knows no %s of kafka", f.Verb)
		}
		if undo != nil {
			undos = append(undos, undo)
		}
	}
	if f.Verb == scenarios.VerbStop || f.Verb == scenarios.VerbCrash {
		if f.Verb == scenarios.VerbStop {
			b.wait(b.costs.Stop)
		}
		admit := undos
		undos = []func() error{func() error {
			b.wait(b.costs.Start)
			for n, java := range b.java {
				if f.Target.Kind != scenarios.TargetBroker || n == f.Target.N {
					java.start()
				}
			}
			return allOf(admit)()
		}}
	}
	return allOf(undos), nil
}

// allOf does all of a list; nil if it is empty.
func allOf(undos []func() error) func() error {
	if len(undos) == 0 {
		return nil
	}
	return func() error {
		var errs []error
		for _, undo := range undos {
			errs = append(errs, undo())
		}
		return errors.Join(errs...)
	}
}

// add appends a message to the input, and returns its offset; come is to be told of it, and the broker
// that it took some.
func (b *kafka) add(number int32, at time.Time, key, value []byte) int64 {
	p := &b.input[number]
	m := flusher.Message{Time: at, Key: key, Value: value}
	m.Position.Partition, m.Position.Offset = number, p.end()
	if len(p.log) == cap(p.log) {
		p.log = append(make([]flusher.Message, 0, max(roomMin, 2*len(p.log))), p.log...)
	}
	p.log = append(p.log, m)
	return m.Position.Offset
}

// partition is one of the input's. What is in its log never moves within memory and never changes, so
// those who fetch get it as it is.
type partition struct {
	first int64 // the offset of what the log begins with: what is before was committed, or deleted
	log   []flusher.Message
}

// roomMin is for how many messages a log makes room at least.
const roomMin = 1024

// end returns the offset behind the last message.
func (p *partition) end() int64 { return p.first + int64(len(p.log)) }

// from returns the messages from an offset on, and no more than limit of them.
func (p *partition) from(offset int64, limit int) []flusher.Message {
	log := p.log[offset-p.first:]
	n := min(limit, len(log))
	return log[:n:n]
}

// forget lets go of what is before an offset: nobody will read it again.
func (p *partition) forget(offset int64) {
	if offset > p.first {
		p.log, p.first = p.log[offset-p.first:], offset
	}
}

// deleteAll moves the start of a partition's log to its end, as retention does.
func (b *kafka) deleteAll(number int32) {
	p := &b.input[number]
	committed := b.group.committed[number]
	if committed == 0 {
		committed = -1
	}
	p.forget(p.end())
	b.k.Note("log start", int64(number), p.first)
	b.sink.Ledger.Deleted(number, committed, p.first)
}

// took has the broker compute what a request of messages takes, and returns how long from now it will
// take until that is done.
func (b *kafka) took(messages, bytes int) time.Duration {
	b.requests.Sent++
	return b.burn(b.costs.Request + each(messages, b.costs.Message) + perKB(bytes, b.costs.KB))
}

// burn has the broker compute something, and returns how long from now it will take until that is done.
func (b *kafka) burn(cost time.Duration) time.Duration {
	b.used += cost
	return b.Take(cost)
}

var errNotMember = errors.New("the group has given the partition to another member")
