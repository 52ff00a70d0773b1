package harness

import (
	"context"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
)

// look is the state of the workers at one moment.
type look struct {
	T      float64
	Phase  string
	States []flusher.WorkerState
	// Live is how many worker processes the operating system knows; processesUnknown if it cannot
	// be asked.
	Live int
	// Closed are the shards whose input is to pause.
	Closed []buffer.Shard
}

// processesUnknown is the Live of a system on which processes cannot be counted.
const processesUnknown = -1

// observer looks at the system ten times a second and keeps what it sees.
type observer struct {
	subject  workers
	gate     flusher.Gate
	ledger   *ledger.Ledger
	record   *recorder
	census   census
	progress func(Progress)

	mu      sync.Mutex
	phase   string
	looks   []look
	samples []reports.Sample
}

// sampleEvery is how often the observer looks.
const sampleEvery = 100 * time.Millisecond

// run looks until ctx is done.
func (o *observer) run(ctx context.Context) {
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
	states := o.subject.Workers()
	closed := flusher.SortedShards(o.gate.Closed())
	live := o.census.count()
	memory := residentMax(o.subject.Pids())
	sent, settled := o.ledger.Counts()
	repeated, bytes := o.ledger.Traffic()

	o.mu.Lock()
	o.record.mu.Lock()
	t, loading := o.record.seconds(now), !o.record.zero.IsZero()
	o.record.mu.Unlock()
	sample := reports.Sample{T: t, Sent: sent, Flushed: settled, Repeated: repeated, OutBytes: bytes,
		Paused: len(closed), WorkersLive: max(live, 0), WorkerBytesMax: memory}
	if loading {
		o.samples = append(o.samples, sample)
	}
	o.looks = append(o.looks, look{T: t, Phase: o.phase, States: states, Live: live, Closed: closed})
	phase := o.phase
	o.mu.Unlock()
	if o.progress != nil {
		o.progress(Progress{Phase: phase, Sample: sample, States: o.record.statesNow()})
	}
}

func (o *observer) seen() ([]look, []reports.Sample) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]look(nil), o.looks...), append([]reports.Sample(nil), o.samples...)
}
