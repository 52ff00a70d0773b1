package wall

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"sluice/internal/judge"
	"sluice/reports"
)

// meters measure what the processes and servers of a run use. Only the memory's is for several
// goroutines.
type meters struct {
	memory                       memoryMeter
	workers, consumers, harness_ cpuMeter
}

// look asks the operating system, and the consumers for what they said last.
func (s *System) look(now time.Time) (judge.Look, reports.Sample) {
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
	sample.CPUHarness = s.meters.harness_.seconds([]int{self})
	sample.CPURedis, sample.CPUKafka = s.servers.Backend.Seconds()
	sample.RedisBytes, sample.RedisBytesMax = s.meters.memory.last()
	return l, sample
}

// memoryMeter asks Redis how full it is, beside the looks: a Redis that does not answer must not keep
// the harness from looking.
type memoryMeter struct {
	mu        sync.Mutex
	used, max int64
}

const (
	// memoryEvery is how often Redis is asked.
	memoryEvery = 500 * time.Millisecond
	// memoryAnswerMax is how long it may take to answer.
	memoryAnswerMax = 2 * time.Second
)

// run asks until ctx is done.
func (m *memoryMeter) run(ctx context.Context, s *System) {
	for ctx.Err() == nil && !s.servers.HidesMemory {
		asking, cancel := context.WithTimeout(ctx, memoryAnswerMax)
		used, most, err := s.redisMemory(asking)
		cancel()
		if err != nil {
			used, most = 0, 0 // not known
		}
		m.mu.Lock()
		m.used, m.max = used, most
		m.mu.Unlock()
		_ = s.Sleep(ctx, memoryEvery) // its error ends the loop
	}
}

// last returns the last answer; 0 if there was none.
func (m *memoryMeter) last() (used, most int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used, m.max
}
