package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/capacity"
	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/rundir"
	"sluice/internal/statusline"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
	"sluice/scenarios"
)

// capacityCommand is "simulate capacity".
type capacityCommand struct {
	scenarioFlags
	worldFlags
	Target    *scenarios.PerSecond `help:"The rate that is to be carried, such as 60000/s; without, nothing is recommended." placeholder:"RATE"`
	Headroom  *share               `help:"How much more than the target is to be carried (default: 30%)." placeholder:"SHARE"`
	Processes []int                `help:"Process counts to measure (default: chosen, up to the number of partitions)." placeholder:"N,N"`
	Repeat    int                  `help:"How many times to measure each count, with other seeds." default:"1"`
	Most      scenarios.PerSecond  `help:"The highest rate to try." default:"400000/s"`
	Precision share                `help:"How near the highest sustained rate is to be found." default:"10%"`
	outlookFlags
	Compared string `help:"Show how far off the predictions were in a comparison, by the directory that simulate compare wrote." placeholder:"DIR" type:"path"`
	Out      string `help:"Directory of the results." placeholder:"runs/NAME-capacity"`
	JSON     bool   `name:"json" help:"Print the report as JSON."`
}

// share is a number from 0 on, or a percentage.
type share float64

// UnmarshalText reads the text form.
func (s *share) UnmarshalText(text []byte) error {
	v, err := options.ParseNumber(string(text))
	switch {
	case err != nil:
	case v < 0:
		err = fmt.Errorf("%s is below 0", text)
	case v > 10:
		err = fmt.Errorf("%s is %.0f %%: write %s%% or %g", text, 100*v, text, v/100)
	}
	*s = share(v)
	return err
}

// Files of a capacity report.
const (
	fileCapacity       = "capacity.json"
	fileCapacityPoints = "points.csv"
	fileCapacityPage   = reports.FilePage
	fileCapacityText   = "report.md"
)

// Run measures, and writes the report.
func (c *capacityCommand) Run(ctx context.Context, to *streams) (err error) {
	flags := c.scenarioFlags
	flags.NoFaults = true
	flags.Set = append(slices.Clone(c.Set), "expectations.throughput_min=0/s") // the search goes below any
	s, err := flags.load(c.worldFlags, c.replaced()...)
	if err != nil {
		return err
	}
	s.Workload.Rate = scenarios.Constant(c.start(s.Scenario))
	if c.Duration == nil {
		s.Scenario.Duration = capacity.NeedsOf(s.Scenario).Duration()
	}
	if err := c.check(s.Scenario); err != nil {
		return usageError{err}
	}
	cfg, err := c.config(s, to.err)
	if err != nil {
		return err
	}
	if err := c.checkTrials(cfg, c.target()); err != nil {
		return err
	}
	if err := c.outlookFlags.complete(ctx, c.worldFlags); err != nil {
		return err
	}
	compared, err := c.readCompared()
	if err != nil {
		return err
	}
	dir, err := outDir(c.Out, s.Name+"-capacity", fileCapacity)
	if err != nil {
		return err
	}
	if err := c.checkAgainst(dir, s.Name); err != nil {
		return usageError{err}
	}
	stop, err := shareServers(&cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	points, unfinished := c.measure(ctx, to.err, cfg)
	if not := capacity.CannotJudge(""); errors.As(unfinished, &not) {
		unfinished = usageError{unfinished} // it says what to set
	}
	if len(points) == 0 {
		return c.nothing(to, unfinished, c.command(s.Seed))
	}
	report := capacity.NewReport(s.Name, cfg.World.Name(), c.target(), c.headroom(), points)
	report.On(cfg.Scenario.Topology.Partitions)
	report.Conditions = c.conditions(cfg)
	report.Costs, report.Compared = costsFrom(cfg.World, c.costFlags), compared
	if unfinished == nil {
		unfinished = c.look(ctx, to.err, cfg, report)
	}
	if unfinished != nil {
		report.Unfinish(unfinished)
	}
	if c.other != nil {
		report.Beside(c.other, c.Against, c.changed(cfg, report), c.of.Notes...)
	}
	// As in run: the results come first, and a disk that is full must not take the answer along.
	again, verdict := c.command(s.Seed), c.verdict(to.err, report, unfinished)
	written := writeCapacity(dir, report, again, cfg)
	if c.JSON {
		err = reports.WriteJSON(to.out, report)
	} else if err = report.WriteText(to.out); err == nil {
		_, err = fmt.Fprintf(to.out, "\nResults  %s\nReport   %s\n%s\n", dir, filepath.Join(dir, fileCapacityPage),
			verdictLine(codeOf(verdict), blame(verdict, report.Unsafe, report.Refused), again))
	}
	return to.ended(verdict, written, err)
}

// verdict is how the command ends by its report: what was not safe weighs more than what is missing.
func (c *capacityCommand) verdict(errs io.Writer, report *capacity.Report, unfinished error) error {
	switch {
	case len(report.Unsafe) > 0:
		if unfinished != nil {
			fmt.Fprintln(errs, "simulate:", unfinished)
		}
		return exitError(judge.ExitSafety)
	case unfinished == nil && report.Refused != "":
		return exitError(judge.ExitExpectation)
	}
	return unfinished
}

// nothing is how the command ends without a point, and so without a report. What was not safe is said all
// the same.
func (c *capacityCommand) nothing(to *streams, unfinished error, again string) error {
	r := &capacity.Report{Unsafe: capacity.UnsafeUntil(unfinished)}
	verdict := c.verdict(to.err, r, unfinished)
	return to.unsafe(verdict, r.Unsafe, c.JSON, again)
}

// rateLeast is the lowest rate that is tried, in spans per second.
const rateLeast = 10

// target is the rate that is to be carried; 0 for none.
func (c *capacityCommand) target() float64 {
	if c.Target == nil {
		return 0
	}
	return float64(*c.Target)
}

// need is the rate that is to be carried with its headroom; 0 for none.
func (c *capacityCommand) need() float64 { return c.target() * (1 + c.headroom()) }

// headroom is how much more than the target is to be carried, as a share of it.
func (c *capacityCommand) headroom() float64 {
	const usual = 0.3
	if c.Headroom == nil {
		return usual
	}
	return float64(*c.Headroom)
}

// given are the flags that say something of the recommended count.
func (c *capacityCommand) given() []string {
	given := c.outlookFlags.given()
	if c.Headroom != nil {
		given = append(given, "--headroom")
	}
	return given
}

// start is the first rate that is tried.
func (c *capacityCommand) start(s scenarios.Scenario) float64 {
	return min(max(rateLeast, cmp.Or(c.need(), float64(s.Workload.Rate.Peak()))), float64(c.Most))
}

// replaced are the keys of the scenario that the search replaces, which must not be judged as they are.
func (c *capacityCommand) replaced() (sets []string) {
	if c.Target != nil {
		sets = append(sets, "workload.rate="+scenarios.Constant(max(rateLeast, c.need())).String())
	}
	if c.Duration == nil {
		sets = append(sets, "duration=5m")
	}
	return sets
}

// commas writes numbers as flags have them.
func commas(numbers []int) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ","), "[]")
}

