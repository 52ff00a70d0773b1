package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// Verb is what a fault does.
type Verb string

// The verbs. Verbs has what each takes and means.
const (
	VerbHang      Verb = "hang"
	VerbResume    Verb = "resume"
	VerbCrash     Verb = "crash"
	VerbCrashLoop Verb = "crash-loop"
	VerbSlowStart Verb = "slow-start"
	VerbStop      Verb = "stop"
	VerbRebalance Verb = "rebalance"
	VerbSlow      Verb = "slow"
	VerbThrottle  Verb = "throttle"
	VerbCut       Verb = "cut"
	VerbRefuse    Verb = "refuse"
	VerbBlackHole Verb = "black-hole"
	VerbPause     Verb = "pause"
	VerbFill      Verb = "fill"
	VerbWipe      Verb = "wipe"
	VerbFailover  Verb = "failover"
	VerbFail      Verb = "fail"
	VerbJump      Verb = "jump"
	VerbDelete    Verb = "delete-records"
	VerbDepose    Verb = "depose"
)

// Argument is something that a verb takes after its target.
type Argument int

// The arguments: two of them may be left out.
const (
	TakesDirection Argument = iota // may be given
	TakesBy                        // must
	TakesTo                        // must
	TakesFor                       // must
	TakesMaybeFor                  // may
)

// Usage is what a verb can be used for.
type Usage struct {
	Verb Verb
	// Targets are what it can happen to.
	Targets []TargetKind
	// Means says in a sentence what happens.
	Means string
	// Example is one whole fault.
	Example string

	arguments []Argument
}

// Form is how the use is written behind the moment, with what may be left out in brackets.
func (u *Usage) Form() string {
	forms := make([]string, len(u.Targets))
	for i, kind := range u.Targets {
		forms[i] = kind.form()
	}
	text := string(u.Verb)
	if targets := strings.Join(forms, "|"); targets != "" {
		text += " " + targets
	}
	for _, a := range u.arguments {
		text += " " + argumentForms[a]
	}
	return text
}

var argumentForms = map[Argument]string{
	TakesDirection: "[requests|answers]", TakesBy: "by DURATION", TakesTo: "to SIZE/s",
	TakesFor: "for DURATION", TakesMaybeFor: "[for DURATION]",
}

// Takes tells whether the verb takes an argument.
func (u *Usage) Takes(a Argument) bool { return slices.Contains(u.arguments, a) }

var (
	workerTargets = []TargetKind{TargetWorker, TargetAnyWorker, TargetAllWorkers}
	serverTargets = []TargetKind{TargetRedis, TargetKafka, TargetBroker}
)

// uses has a row per meaning of a verb; a verb that means the same for all its targets has one.
var uses = []Usage{
	{VerbHang, workerTargets, "The worker process is frozen (SIGSTOP): it keeps its connections and " +
		"does nothing. Without an end the supervisor must notice and kill it.",
		"at 5s hang worker 1 for 3s", []Argument{TakesMaybeFor}},
	{VerbHang, []TargetKind{TargetConsumer}, "The consumer is frozen with all its workers.",
		"at 5s hang consumer for 3s", []Argument{TakesFor}},
	{VerbHang, []TargetKind{TargetHost}, "The pipeline's machine stands still: all consumers with their " +
		"workers are frozen and wake together. What they have sent is served meanwhile, and their time-outs " +
		"run.", "at 5s hang host for 3s", []Argument{TakesFor}},
	{VerbHang, serverTargets, "The server's process is frozen: connections stay open and nothing " +
		"answers.", "at 5s hang redis for 2s", []Argument{TakesFor}},
	{VerbResume, append(slices.Clone(workerTargets), TargetConsumer), "What was frozen is woken " +
		"(SIGCONT), if nobody has killed it since.", "when 20000 spans sent resume worker 1", nil},
	{VerbCrash, workerTargets, "The worker process is killed without warning (SIGKILL).",
		"at 5s crash any worker", nil},
	{VerbCrash, []TargetKind{TargetConsumer}, "The consumer is killed (SIGKILL), and is started again " +
		"at once, or after that time. Its workers must end by themselves.",
		"at 5s crash consumer for 1s", []Argument{TakesMaybeFor}},
	{VerbCrash, []TargetKind{TargetKafka, TargetBroker}, "The broker is killed (SIGKILL) and started again with its " +
		"data after that time.", "at 5s crash kafka for 3s", []Argument{TakesFor}},
	{VerbCrashLoop, workerTargets, "Each process of the worker is killed as soon as it was started, " +
		"until that time is over.", "at 5s crash-loop worker 1 for 5s", []Argument{TakesFor}},
	{VerbSlowStart, workerTargets, "Each process of the worker that starts within that time is frozen " +
		"for a while before it does anything.", "at 5s slow-start worker 1 by 2s for 10s",
		[]Argument{TakesBy, TakesFor}},
	{VerbStop, []TargetKind{TargetConsumer}, "The consumer is asked to stop, as by SIGTERM, and drains; it " +
		"is started again after that time.", "at 5s stop consumer for 2s", []Argument{TakesFor}},
	{VerbStop, serverTargets, "The server is stopped and started again with its data after that time.",
		"at 5s stop kafka for 5s", []Argument{TakesFor}},
	{VerbRebalance, []TargetKind{TargetGroup}, "A second consumer joins the group, takes over a part of " +
		"the partitions, and leaves after that time.", "at 5s rebalance for 5s", []Argument{TakesFor}},
	{VerbSlow, serverTargets, "All that goes over the network to the server, or comes from it, is delayed.",
		"at 5s slow redis answers by 20ms for 3s", []Argument{TakesDirection, TakesBy, TakesMaybeFor}},
	{VerbThrottle, serverTargets, "The network to the server lets through only so many bytes per second " +
		"and connection.", "at 5s throttle kafka requests to 200KiB/s for 3s",
		[]Argument{TakesDirection, TakesTo, TakesMaybeFor}},
	{VerbCut, serverTargets, "All connections to the server are closed once; new ones can be opened.",
		"every 2s cut redis", nil},
	{VerbRefuse, serverTargets, "All connections to the server are closed, and new ones are refused.",
		"at 5s refuse kafka for 3s", []Argument{TakesFor}},
	{VerbBlackHole, serverTargets, "The network swallows what goes to the server, or what comes from it, " +
		"or both; then the connections are closed. An answer that is lost has had its effect.",
		"at 5s black-hole redis answers for 2s", []Argument{TakesDirection, TakesFor}},
	{VerbPause, []TargetKind{TargetRedis}, "Redis answers nobody for that time (CLIENT PAUSE).",
		"at 5s pause redis for 1s", []Argument{TakesFor}},
	{VerbFill, []TargetKind{TargetRedis}, "Redis' memory limit is set to what it uses (maxmemory), so " +
		"that it takes nothing more until that time is over. The fake refuses what needs room.", "at 5s fill redis for 5s",
		[]Argument{TakesFor}},
	{VerbWipe, []TargetKind{TargetRedis}, "Redis ends and is started again without its data, at once or " +
		"after that time. What Redis alone held is lost, and the ledger says so.", "at 5s wipe redis",
		[]Argument{TakesMaybeFor}},
	{VerbFailover, []TargetKind{TargetRedis}, "Redis' replica gets nothing any more. After the first time " +
		"Redis dies and the replica takes over, at once or after the second time: what was written since " +
		"the fault began is lost, and the ledger says so; what was there before must come out.",
		"at 5s failover redis by 500ms for 1s", []Argument{TakesBy, TakesMaybeFor}},
	{VerbFail, []TargetKind{TargetKafka, TargetPartition}, "The broker answers every produce request " +
		"of the pipeline, or those for that partition of the output topic, with an error.",
		"at 5s fail kafka for 3s", []Argument{TakesFor}},
	{VerbDepose, []TargetKind{TargetPartition, TargetKafka}, "The leader of that partition of each topic, or " +
		"of all, is deposed, and another one elected after that time. Until then nobody can read or write it " +
		"(NOT_LEADER); of what was just being written nothing is acknowledged, and a part may be there.",
		"at 5s depose partition 3 for 1s", []Argument{TakesFor}},
	{VerbDelete, []TargetKind{TargetKafka, TargetPartition}, "Kafka deletes all messages that the input " +
		"topic holds, or that partition of it, read or not, as retention does (DeleteRecords). Those that " +
		"were not read are lost; the consumer must say so, and the ledger believes it no more than that.",
		"at 5s delete-records kafka", nil},
	{VerbJump, []TargetKind{TargetClock, TargetPartition}, "The producers' clock is set forward or back: " +
		"the timestamps of all messages, or of those of that partition.",
		"at 5s jump clock by -30s for 5s", []Argument{TakesBy, TakesMaybeFor}},
}

