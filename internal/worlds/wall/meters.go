package wall

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/internal/process"
	"sluice/reports"
)

// meters measure what the processes and servers of a run use.
type meters struct {
	redis redisMeter

	mu                      sync.Mutex // held for a whole look
	workers, consumers, own cpuMeter
	// before is what the servers and this process had used when the run was opened: they may have served
	// others, and other runs, before.
	before reports.Sample
}

// begin takes what was used until now for none of the run's.
func (m *meters) begin(b Backend) {
	m.before = m.lasting(b)
}

// lasting is the processor time of what was there before the run, since that was started.
func (m *meters) lasting(b Backend) (used reports.Sample) {
	used.CPUHarness = m.own.seconds([]int{os.Getpid()})
	used.CPURedis, used.CPUKafka = b.Seconds()
	return used
}

// enter sets what was used of that for the run so far.
func (m *meters) enter(sample *reports.Sample, b Backend) {
	now := m.lasting(b)
	sample.CPUHarness = now.CPUHarness - m.before.CPUHarness
	sample.CPURedis, sample.CPUKafka = now.CPURedis-m.before.CPURedis, now.CPUKafka-m.before.CPUKafka
}

// look asks the operating system, and the consumers for what they said last.
func (s *System) look(now time.Time) (judge.Look, reports.Sample) {
	s.meters.mu.Lock()
	defer s.meters.mu.Unlock()
	consumers, workerPids, consumerPids := s.fleet.look(now)
	l := judge.Look{Consumers: consumers}
	processes, ok := s.fleet.processes()
	l.Unknown, l.Processes = !ok, len(processes)
	// The children of the harness are consumers, also one that starts and is not known yet.
	self, live := os.Getpid(), 0
	starting := map[int]bool{}
	for _, p := range processes {
		starting[p.Pid] = p.Parent == self
	}
	for _, p := range processes {
		if p.Parent == self {
			continue
		}
		live++
		at := slices.Index(consumerPids, p.Parent)
		switch {
		case at >= 0:
			l.Consumers[at].Live++
		case !p.Stopped && !starting[p.Parent]:
			l.Orphans++
		}
	}
	sample := reports.Sample{WorkersLive: live, WorkerBytesMax: residentMax(workerPids)}
	sample.CPUWorkers = s.meters.workers.seconds(workerPids)
	sample.CPUConsumer = s.meters.consumers.seconds(consumerPids)
	s.meters.enter(&sample, s.servers.Backend)
	redis := s.meters.redis.last()
	sample.RedisBytes, sample.RedisBytesMax, sample.RedisBytesAll = redis.used, redis.max, redis.all
	sample.RedisNodes = len(s.redis)
	if s.servers.AskRedis {
		said := s.meters.redis.computed()
		sample.CPURedis = said.used.Seconds()
		sample.RedisNodes, sample.RedisElsewhere = said.nodes, said.elsewhere
	}
	return l, sample
}

// redisMeter asks Redis how full it is, and a given one what it computes, beside the looks: a Redis that
// does not answer must not keep the harness from looking.
type redisMeter struct {
	mu   sync.Mutex
	now  redisMemory
	said redisTime
}

// redisMemory is what the fullest node of Redis uses and what it may use, and what all nodes use, in
// bytes; a max of 0 means that it has no limit.
type redisMemory struct{ used, max, all int64 }

const (
	// memoryEvery is how often Redis is asked for its memory, and threadsEvery for its processor time:
	// as often as there are looks, to which an answer belongs.
	memoryEvery  = 500 * time.Millisecond
	threadsEvery = 100 * time.Millisecond
	// answerMax is how long it may take to answer.
	answerMax = 2 * time.Second
)

// run asks until ctx is done.
func (m *redisMeter) run(ctx context.Context, s *System) {
	var asking sync.WaitGroup
	defer asking.Wait()
	if s.servers.AskRedis {
		asking.Go(func() { m.askThreads(ctx, s) })
	}
	for ctx.Err() == nil && !s.servers.HidesMemory {
		asking, cancel := context.WithTimeout(ctx, answerMax)
		now, err := s.redisMemory(asking)
		cancel()
		if err != nil {
			now = redisMemory{} // not known
		}
		m.mu.Lock()
		m.now = now
		m.mu.Unlock()
		_ = s.Sleep(ctx, memoryEvery) // its error ends the loop
	}
}