// command is the command line that makes the report again.
func (c *capacityCommand) command(seed uint64) string {
	text := program() + " capacity" + c.scenarioFlags.replay(seed) + c.worldFlags.replay()
	if c.Target != nil {
		text += " --target " + c.Target.String() + " --headroom " + options.FormatNumber(c.headroom())
	}
	if len(c.Processes) > 0 {
		text += " --processes " + commas(c.Processes)
	}
	text += c.outlookFlags.command()
	if c.Compared != "" {
		text += " --compared " + quote(c.Compared)
	}
	return text + fmt.Sprintf(" --repeat %d --most %v --precision %v", c.Repeat, c.Most, float64(c.Precision))
}

// chosen are the errors of settings that the search replaces by what it chooses.
func (c *capacityCommand) chosen() (errs []error) {
	const ofFaults = "a search leaves all faults out, and so what is expected of them"
	instead := map[string]string{
		"duration":                    "--duration sets how long each run is",
		"topology.flusher_processes":  "--processes sets the counts",
		"workload.rate":               "--rate sets where the search begins",
		"faults":                      "a search leaves all faults out",
		"port_faults":                 "a search leaves those of the scenario out, and --port-fault plants others",
		"expectations.restarts_min":   ofFaults,
		"expectations.end":            ofFaults,
		"expectations.throughput_min": "a search also goes below it",
	}
	if c.Target != nil {
		instead["workload.rate"] = "with --target the search begins at the target with its headroom"
	}
	for _, set := range c.Set {
		key, _, _ := strings.Cut(set, "=")
		if why, ok := instead[strings.TrimSpace(key)]; ok {
			errs = append(errs, fmt.Errorf("--set %s: %s; leave it out", set, why))
		}
	}
	return errs
}

func (c *capacityCommand) check(s scenarios.Scenario) error {
	var errs []error
	for i, n := range c.Processes {
		if slices.Contains(c.Processes[:i], n) {
			errs = append(errs, fmt.Errorf("--processes has %d twice: --repeat measures each count again, with other seeds", n))
		}
		if n < 1 || n > s.Topology.Partitions {
			errs = append(errs, fmt.Errorf("--processes %d must be 1 to %d, the number of partitions", n,
				s.Topology.Partitions))
		}
	}
	if c.Repeat < 1 {
		errs = append(errs, fmt.Errorf("--repeat %d must be at least 1", c.Repeat))
	}
	if c.Precision < 0.01 {
		errs = append(errs, fmt.Errorf("--precision %v must be at least 1%%", float64(c.Precision)))
	}
	if given := c.given(); c.Target == nil && len(given) > 0 {
		errs = append(errs, fmt.Errorf("%s: for the count that carries the target; give --target", strings.Join(given, ", ")))
	}
	if c.Target != nil && c.Rate != nil {
		errs = append(errs, errors.New("--rate: with --target the search begins at the target with its headroom; leave one out"))
	}
	errs = append(errs, c.chosen()...)
	if c.NoFaults {
		errs = append(errs, errors.New("--no-faults: a search leaves all faults out in any case; leave the flag out"))
	}
	if c.Target != nil && *c.Target < 1 {
		errs = append(errs, fmt.Errorf("--target %v must be at least 1/s; leave it out for none", *c.Target))
	}
	if c.Most < 1 {
		errs = append(errs, fmt.Errorf("--most %v must be at least 1/s", c.Most))
	}
	return errors.Join(errs...)
}

