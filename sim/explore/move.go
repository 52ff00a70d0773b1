package explore

import "slices"

// flying is a record on its way to Kafka.
type flying struct {
	Handed  handed
	Refused bool
}

// is tells whether a record is the one that is waited for.
func (o wait) is(f flying) bool {
	return f.Handed.Record.Generation == o.Generation && f.Handed.Try == o.Try
}

// unsent returns which record of a worker Kafka is to get next, or -1: those that it has refused keep no
// other from being sent.
func unsent(box []flying) int {
	return slices.IndexFunc(box, func(f flying) bool { return !f.Refused })
}

// act is what happens to a process.
type act uint8

const (
	actAnswer       act = iota // a call is answered
	actLost                    // it has its effect, and its answer is lost
	actRefuse                  // it has none
	actSend                    // Kafka gets a record
	actRefuseRecord            // Kafka refuses it; it may take it another time
	actCrash
	actFreeze // it is taken for dead, is replaced, and goes on at any time
	actRevoke // its partition is to go to another reader, once it lets go of it
	actExpire // its partition is another reader's already; it hears of that at any time
	actHear   // it does
)

var actNames = map[act]string{
	actLost: "lost answer", actRefuse: "refused", actRefuseRecord: "record refused", actCrash: "crash",
	actFreeze: "freeze and wake", actRevoke: "partition revoked", actExpire: "partition lost",
	actUp: "up", actDie: "ends", actWake: "wakes", actHang: "hangs",
}

// String returns the act's name.
func (a act) String() string { return actNames[a] }

// fault tells whether the act is one of those whose number is bounded.
func (a act) fault() bool {
	switch a {
	case actAnswer, actSend, actHear, actUp, actDie, actWake:
		return false
	}
	return true
}

// kinds are the acts that are faults and may happen, to readers and to workers.
type kinds struct{ readers, workers []act }

// protocolKinds and commitKinds are those of the presets.
var (
	protocolKinds = kinds{
		readers: []act{actCrash, actLost},
		workers: []act{actCrash, actFreeze, actLost, actRefuse, actRefuseRecord},
	}
	commitKinds    = kinds{readers: []act{actCrash, actLost, actRefuse}}
	rebalanceKinds = kinds{readers: []act{actRevoke, actExpire, actLost}, workers: []act{actLost}}
)

// move is one thing that can happen.
type move struct {
	proc   int8 // index in procs
	act    act
	call   int8
	choice int16 // how much a poll gets, what a lease: one of the orders
}

// proc is a process of a state.
type proc struct {
	partition int
	kind      procKind
	slot      int // of workers
	at        int // where its node stands in the state
	moves     []move
	progress  bool // one of them is no fault
	local     bool // none of them is seen by another process before it moves itself
}

type procKind uint8

const (
	procReader procKind = iota
	procKeeper
	procWorker
)

var processNames = [...]string{"reader", "keeper", "worker"}