// Uses returns what can be done to what, a row per meaning of a verb.
func Uses() []Usage { return slices.Clone(uses) }

// Verbs returns all verbs.
func Verbs() []string {
	var list []string
	for _, u := range uses {
		if !slices.Contains(list, string(u.Verb)) {
			list = append(list, string(u.Verb))
		}
	}
	return list
}

// otherWords are what many would write instead of a verb.
var otherWords = map[string]Verb{
	"start": VerbStop, "restart": VerbStop, "kill": VerbCrash, "freeze": VerbHang, "wake": VerbResume,
	"delay": VerbSlow,
}

// verb reads a verb, and finds what it is used for by the first word of the target behind it. On
// a wrong target the first use comes with the error, for its example.
func (w *words) verb() (*Usage, bool) {
	if meant, ok := otherWords[w.peek()]; ok {
		w.err = fmt.Errorf("unknown fault %q; write %s", w.peek(), meant)
		if meant == VerbStop {
			w.err = fmt.Errorf("%w, with the time after which it starts again", w.err)
		}
		return &uses[slices.IndexFunc(uses, func(u Usage) bool { return u.Verb == meant })], true
	}
	verb := Verb(w.choice("fault", Verbs()...))
	if w.err != nil {
		return nil, false
	}
	next := w.peek()
	var targets []string
	var first *Usage
	for i := range uses {
		use := &uses[i]
		if use.Verb != verb {
			continue
		}
		if first == nil {
			first = use
		}
		for _, kind := range use.Targets {
			if kind == TargetGroup || kind.word() == next {
				return use, true
			}
			targets = append(targets, kind.form())
		}
	}
	if next == "" {
		w.err = fmt.Errorf("a target is missing after %q: %s", verb, strings.Join(targets, ", "))
	} else {
		w.err = fmt.Errorf("%s cannot happen to %q; it can to: %s", verb, next,
			strings.Join(targets, ", "))
	}
	return first, true
}

// Kind is what the fault does to what kind of target: "crash worker", whichever it is.
func (f Fault) Kind() string { return kindOf(f.Verb, f.Target.Kind) }

func kindOf(verb Verb, target TargetKind) string {
	if slices.Contains(workerTargets, target) {
		target = TargetWorker
	}
	return strings.TrimSpace(string(verb) + " " + string(target))
}

// Kinds returns all kinds of fault, in the order of Uses.
func Kinds() []string {
	var list []string
	for _, u := range uses {
		for _, target := range u.Targets {
			if kind := kindOf(u.Verb, target); !slices.Contains(list, kind) {
				list = append(list, kind)
			}
		}
	}
	return list
}