// measure searches the highest sustained rate of each count. What was found before an error comes with
// it.
func (c *capacityCommand) measure(
	ctx context.Context, errs io.Writer, cfg harness.Config,
) ([]capacity.Point, error) {
	line := statusline.New(errs)
	defer line.Clear()
	plan := capacity.Plan{
		Counts: c.Processes, CountMax: cfg.Scenario.Topology.Partitions, Repeat: c.Repeat,
		Side: side(cfg.World), Ahead: ahead(cfg.World),
		Least: rateLeast, Most: float64(c.Most), Precision: float64(c.Precision),
		Need: c.need(), Start: c.start(cfg.Scenario),
		Found: func(p capacity.Point) {
			what := fmt.Sprintf("%s spans/s are sustained", grouped(p.Throughput))
			if p.Throughput == 0 {
				what = fmt.Sprintf("not even %s spans/s are sustained", grouped(p.Failed))
			}
			fmt.Fprintf(line, "%s, repeat %d of %d: %s\n", options.FormatCount(p.Processes, "process"), p.Repeat,
				c.Repeat, what)
		},
		Run: func(ctx context.Context, jobs []capacity.Job) ([]capacity.Probe, error) {
			return c.probe(ctx, line, cfg, jobs)
		},
	}
	if w, ok := cfg.World.(real.World); ok && w.Servers != real.Given {
		job := capacity.Job{Processes: cmp.Or(slices.Concat(c.Processes, []int{1})...), Repeat: 1, Rate: plan.Start}
		line.Show("warming the servers up")
		err := compare.WarmUp(func() (compare.Run, error) {
			warm := cfg
			warm.Scenario = scenarioOf(cfg.Scenario, job)
			outcome, err := runJob(ctx, warm, job)
			if err != nil {
				return compare.Run{}, err
			}
			return compare.RunOf(outcome), nil
		})
		if err != nil {
			return nil, err
		}
	}
	return plan.Measure(ctx)
}

// probe makes runs side by side.
func (c *capacityCommand) probe(
	ctx context.Context, line *statusline.Line, cfg harness.Config, jobs []capacity.Job,
) ([]capacity.Probe, error) {
	line.Show(c.progress(jobs))
	probes, err := sideBySide(jobs, func(job capacity.Job) (capacity.Probe, error) {
		return probe(ctx, cfg, job, c.Duration != nil)
	})
	for _, p := range probes {
		if p.Rate > 0 { // it was made
			fmt.Fprintf(line, "  %s\n", p.Line())
		}
	}
	return probes, err
}

// progress says what goes on side by side: runs of one process count, each of a repeat.
func (c *capacityCommand) progress(jobs []capacity.Job) string {
	text := options.FormatCount(jobs[0].Processes, "process")
	for i, job := range jobs {
		if i == 0 || job.Repeat != jobs[i-1].Repeat {
			text += fmt.Sprintf(", repeat %d of %d: %s", job.Repeat, c.Repeat, grouped(job.Rate))
		} else {
			text += " and " + grouped(job.Rate)
		}
	}
	return text + " spans/s"
}

// grouped writes a rate as the report does.
func grouped(rate float64) string { return options.FormatRate(rate) }

// writeCapacity writes the report into a directory in every form, in place of an earlier one.
func writeCapacity(dir string, report *capacity.Report, replay string, cfg harness.Config) error {
	return rundir.Replace(dir, fileCapacity, func(dir string) error {
		err := rundir.WriteFile(dir, fileCapacity, func(w io.Writer) error { return reports.WriteJSON(w, report) })
		if err != nil {
			return err
		}
		document := report.Document(replay)
		return errors.Join(
			rundir.WriteFile(dir, rundir.FileScenario, func(w io.Writer) error {
				_, err := io.WriteString(w, cfg.Scenario.String())
				return err
			}),
			rundir.WriteCosts(dir, costsText(cfg.World)),
			rundir.WriteFile(dir, fileCapacityPoints, report.WritePoints),
			rundir.WriteFile(dir, fileCapacityText, document.WriteMarkdown),
			rundir.WriteFile(dir, fileCapacityPage, document.WriteHTML),
			document.SaveCharts(dir),
		)
	})
}
