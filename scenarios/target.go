package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// Target is what a fault happens to.
type Target struct {
	Kind TargetKind
	// N is the worker, the node of Redis, the broker or the partition, from 0. AllNodes for all of Redis.
	N int
}

// AllNodes is the N of a fault that hits every node of Redis.
const AllNodes = -1

// TargetKind is a kind of target.
type TargetKind string

// The kinds of target.
const (
	// TargetWorker is one worker of the consumer.
	TargetWorker TargetKind = "worker"
	// TargetAnyWorker is one that is drawn from the seed, for each time anew.
	TargetAnyWorker TargetKind = "any worker"
	// TargetAllWorkers is all of them at once.
	TargetAllWorkers TargetKind = "all workers"
	// TargetConsumer is the whole instance of the pipeline: the consumer with its workers.
	TargetConsumer TargetKind = "consumer"
	// TargetHost is the machine on which all consumers and their workers are.
	TargetHost TargetKind = "host"
	// TargetRedis is Redis or, of a cluster, one node or all.
	TargetRedis TargetKind = "redis"
	// TargetKafka is all of Kafka, TargetBroker one of several brokers.
	TargetKafka  TargetKind = "kafka"
	TargetBroker TargetKind = "kafka broker"
	// TargetPartition is a partition: of the input topic for the clock and for what is deleted, of the
	// output topic for a produce.
	TargetPartition TargetKind = "partition"
	// TargetClock is the clock of all producers.
	TargetClock TargetKind = "clock"
	// TargetGroup is the consumer group; it is not written down.
	TargetGroup TargetKind = ""
)

// isWorker tells whether the target is one or all of the workers.
func (t Target) isWorker() bool { return slices.Contains(workerTargets, t.Kind) }

// isKafka tells whether the target is Kafka or a part of it.
func (t Target) isKafka() bool { return t.Kind == TargetKafka || t.Kind == TargetBroker }

// Healing is the turn in which a fault is ended when all are.
type Healing int

// What waits for something comes after it.
const (
	// HealServers is the network's turn, too.
	HealServers Healing = iota
	// HealWake is of what is frozen, or a worker.
	HealWake
	// HealConsumers is of what starts or stops: that waits for the servers and for what is awake.
	HealConsumers
)

// Heals returns the turn of the fault.
func (f Fault) Heals() Healing {
	switch kind := f.Target.Kind; {
	case kind == TargetGroup, kind == TargetConsumer && f.Verb != VerbHang:
		return HealConsumers
	case kind == TargetConsumer, kind == TargetHost, f.Target.isWorker():
		return HealWake
	}
	return HealServers
}

// Brokers returns how many brokers Kafka must have for a scenario that can have several: one, unless a
// fault names one of them.
func (s *Scenario) Brokers() int {
	for _, f := range s.Faults {
		if f.Target.Kind == TargetBroker {
			return brokers
		}
	}
	return 1
}

// brokers is how many there are if there are several.
const brokers = 3

// form is how the target is written.
func (k TargetKind) form() string {
	switch k {
	case TargetWorker, TargetPartition, TargetBroker:
		return string(k) + " N"
	case TargetRedis:
		return "redis [node N]"
	}
	return string(k)
}

// word is the first word of the form.
func (k TargetKind) word() string {
	word, _, _ := strings.Cut(string(k), " ")
	return word
}

// String returns the text form: "worker 1", "redis node 2".
func (t Target) String() string {
	switch {
	case t.Kind == TargetWorker || t.Kind == TargetPartition || t.Kind == TargetBroker:
		return fmt.Sprintf("%s %d", t.Kind, t.N)
	case t.Kind == TargetRedis && t.N != AllNodes:
		return fmt.Sprintf("redis node %d", t.N)
	}
	return string(t.Kind)
}

// target reads the target of a use.
func (w *words) target(use *Usage) Target {
	if slices.Contains(use.Targets, TargetGroup) {
		return Target{}
	}
	first := w.next("a target")
	switch TargetKind(first) {
	case TargetWorker:
		return Target{TargetWorker, int(w.number("a worker's index"))}
	case TargetPartition:
		return Target{TargetPartition, int(w.number("a partition's number"))}
	case TargetKafka:
		if slices.Contains(use.Targets, TargetBroker) && w.peek() == "broker" {
			w.literal("broker")
			return Target{TargetBroker, int(w.number("a broker's index"))}
		}
	case TargetRedis:
		t := Target{TargetRedis, AllNodes}
		if w.peek() == "node" {
			w.literal("node")
			t.N = int(w.number("a node's index"))
		}
		return t
	}
	for _, kind := range []TargetKind{TargetAnyWorker, TargetAllWorkers} {
		if first == kind.word() {
			w.literal(strings.TrimPrefix(string(kind), first+" "))
			return Target{Kind: kind}
		}
	}
	return Target{Kind: TargetKind(first)}
}
