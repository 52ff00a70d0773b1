package harness

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"sluice/internal/judge"
	"sluice/internal/ledger"
	"sluice/reports"
)

// observer looks at the system ten times a second and keeps what it sees.
type observer struct {
	fleet    *fleet
	world    *world
	ledger   *ledger.Ledger
	record   *recorder
	lasting  func() []string // faults
	progress func(Progress)

	memory                               memoryMeter
	workersCPU, consumersCPU, harnessCPU cpuMeter
	committed                            map[int32]int64 // by partition, the offset behind it

	mu      sync.Mutex
	phase   string
	looks   []judge.Look
	samples []reports.Sample
}

// sampleEvery is how often the observer looks.
const sampleEvery = 100 * time.Millisecond

// run looks until ctx is done.
func (o *observer) run(ctx context.Context) {
	var tasks sync.WaitGroup
	defer tasks.Wait()
	tasks.Go(func() { o.memory.run(ctx, o.world) })
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			o.look(now)
		}
	}
}

func (o *observer) enter(phase string) {
	o.mu.Lock()
	o.phase = phase
	o.mu.Unlock()
	o.record.phase(phase)
}

func (o *observer) look(now time.Time) {
	consumers, workerPids, consumerPids := o.fleet.look(now)
	l := judge.Look{Consumers: consumers}
	processes, ok := o.fleet.processes()
	l.Unknown = !ok
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
	sample := o.sample(live, workerPids, consumerPids)
	for _, c := range consumers {
		sample.Paused += len(c.Closed)
	}
	sample.Backlog = o.backlog(consumers)

	o.mu.Lock()
	o.record.mu.Lock()
	t, loading := o.record.seconds(now), !o.record.zero.IsZero()
	o.record.mu.Unlock()
	sample.T, l.T, l.Phase = t, t, o.phase
	if loading {
		o.samples = append(o.samples, sample)
	}
	o.looks = append(o.looks, l)
	phase := o.phase
	o.mu.Unlock()
	if o.progress != nil {
		o.progress(Progress{Phase: phase, Sample: sample, States: o.record.statesNow(),
			Faults: o.lasting()})
	}
}

// sample measures what the charts show.
func (o *observer) sample(live int, workerPids, consumerPids []int) reports.Sample {
	sent, settled := o.ledger.Counts()
	repeated, bytes := o.ledger.Traffic()
	s := reports.Sample{Sent: sent, Flushed: settled, Repeated: repeated, OutBytes: bytes,
		WorkersLive: live, WorkerBytesMax: residentMax(workerPids)}
	s.CPUWorkers = o.workersCPU.seconds(workerPids)
	s.CPUConsumer = o.consumersCPU.seconds(consumerPids)
	s.CPUHarness = o.harnessCPU.seconds([]int{os.Getpid()})
	s.CPURedis, s.CPUKafka = o.world.cpu()
	s.RedisBytes, s.RedisBytesMax = o.memory.last()
	fresh := o.record.fresh.lately()
	s.FreshP50, s.FreshP90, s.FreshP99 = fresh.P50, fresh.P90, fresh.P99
	return s
}

// backlog returns how many messages were sent and are not committed yet, as far as the consumers
// have said. What a consumer knows of offsets ends with it, so the greatest is kept.
func (o *observer) backlog(consumers []judge.ConsumerLook) int64 {
	if o.committed == nil {
		o.committed = map[int32]int64{}
	}
	for _, c := range consumers {
		for partition, next := range c.Committed {
			o.committed[partition] = max(o.committed[partition], next)
		}
	}
	backlog := o.ledger.Messages()
	for _, next := range o.committed {
		backlog -= next
	}
	return max(backlog, 0)
}

func (o *observer) seen() ([]judge.Look, []reports.Sample) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]judge.Look(nil), o.looks...), append([]reports.Sample(nil), o.samples...)
}
