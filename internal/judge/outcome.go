package judge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// Exit codes of a run, as cmd/simulate returns them.
const (
	ExitPassed      = 0
	ExitEnvironment = 1
	ExitUsage       = 2
	ExitSafety      = 10
	ExitLiveness    = 11
	// ExitNotDeterministic means that two runs that must be the same were not.
	ExitNotDeterministic = 12
	ExitExpectation      = 13
	ExitUnknown          = 14
)

// Verdicts name the verdict of a run by its exit code.
var Verdicts = map[int]string{
	ExitPassed: "passed", ExitSafety: "safety violated", ExitLiveness: "liveness violated",
	ExitExpectation: "expectation missed", ExitUnknown: "unknown",
}

// CodeOf is the exit code of a run's verdict; that of unknown if it is no such verdict.
func CodeOf(verdict string) int {
	for code, name := range Verdicts { //order-free: names are different
		if name == verdict {
			return code
		}
	}
	return ExitUnknown
}

// Outcome is a run that is over.
type Outcome struct {
	Result   reports.Result
	Scenario scenarios.Scenario
	// Code is the exit code that goes with the verdict.
	Code    int
	Events  []reports.Event
	Samples []reports.Sample
	// Watched is what was seen for the timeline of its page.
	Watched reports.Watched
	// Script is the shell script that makes the same run again from any working directory, with the
	// scenario beside it.
	Script string
	// Costs are what the steps took that the run was made with, as the text of a file; empty for the
	// built-in ones, and where they take what they take.
	Costs string
	// Litter says what of the run could not be removed from the servers, or is nil.
	Litter error
	// Interrupted is true if the run was ended from outside.
	Interrupted bool
	// LoadSeconds is how long the load took: until its last message, about the scenario's duration.
	LoadSeconds float64
	// Batches of the input were stored, by all consumers as far as they said; Refused counts the tries of one
	// that failed and were made again.
	Batches, Refused int64
}

// Judge judges a run: its invariants, its expectations, and what follows for the whole.
func Judge(e *Evidence) *Outcome {
	o := &Outcome{
		Scenario: e.Scenario, Events: e.Events, Samples: e.Samples, Interrupted: e.Interrupted,
		LoadSeconds: e.LoadSeconds, Watched: reports.Watched{Glances: glances(e.Looks)},
	}
	for _, l := range e.Lives {
		o.Batches, o.Refused = o.Batches+l.Batches, o.Refused+l.Refused
	}
	b := e.Balance
	// What the time-outs held back at first is not counted against the throughput.
	span := max(e.LoadSeconds, e.LastSeconds-e.FirstSeconds, 1e-3)
	o.Result = reports.Result{
		Scenario: e.Scenario.Name, World: e.World, Seed: e.Scenario.Seed,
		Digest:  cmp.Or(e.Digest, digest(e.Scenario)),
		Workers: summarize(e), Harness: summarizeHarness(e),
		Ledger: reports.Ledger{
			Sent: b.Sent, Flushed: b.Flushed, Duplicates: b.Duplicates(), Lost: b.Lost,
			Buffered: b.Buffered, Dropped: b.Dropped, Messages: b.Messages, Records: b.Records,
			Findings: map[string]int64{}, BadSent: b.BadSent, BadLettered: b.BadLettered,
		},
		Throughput: reports.Throughput{
			SpansPerSecond: float64(b.Flushed) / span, BytesPerSecond: float64(b.Bytes) / span,
		},
		Freshness: e.Freshness, Latency: e.Latency,
		Faults: reports.FaultsOf(e.Events), Coverage: e.Coverage, Pauses: len(pausesOf(e, watchedUntil(e))),
		Run: reports.RunSummary{Events: len(e.Events), LoadSeconds: e.LoadSeconds,
			DrainSeconds: max(0, e.LastSeconds-e.LoadSeconds)},
	}
	if _, onWall := e.Unmeasured[VirtualTime]; onWall {
		o.Result.Run.WallSeconds = e.Seconds
	} else {
		o.Result.Run.VirtualSeconds = e.Seconds
	}
	switch {
	case e.Interrupted:
		o.Result.Cause = "the run was interrupted"
	case e.SendErr != nil:
		o.Result.Cause = fmt.Sprintf("the load could not be sent: %v", e.SendErr)
	}
	for kind, found := range b.Findings {
		if found.Count > 0 {
			o.Result.Ledger.Findings[ledger.Finding(kind).String()] = found.Count
		}
	}
	for _, missed := range slices.Concat(e.MissedFaults, e.LateFaults, e.SkippedFaults, e.IdlePorts) {
		o.Result.Faults = append(o.Result.Faults,
			reports.FaultSummary{Fault: missed, Worker: reports.NoWorker})
	}
	for _, f := range e.UndrawnFaults {
		o.Result.Faults = append(o.Result.Faults, reports.FaultSummary{Worker: reports.NoWorker,
			Fault: f.String() + ": the seed drew no time for it"})
	}
	for _, inv := range invariants() {
		verdict, detail := inv.judge(e)
		j := reports.Judgement{Name: inv.name, Verdict: verdict, Detail: detail}
		if verdict == reports.Violated && inv.found != nil {
			first, _ := inv.found(e).first()
			j.At = &first.at
		}
		o.Result.Invariants = append(o.Result.Invariants, j)
	}
	o.Result.Expectations = judgeExpectations(e, &o.Result)
	for _, list := range [][]reports.Judgement{o.Result.Invariants, o.Result.Expectations} {
		for i := range list {
			if j := &list[i]; j.Verdict == reports.Violated && j.At == nil {
				j.At = violatedAt(e, j.Detail)
			}
		}
	}
	o.Code = o.code()
	o.Result.Verdict = Verdicts[o.Code]
	return o
}