// askThreads does that for the processor time. What a node does not tell, or not now, is added with its
// next answer.
func (m *redisMeter) askThreads(ctx context.Context, s *System) {
	var nodes threads
	for ctx.Err() == nil {
		if client, err := s.redisClient(); err == nil {
			asking, cancel := context.WithTimeout(ctx, answerMax)
			used, err := redisstore.MainThread(asking, client)
			cancel()
			if err == nil {
				said := nodes.add(used, process.Local) // which may have to ask for a name
				m.mu.Lock()
				m.said = said
				m.mu.Unlock()
			}
		}
		_ = s.Sleep(ctx, threadsEvery) // its error ends the loop
	}
}

// last returns the last answer; 0 if there was none.
func (m *redisMeter) last() redisMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// computed returns what the nodes have said; all 0 if they have not yet.
func (m *redisMeter) computed() redisTime {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said
}

// redisTime is what the nodes of Redis say that they computed since they were first asked, how many serve
// now, and how many of these are on other machines.
type redisTime struct {
	used             time.Duration
	nodes, elsewhere int
}

// threads sum up the processor time of nodes, over their restarts, from each node's first answer on.
type threads struct {
	last map[string]thread
	used time.Duration
}

// thread is what a node had computed when it answered last, and whether it is on this machine.
type thread struct {
	used time.Duration
	here bool
}

// add adds one answer of each node that serves, by address. What else has answered before does not serve
// any more: a primary whose replica took over is not counted twice.
func (t *threads) add(said map[string]time.Duration, local func(...string) bool) redisTime {
	if t.last == nil {
		t.last = map[string]thread{}
	}
	now := redisTime{nodes: len(said)}
	for address, used := range said { //order-free: sums
		last, known := t.last[address]
		switch {
		case !known:
			last.here = local(address)
		case used < last.used: // it was started again
			t.used += used
		default:
			t.used += used - last.used
		}
		if !last.here {
			now.elsewhere++
		}
		t.last[address] = thread{used, last.here}
	}
	now.used = t.used
	return now
}

func (s *System) redisMemory(ctx context.Context) (redisMemory, error) {
	client, err := s.redisClient()
	if err != nil {
		return redisMemory{}, err
	}
	nodes, err := redisstore.Memory(ctx, client)
	return memoryOf(nodes), err
}

func memoryOf(nodes []buffer.NodeMemory) redisMemory {
	fullest, _ := flusher.Fullest(nodes)
	m := redisMemory{used: fullest.Used, max: fullest.Max}
	for _, n := range nodes {
		m.all += n.Used
	}
	return m
}

// redisClient is the harness's own, which goes past the proxies.
func (s *System) redisClient() (rueidis.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if s.client != nil {
		return s.client, nil
	}
	client, err := s.access.DialRedis(s.redis)
	if err != nil {
		return nil, fmt.Errorf("ask redis what it uses: %w", err)
	}
	s.client = client
	return client, nil
}

// Usage sums up the processor time of a server over its restarts.
type Usage struct {
	mu        sync.Mutex
	pid       int // 0: not running
	past, now time.Duration
}

// Began comes when the process runs.
func (u *Usage) Began(pid int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pid = pid
}

// Ended comes when the process has ended; what it used since it was last asked is not known.
func (u *Usage) Ended() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.past, u.now, u.pid = u.past+u.now, 0, 0
}

// Seconds returns what was used so far.
func (u *Usage) Seconds() float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, _ := process.Look(u.pid)
	u.now = max(u.now, p.CPU)
	return (u.past + u.now).Seconds()
}

// residentMax returns the greatest resident memory of processes, in bytes; 0 if it is not known.
func residentMax(pids []int) int64 {
	var most int64
	for _, pid := range pids {
		p, _ := process.Look(pid) // nothing of one that has just ended
		most = max(most, p.RSS)
	}
	return most
}

// cpuMeter adds up the processor time of processes that come and go.
type cpuMeter struct{ last map[int]time.Duration }

// seconds returns the processor time used so far by these processes and by those that it was asked
// about before.
func (m *cpuMeter) seconds(pids []int) float64 {
	if m.last == nil {
		m.last = map[int]time.Duration{}
	}
	for _, pid := range pids {
		p, _ := process.Look(pid)
		m.last[pid] = max(m.last[pid], p.CPU) // what one that has just ended had used is known
	}
	var sum time.Duration
	for _, used := range m.last {
		sum += used
	}
	return sum.Seconds()
}
