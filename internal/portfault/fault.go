// Package portfault names faults at the calls of the core's ports: before they have an effect, after it, or
// by making them slow. A fault is a value with a text form that parses back; faults compose as a list:
//
//	refuse store.attach 3..5          the calls fail, and had no effect
//	lose store.ack every 10           one call of each ten has its effect, and its answer is lost
//	slow producer.produce by 50ms     the calls begin later
//	crash before store.release 2      the process dies instead of making the call
//	crash after store.ack 50          the process dies when the call has had its effect
//
// Calls are counted for each port of each process, from 1. Without a number all are meant. These are the words;
// package inject does what they say.
package portfault

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is what a fault does.
type Kind string

// The kinds.
const (
	// Refuse makes a call fail before it has any effect. A poll finds nothing instead: one that fails
	// is final.
	Refuse Kind = "refuse"
	// Lose makes a call fail after it had its effect.
	Lose Kind = "lose"
	// Slow makes a call begin later.
	Slow Kind = "slow"
	// CrashBefore and CrashAfter end the process before the call has any effect, or after it.
	CrashBefore Kind = "crash before"
	CrashAfter  Kind = "crash after"
)

// Port is a call of the core to the outside.
type Port string

// The ports. Dead letters of a consumer are apart from what its workers produce. Memory is how full the
// store is, and its audit beats, sweeps and adopts. A spawner starts workers, and tells them to stop, or
// kills them.
const (
	StoreAttach  Port = "store.attach"
	StoreEnqueue Port = "store.enqueue"
	StoreFence   Port = "store.fence"
	StoreLease   Port = "store.lease"
	StoreClaim   Port = "store.claim"
	StoreLoad    Port = "store.load"
	StoreAck     Port = "store.ack"
	StoreRelease Port = "store.release"
	StoreMemory  Port = "store.memory"
	StoreBeat    Port = "store.beat"
	StoreSweep   Port = "store.sweep"
	StoreAdopt   Port = "store.adopt"
	Produce      Port = "producer.produce"
	DeadLetter   Port = "dead-letters.produce"
	SourcePoll   Port = "source.poll"
	SourceCommit Port = "source.commit"
	SpawnerStart Port = "spawner.start"
	SpawnerStop  Port = "spawner.stop"
	SpawnerKill  Port = "spawner.kill"
)

var ports = []Port{
	StoreAttach, StoreEnqueue, StoreFence, StoreLease, StoreClaim, StoreLoad, StoreAck, StoreRelease,
	StoreMemory, StoreBeat, StoreSweep, StoreAdopt, Produce, DeadLetter, SourcePoll, SourceCommit,
	SpawnerStart, SpawnerStop, SpawnerKill,
}

// Ports returns all of them.
func Ports() []Port { return slices.Clone(ports) }

// OfConsumer tells whether consumers call the port; workers call the others, and StoreFence, too.
func (p Port) OfConsumer() bool {
	return !slices.Contains([]Port{StoreLease, StoreClaim, StoreLoad, StoreAck, StoreRelease, Produce}, p)
}

// OfStore tells whether the port is a store's.
func (p Port) OfStore() bool { return strings.HasPrefix(string(p), "store.") }

// Never returns why no call of the port can have a kind of fault, and what to write instead; empty if calls
// can.
func (p Port) Never(kind Kind) string {
	switch {
	case p == SourcePoll && kind == Lose:
		return fmt.Sprintf("messages that were polled cannot be lost: write %s %s", Refuse, p)
	case p == SpawnerStart && kind == Lose:
		return fmt.Sprintf("where a worker was started nobody is told otherwise, and one that nobody knows "+
			"could never be ended: write %s %s", Refuse, p)
	case (p == SpawnerStop || p == SpawnerKill) && (kind == Refuse || kind == Lose):
		return fmt.Sprintf("a worker can always be told, and gives no answer; it may hear of it late: "+
			"write %s %s by 50ms, or inject the scenario's fault hang worker", Slow, p)
	}
	return ""
}

// Calls says which calls of a port a fault hits. The zero value is all of them.
type Calls struct {
	// From and To are the first and the last one.
	From, To int
	// Every hits one of each so many, at a place that differs: callers that take turns, as a worker's
	// shards do, would be hit always or never at the same one.
	Every int
}

// Hit tells whether the call with a number, from 1, is one of them.
func (c Calls) Hit(n int) bool {
	if c.Every > 0 {
		block, place := (n-1)/c.Every, (n-1)%c.Every
		return place == rand.New(rand.NewPCG(0, uint64(block))).IntN(c.Every)
	}
	return c.From == 0 || c.From <= n && n <= c.To
}

// String returns the calls as they are parsed; empty for all.
func (c Calls) String() string {
	switch {
	case c.Every > 0:
		return fmt.Sprintf("every %d", c.Every)
	case c.From == c.To && c.From > 0:
		return fmt.Sprint(c.From)
	case c.From > 0:
		return fmt.Sprintf("%d..%d", c.From, c.To)
	}
	return ""
}

// Fault is what happens to some calls of a port.
type Fault struct {
	Kind  Kind
	Port  Port
	Calls Calls
	// By is how much later a slow call begins; 0 for the other kinds.
	By time.Duration
}

// Crashes tells whether the fault ends a process.
func (f Fault) Crashes() bool { return f.Kind == CrashBefore || f.Kind == CrashAfter }

// String returns the text that Parse reads.
func (f Fault) String() string {
	text := string(f.Kind) + " " + string(f.Port)
	if calls := f.Calls.String(); calls != "" {
		text += " " + calls
	}
	if f.Kind == Slow {
		text += " by " + f.By.String()
	}
	return text
}

// List is faults that happen side by side. Those that hit the same call do so in its order, until
// one refuses it.
type List []Fault

// String returns the text that Parse reads.
func (l List) String() string {
	texts := make([]string, len(l))
	for i, f := range l {
		texts[i] = f.String()
	}
	return strings.Join(texts, ", ")
}

// Again returns the faults of a process that takes the place of another: calls that are given by
// their numbers were those of the first. So one that crashed at its second call does not crash there
// for ever.
func (l List) Again() List {
	return slices.DeleteFunc(slices.Clone(l), func(f Fault) bool { return f.Calls.From > 0 })
}