// code returns the exit code: the gravest of what is not passed.
func (o *Outcome) code() int {
	worst := ExitPassed
	for _, code := range judged(o.Result) {
		worst = Graver(worst, code)
	}
	return worst
}

// judged returns each judgement of a result with the exit code that goes with it.
func judged(r reports.Result) iter.Seq2[reports.Judgement, int] {
	violation := map[string]int{}
	for _, inv := range invariants() {
		violation[inv.name] = inv.exit
	}
	return func(yield func(reports.Judgement, int) bool) {
		for _, j := range r.Invariants {
			// An invariant that only an earlier version had was one of safety, as most are.
			if !yield(j, exitOf(j.Verdict, cmp.Or(violation[j.Name], ExitSafety))) {
				return
			}
		}
		for _, j := range r.Expectations {
			if !yield(j, exitOf(j.Verdict, ExitExpectation)) {
				return
			}
		}
	}
}

// Decisive returns the first judgement that has the weight of the verdict; none if the run passed.
// What kept a run from its end comes before what is not known for that reason.
func (o *Outcome) Decisive() (reports.Judgement, bool) { return decisive(o.Result, o.Code) }

// Decisive is what the verdict of a result is due to, as Outcome.Decisive says it of the run.
func Decisive(r reports.Result) (reports.Judgement, bool) { return decisive(r, CodeOf(r.Verdict)) }

func decisive(r reports.Result, verdict int) (first reports.Judgement, ok bool) {
	if verdict == ExitPassed {
		return first, false
	}
	for j, code := range judged(r) {
		if code != verdict {
			continue
		}
		if j.Name == drains.name {
			return j, true
		}
		if !ok {
			first, ok = j, true
		}
	}
	return first, ok
}

// Violated returns the gravest of what is violated in a result, the first if there are several. The
// verdict may be due to something else: what is not known weighs more than an expectation.
func Violated(r reports.Result) (worst reports.Judgement, ok bool) {
	gravest := ExitPassed
	for j, code := range judged(r) {
		if j.Verdict == reports.Violated && Graver(gravest, code) != gravest {
			gravest, worst, ok = code, j, true
		}
	}
	return worst, ok
}

// Graver returns the graver of two exit codes: safety, liveness, unknown, expectation, passed. What
// is not known may hide anything, so it weighs more than a limit that was missed.
func Graver(a, b int) int {
	order := []int{ExitPassed, ExitExpectation, ExitUnknown, ExitLiveness, ExitSafety}
	if slices.Index(order, a) >= slices.Index(order, b) {
		return a
	}
	return b
}

// digest is that of what was asked for: the resolved scenario, from which load and faults follow.
func digest(s scenarios.Scenario) string {
	sum := sha256.Sum256([]byte(s.String()))
	return hex.EncodeToString(sum[:8])
}

// summarize says what became of each worker of the first consumer, as of the last look at which it
// had shards; its restarts are those of all lives of the consumer.
func summarize(e *Evidence) []reports.WorkerSummary {
	list := []reports.WorkerSummary{}
	type key struct{ life, worker int }
	last := map[key]flusher.WorkerState{}
	lives := 0
	for _, l := range e.Looks {
		for _, c := range l.Consumers {
			if c.Consumer != FirstConsumer {
				continue
			}
			lives = max(lives, c.Life)
			for _, w := range c.States {
				for w.Worker >= len(list) {
					list = append(list, reports.WorkerSummary{Worker: len(list), Consumer: c.Consumer,
						Shards: []int{}, Causes: []string{}})
				}
				if len(w.Shards) > 0 {
					list[w.Worker].Shards = ShardNumbers(w.Shards)
				}
				last[key{c.Life, w.Worker}] = w
			}
		}
	}
	for life := range lives {
		for i := range list {
			w := last[key{life + 1, i}]
			list[i].Restarts += w.Restarts
			list[i].Causes = append(list[i].Causes, w.Causes...)
		}
	}
	return list
}

// summarizeHarness says what the harness itself took, and whether it was the limit.
func summarizeHarness(e *Evidence) reports.HarnessSummary {
	h := reports.HarnessSummary{BehindSeconds: e.Behind, Limit: e.Limit}
	if n := len(e.Samples); n > 0 {
		h.CPUSeconds = e.Samples[n-1].CPUHarness
	}
	if !e.Limited {
		h.Limit = ""
	}
	return h
}

// Summary is one line about the run for the charts: world, seed, spans, workers.
func (o *Outcome) Summary() string {
	return fmt.Sprintf("world %s, seed %d, %s, %s on %s; %.0f spans/s; freshness p99 %.2f s",
		o.Result.World, o.Result.Seed, options.FormatCount(o.Result.Ledger.Sent, "span"),
		options.FormatCount(o.Scenario.Topology.Workers(), "worker"),
		options.FormatCount(o.Scenario.Topology.Partitions, "shard"), o.Result.Throughput.SpansPerSecond, o.Result.Freshness.P99)
}

// Invariants returns the exit code by the invariants alone, and the first of them that does not hold or
// is not known, if there is one.
func (o *Outcome) Invariants() (code int, why reports.Judgement) {
	for i, inv := range invariants() {
		j := o.Result.Invariants[i]
		if worse := Graver(code, exitOf(j.Verdict, inv.exit)); worse != code {
			code, why = worse, j
		}
	}
	return code, why
}
