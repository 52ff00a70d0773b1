package judge

import (
	"fmt"
	"slices"
	"strings"

	"sluice/internal/ledger"
	"sluice/internal/options"
	"sluice/reports"
)

// judgeExpectations compares the run with the limits of its scenario.
func judgeExpectations(e *Evidence, r *reports.Result) []reports.Judgement {
	x := e.Scenario.Expectations
	var list []reports.Judgement
	add := func(name string, ok bool, format string, args ...any) {
		verdict := reports.Passed
		if !ok {
			verdict = reports.Violated
		}
		list = append(list, reports.Judgement{Name: name, Verdict: verdict,
			Detail: fmt.Sprintf(format, args...)})
	}
	if len(e.Scenario.Faults) > 0 {
		list = append(list, e.judgeInjected())
	}
	add("open loop", e.Behind <= e.Slacks.Behind,
		"the load was at most %.3fs behind its time, limit %vs%s", e.Behind, e.Slacks.Behind,
		prefixed("; ", e.Limit))
	if p, ok := e.moving(); ok {
		add("drain_max", false, "all would be out %.0fs after the load, limit %v", e.DrainSeconds+p.more(),
			x.DrainMax)
	} else if took := e.LastSeconds - e.LoadSeconds; e.Drained && took > x.DrainMax.Seconds() {
		add("drain_max", false, "all was out %.1fs after the load, limit %v: the faults ended late", took, x.DrainMax)
	}
	restarts, worst, worstWorker := 0, 0, 0
	for _, w := range r.Workers {
		restarts += w.Restarts
		if w.Restarts > worst {
			worst, worstWorker = w.Restarts, w.Worker
		}
	}
	add("restarts_min", restarts >= x.RestartsMin, "%s, expected %d or more",
		options.FormatCount(restarts, "restart"), x.RestartsMin)
	add("worker_restarts_max", x.WorkerRestartsMax.Allows(int64(worst)),
		"worker %d had %s, limit %s", worstWorker, options.FormatCount(worst, "restart"), text(x.WorkerRestartsMax))
	whose := ""
	if e.Limited {
		whose = "; the harness was the limit, not the system"
	}
	add("throughput_min", r.Throughput.SpansPerSecond >= float64(x.ThroughputMin),
		"%.0f/s, expected %v or more%s", r.Throughput.SpansPerSecond, x.ThroughputMin, whose)
	if x.FreshnessP99Max > 0 && r.Freshness.Count == 0 {
		list = append(list, reports.Judgement{Name: "freshness_p99_max", Verdict: reports.Unknown,
			Detail: noSample})
	} else if x.FreshnessP99Max > 0 {
		add("freshness_p99_max", r.Freshness.P99 <= x.FreshnessP99Max.Seconds(),
			"%.3fs, limit %v", r.Freshness.P99, x.FreshnessP99Max)
	}
	repeated := e.Balance.Of(ledger.Repeated).Count
	add("repeated_spans_max", x.RepeatedSpansMax.Allows(repeated), "%s came out again, limit %s",
		options.FormatCount(repeated, "span"), text(x.RepeatedSpansMax))
	return append(list, judgeFigures(e, r)...)
}

// judgeInjected judges whether every fault happened. One that did not proves nothing. It is missed where
// the scenario is to blame, or the system: its condition was never met, or its target not there. It is
// unknown where the run lacked the time for it. Where chance had it so it is only said.
func (e *Evidence) judgeInjected() reports.Judgement {
	planned := len(e.Scenario.Plan())
	missing := slices.Concat(e.MissedFaults, e.LateFaults)
	j := reports.Judgement{Name: "faults injected", Verdict: reports.Passed, Detail: fmt.Sprintf("%d of %d",
		planned-len(missing)-len(e.SkippedFaults), planned)}
	if n := len(e.SkippedFaults); n > 0 {
		j.Detail += fmt.Sprintf(", %s found nothing to hit in time", options.FormatCount(n, "random one"))
	}
	if n := len(e.UndrawnFaults); n > 0 {
		j.Detail += fmt.Sprintf(", the seed drew no time for %s", options.FormatCount(n, "random one"))
	}
	j.Detail += prefixed(", missing: ", strings.Join(missing, "; "))
	busy := e.busy()
	switch {
	case len(missing) == 0:
	case busy != "":
		j.Verdict = reports.Unknown
		j.Detail += "; " + busy
	case len(e.MissedFaults) == 0 && !(e.Turns == 1 && e.whole()): // in virtual time nothing takes longer
		j.Verdict = reports.Unknown
	default:
		j.Verdict = reports.Violated
	}
	return j
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func text(v interface{ MarshalText() ([]byte, error) }) string {
	b, _ := v.MarshalText() // these never fail
	return string(b)
}
