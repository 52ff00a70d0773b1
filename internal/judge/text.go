package judge

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice/internal/options"
	"sluice/reports"
)

// noOutput is said of figures of what came out, if nothing did.
const noOutput = "nothing came out"

// WriteText writes the outcome for a reader, figures first and the verdict in the last line, with
// the command that replays the run if it did not pass.
func (o *Outcome) WriteText(w io.Writer, dir string) error {
	r := &o.Result
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	about := r.Run.Took()
	if r.Run.VirtualSeconds > 0 {
		about += ", digest " + r.Digest
	}
	if planted := o.Planted(); planted != "" {
		about += ", " + planted
	}
	row("Scenario", "%s, world %s, seed %d, %s", r.Scenario, r.World, r.Seed, about)
	row("Spans", "sent %d, flushed %d, lost %d, buffered %d%s, came out again %d", r.Ledger.Sent,
		r.Ledger.Flushed, r.Ledger.Lost, r.Ledger.Buffered, dropped(r.Ledger.Dropped),
		r.Ledger.Duplicates)
	bad := ""
	if r.Ledger.BadSent > 0 {
		bad = fmt.Sprintf("; %d were not spans, of which %d are dead letters", r.Ledger.BadSent,
			r.Ledger.BadLettered)
	}
	row("Messages", "%d in, %d out with distinct flush ids%s", r.Ledger.Messages, r.Ledger.Records,
		bad)
	last := "; " + noOutput
	if r.Ledger.Records > 0 { // the load is that until its last span, which is below the rate asked for
		last = fmt.Sprintf(" from the first record to the last, which came %.1f s after the load of %.0f spans/s",
			r.Run.DrainSeconds, float64(r.Ledger.Sent)/max(r.Run.LoadSeconds, 1e-3))
	}
	row("Throughput", "%.0f spans/s, %.2f MB/s%s", r.Throughput.SpansPerSecond,
		r.Throughput.BytesPerSecond/1e6, last)
	quantiles := func(name string, q reports.Quantiles, from string) {
		if q.Count == 0 {
			row(name, noOutput)
			return
		}
		row(name, "[50, 90, 99, max]  %.3f s, %.3f s, %.3f s, %.3f s%s", q.P50, q.P90, q.P99, q.Max, from)
	}
	quantiles("Freshness", r.Freshness, "")
	quantiles("Latency", r.Latency, " from when a span was due to be sent")
	if r.Harness.Limit != "" {
		row("Harness", "it was the limit, not the system: %s", r.Harness.Limit)
	}
	for _, worker := range r.Workers {
		restarts := "no restart"
		if worker.Restarts > 0 {
			restarts = options.FormatCount(worker.Restarts, "restart") + ": " + strings.Join(worker.Causes, "; ")
		}
		row(fmt.Sprintf("Worker %d", worker.Worker), "shards %s; %s",
			options.FormatNumbers(worker.Shards, ","), restarts)
	}
	for _, list := range [][]reports.Judgement{r.Invariants, r.Expectations} {
		for _, j := range list {
			row(mark(j.Verdict)+" "+j.Name, "%s", j.Detail)
		}
	}
	if o.Litter != nil {
		row("Left behind", "%v", o.Litter)
	}
	if dir != "" {
		row("Results", "%s", dir)
		row("Report", "%s", filepath.Join(dir, reports.FilePage))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, o.Verdict())
	return err
}

// Planted is what was put into the run on purpose, by flags and by the scenario's port_faults; empty if
// nothing was. The scenario's faults are in a table of their own.
func (o *Outcome) Planted() string {
	var faults []string
	for _, f := range o.Scenario.PortFaults {
		faults = append(faults, f.String())
	}
	for _, f := range o.Result.PortFaults {
		if !slices.Contains(faults, f) {
			faults = append(faults, f)
		}
	}
	return reports.Planted(o.Result.Defect, faults, o.Result.Costs)
}

// Verdict is the last line: "verdict: passed", or what was violated and how to see it again.
func (o *Outcome) Verdict() string {
	if o.Code == ExitPassed {
		return "verdict: passed"
	}
	name := ""
	if j, ok := o.Decisive(); ok {
		name = " (" + j.Name + ")"
	}
	return fmt.Sprintf("verdict: %s%s; replay: %s", o.Result.Verdict, name, o.Result.Replay)
}

func mark(v reports.Verdict) string {
	switch v {
	case reports.Passed:
		return "ok  "
	case reports.Violated:
		return "FAIL"
	case reports.NotMeasured:
		return "-   "
	}
	return "?   "
}

func dropped(byReason map[string]int64) string {
	text := ""
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		text += fmt.Sprintf(", %s %d", strings.ReplaceAll(reason, "_", "-"), byReason[reason])
	}
	return text
}
