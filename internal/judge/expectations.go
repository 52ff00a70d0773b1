package judge

import (
	"fmt"
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
	if planned := len(e.Scenario.Plan()); planned > 0 {
		skipped := ""
		if n := len(e.SkippedFaults); n > 0 {
			skipped = fmt.Sprintf(", %d random ones did not find their target in time", n)
		}
		add("faults injected", len(e.MissedFaults) == 0, "%d of %d%s%s",
			planned-len(e.MissedFaults)-len(e.SkippedFaults), planned, skipped,
			prefixed(", missing: ", strings.Join(e.MissedFaults, "; ")))
	}
	add("open loop", e.Behind <= e.Slacks.Behind,
		"the load was at most %.3fs behind its time, limit %vs%s", e.Behind, e.Slacks.Behind,
		prefixed("; ", e.Limit))
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
	add("repeated_spans_max", x.RepeatedSpansMax.Allows(repeated), "%d spans came out again, limit %s",
		repeated, text(x.RepeatedSpansMax))
	return append(list, judgeFigures(e, r)...)
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
