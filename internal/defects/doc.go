// Package defects puts failures back that the harness must catch. Each is a wrapper around a port
// of a consumer or of a worker, which any world can take; no part knows that it is wrapped, and
// production does not link this package.
//
// Any scenario can be run with one of them:
//
//	simulate run hang --defect kill-skipped
package defects

import (
	"cmp"
	"fmt"

	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/options"
	"sluice/internal/portfault"
	"sluice/internal/portfault/inject"
)

// Defect is one failure. The zero value is none.
type Defect struct {
	Name string
	// Wrong says in a sentence what goes wrong.
	Wrong string
	// Caught names the invariant, or the expectation, that must be violated, given a scenario that
	// gives it the occasion.
	Caught string
	// Shown is a scenario of the library that gives the occasion, with the changes it needs, each a
	// "path=value".
	Shown   string
	Changes []string
	// Explored names the preset of simulate explore that finds it. Of one of the museum that none finds,
	// Unexplored says why.
	Explored, Unexplored string
	// OnServers is true if the scenario of its name fails on real servers, too, which a test sees.
	OnServers bool
	// audited is true if it shows although the store is audited, which mends much.
	audited bool

	// consumer and worker wrap ports of a consumer, and of each worker in its own process; settings
	// makes a variant of what both are made with. Nil: none.
	consumer func(*consumer.Ports)
	worker   func(*flusher.WorkerPorts)
	settings func(*consumer.Settings)
}

// Why simulate explore does not find some defects.
const (
	byTime     = "it goes by how long something takes, and there is no time there"
	byPressure = "nothing there is ever full"
	bySize     = "nothing there is ever too large"
)

// All returns every defect: those of the museum, and the damages.
func All() []Defect { return append(Museum(), Damages()...) }

// Museum returns, by name, the defects that put back what went wrong in systems of this kind. Each
// has a scenario of its name under scenarios/museum: the least that shows it.
func Museum() []Defect {
	return []Defect{
		ackFirst, beatBeforeProduce, blockedLog, budgetOffByOne, budgetReset, clockShared, clockZero,
		commitFirst, crashAfterRename, deleteBeforeQueue, doubleCount, emptyShards, expiredLock,
		giantTraceBlocks, healthOnSubmit, killSkipped, lostStore, meanMemory, neverIdle, orphans, partialDecision,
		poisonSegment,
		pressureAllShards, pressureEveryone, pressureWrongUnit, queueABA, queueGap, scanRace,
		selfMerge, serialRestart, silentGap, stateAfterFailedFetch, strayClock, strayThread, swallowProduceError, timeoutZero,
		ttlLoss, wrongQueue,
	}
}

// Find returns the defect of that name; without a name, none.
func Find(name string) (Defect, error) {
	if name == "" {
		return Defect{}, nil
	}
	var names []string
	for _, d := range All() {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Defect{}, fmt.Errorf("unknown defect %q%s", name,
		cmp.Or(options.DidYouMean(name, names), "; see simulate list defects"))
}

// MarshalText returns the name.
func (d Defect) MarshalText() ([]byte, error) { return []byte(d.Name), nil }

// UnmarshalText finds the defect of that name.
func (d *Defect) UnmarshalText(name []byte) (err error) {
	*d, err = Find(string(name))
	return err
}

// Planted is what is around the ports of a consumer and its workers. The zero value is nothing. It
// crosses to other processes as JSON.
type Planted struct {
	Defect Defect
	Faults portfault.List
	// Hit hears of each call that a fault hits. Nil: nobody does. It does not cross to other processes.
	Hit func(portfault.Fault) `json:"-"`
}

// Any tells whether it is anything.
func (p Planted) Any() bool { return p.Defect.Name != "" || len(p.Faults) > 0 }

// Settings makes a variant of what a consumer and its workers are made with.
func (p Planted) Settings(s *consumer.Settings) {
	if p.Defect.settings != nil {
		p.Defect.settings(s)
	}
}

// Consumer wraps the ports of a consumer. Crash ends its process.
func (p Planted) Consumer(ports *consumer.Ports, crash func()) {
	inject.Consumer(p.Faults, ports, crash, p.Hit)
	if p.Defect.Name != "" && !p.Defect.audited {
		ports.Auditor = nil // it would mend what is to be seen
	}
	if p.Defect.consumer != nil {
		p.Defect.consumer(ports)
	}
}

// Worker wraps the ports of a worker. Crash ends its process.
func (p Planted) Worker(ports *flusher.WorkerPorts, crash func()) {
	inject.Worker(p.Faults, ports, crash, p.Hit)
	if p.Defect.worker != nil {
		ports.Tasks = nil // so that it sees one call at a time
		p.Defect.worker(ports)
	}
}

// Again returns what is planted into a process that takes the place of another.
func (p Planted) Again() Planted {
	p.Faults = p.Faults.Again()
	return p
}
