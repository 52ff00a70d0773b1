package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/prometheus/procfs"

	"sluice/internal/calibrate"
	"sluice/internal/compare"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/process"
	"sluice/internal/rundir"
	"sluice/internal/worlds/wall/real"
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
)

// compareCommand is "simulate compare".
type compareCommand struct {
	scenarioFlags
	Worlds  []string `help:"The world that predicts, and the one that measures." default:"virtual,real"`
	Servers string   `help:"For world real: start the servers, with one Redis (start) or a cluster (start-cluster, of three nodes; start-cluster:6). They are started once, and first runs warm them up." placeholder:"start" completion-predictor:"servers"`
	Redis   []string `help:"For world real: address of a running Redis, host:port; several mean a cluster." env:"SLUICE_REDIS"`
	Kafka   []string `help:"For world real: address of a running Kafka, host:port." env:"SLUICE_KAFKA"`
	loginFlags
	costFlags
	Processes []int   `help:"Process counts to compare (default: the scenario's)." placeholder:"N,N"`
	Repeat    int     `help:"How often to run each count in each world, with other seeds." default:"1"`
	Tolerance share   `help:"The greatest error of a throughput that the system limits, in one world at least." default:"20%"`
	Factor    float64 `name:"freshness-factor" help:"The greatest factor by which the freshness p99 may be too high or too low." default:"1.5"`
	Recovery  share   `name:"recovery-tolerance" help:"The greatest error of the time to recover from the faults; a second is always allowed." default:"25%"`
	Out       string  `help:"Directory of the results." placeholder:"runs/NAME-compare"`
	JSON      bool    `name:"json" help:"Print the report as JSON."`

	unsafe []string // runs that violated safety, in words
}

// Files of a comparison.
const (
	fileCompare  = "compare.json"
	chartCompare = "compare"
)

// Run runs the scenario in both worlds, and writes the report.
func (c *compareCommand) Run(ctx context.Context, to *streams) (err error) {
	if err := c.check(); err != nil {
		return usageError{err}
	}
	s, err := c.load(c.flagsOf(c.Worlds[1]))
	if err != nil {
		return err
	}
	if err := c.counts(s.Scenario); err != nil {
		return usageError{err}
	}
	dir, err := outDir(c.Out, s.Name+"-compare", fileCompare)
	if err != nil {
		return err
	}
	var configs [2]harness.Config
	for i, world := range c.Worlds {
		if configs[i], err = c.flagsOf(world).config(s, to.err); err != nil {
			return err
		}
	}
	stop, err := shareServers(&configs[0], &configs[1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	machine, err := c.machine(ctx, to.err, &configs)
	if err != nil {
		return err
	}
	return c.compare(ctx, to, s.Name, dir, configs, machine)
}

// compare makes all runs, and writes and prints what comes of them.
func (c *compareCommand) compare(
	ctx context.Context, to *streams, name, dir string, configs [2]harness.Config, machine float64,
) error {
	rows, unfinished := c.measure(ctx, to.err, configs)
	again := c.command(configs[0].Scenario.Seed)
	if len(rows) == 0 {
		return to.unsafe(c.verdict(to.err, nil, unfinished), c.unsafe, c.JSON, again)
	}
	report := compare.NewReport(name, [2]string(c.Worlds), compare.Tolerance{
		Throughput: float64(c.Tolerance), Freshness: c.Factor,
		Recovery: float64(c.Recovery)}, rows)
	report.Machine, report.Unsafe = machine, c.unsafe
	if unfinished != nil {
		report.Unfinished = unfinished.Error()
	}
	written, verdict := writeCompare(dir, report), c.verdict(to.err, report.Beyond, unfinished)
	var err error
	if c.JSON {
		err = reports.WriteJSON(to.out, report)
	} else if err = report.WriteText(to.out); err == nil {
		_, err = fmt.Fprintf(to.out, "Results  %s\n%s\n", dir,
			verdictLine(codeOf(verdict), blame(verdict, c.unsafe, shortly(report.Beyond)), again))
	}
	return to.ended(verdict, written, err)
}

// command is the command line that compares the same again.
func (c *compareCommand) command(seed uint64) string {
	text := program() + " compare" + c.scenarioFlags.replay(seed) + " --worlds " + strings.Join(c.Worlds, ",")
	for _, world := range c.Worlds {
		flags := c.flagsOf(world)
		text += flags.sameServers() + flags.words()
	}
	if len(c.Processes) > 0 {
		text += " --processes " + commas(c.Processes)
	}
	return text + fmt.Sprintf(" --repeat %d --tolerance %v --freshness-factor %v --recovery-tolerance %v", c.Repeat,
		float64(c.Tolerance), c.Factor, float64(c.Recovery))
}

// verdict is how the command ends: what was not safe weighs more than what is off, or missing.
func (c *compareCommand) verdict(errs io.Writer, beyond []string, unfinished error) error {
	switch {
	case len(c.unsafe) > 0:
		if unfinished != nil {
			fmt.Fprintln(errs, "simulate:", unfinished)
		}
		return exitError(judge.ExitSafety)
	case unfinished == nil && len(beyond) > 0:
		return exitError(judge.ExitExpectation)
	}
	return unfinished
}

func (c *compareCommand) check() error {
	var errs []error
	if len(c.Worlds) != 2 || c.Worlds[0] == c.Worlds[1] {
		errs = append(errs, fmt.Errorf("--worlds %s must be two different worlds, such as virtual,real",
			strings.Join(c.Worlds, ",")))
	}
	if c.Repeat < 1 {
		errs = append(errs, fmt.Errorf("--repeat %d must be at least 1", c.Repeat))
	}
	if !(c.Factor >= 1) || math.IsInf(c.Factor, 1) {
		errs = append(errs, fmt.Errorf("--freshness-factor %v must be at least 1, and a number", c.Factor))
	}
	return errors.Join(errs...)
}

// flagsOf are those of a world.
func (c *compareCommand) flagsOf(world string) worldFlags {
	f := worldFlags{World: world}
	switch world {
	case (real.World{}).Name():
		f.Servers, f.Redis, f.Kafka, f.loginFlags = c.Servers, c.Redis, c.Kafka, c.loginFlags
	case worldVirtual:
		f.costFlags = c.costFlags
	}
	return f
}

// counts fills in the process counts, and checks them.
func (c *compareCommand) counts(s scenarios.Scenario) error {
	if len(c.Processes) == 0 {
		c.Processes = []int{s.Topology.Workers()}
	}
	for i, n := range c.Processes {
		if slices.Contains(c.Processes[:i], n) {
			return fmt.Errorf("--processes has %d twice: --repeat runs each count again, with other seeds", n)
		}
		if n < 1 || n > s.Topology.Partitions {
			return fmt.Errorf("--processes %d must be 1 to %d, the number of partitions", n,
				s.Topology.Partitions)
		}
	}
	return nil
}

// shareServers starts the servers of world real once for all its runs, and returns what stops them.
func shareServers(configs ...*harness.Config) (stop func() error, err error) {
	stop = func() error { return nil }
	for _, cfg := range configs {
		if w, ok := cfg.World.(real.World); ok {
			if cfg.World, stop, err = w.Share(); err != nil {
				return nil, err
			}
		}
	}
	return stop, nil
}

// machine makes the built-in costs those of the hosts that the other world is on, where nothing else is
// said, tells of costs that are of other hosts, and returns how much slower this machine is than the one
// that the costs are of.
func (c *compareCommand) machine(
	ctx context.Context, errs io.Writer, configs *[2]harness.Config,
) (float64, error) {
	for i := range configs {
		w, ok := configs[i].World.(sim.World)
		if !ok {
			continue
		}
		hosts, err := measuredHosts(ctx, configs[1-i].World)
		if err != nil {
			return 0, err
		}
		if c.Costs == "" && (w.Costs == nil || len(c.Cost) > 0) {
			costs := sim.DefaultCosts()
			costs.Hosts = hosts
			configs[i].World = sim.World{Costs: &costs}
			if err := c.change(&costs, yamlfile.Places{}); err != nil {
				return 0, usageError{err}
			}
			continue
		}
		if of, on := hostsText(w.Costs.Hosts, configs[i].Scenario), hostsText(hosts, configs[i].Scenario); of != on {
			fmt.Fprintf(errs, "The costs are of %s; measured is on %s.\n", of, on)
		}
		if known := w.Costs.Calibration; known != nil && known.Yardstick.Median > 0 {
			now, err := calibrate.Yardstick()
			return float64(now.Median) / float64(known.Yardstick.Median), err
		}
	}
	return 0, nil
}

// measuredHosts are the hosts that a world which is not virtual runs on, from here.
func measuredHosts(ctx context.Context, world harness.World) (h sim.Hosts, err error) {
	h = sim.Hosts{Cores: process.Cores(), Shared: true, RedisNodes: 1}
	if w, ok := world.(real.World); ok {
		h.RedisNodes, h.Shared, err = w.Where(ctx)
	}
	return h, err
}

// hostsText says of hosts what a prediction goes by.
func hostsText(h sim.Hosts, s scenarios.Scenario) string {
	where := "all on one host"
	if !h.Shared {
		where = "the servers on others"
	}
	return fmt.Sprintf("%s of Redis and %s, %s", options.FormatCount(h.NodesOf(s), "node"),
		options.FormatCount(h.Cores, "core"), where)
}

// measure runs everything. What others use of the machine while the one world measures is what the
// other predicts with, so it comes second. That is so only where the run takes all that the machine
// has: whoever takes less than its share is served first by the scheduler, and others have what is
// left.
func (c *compareCommand) measure(
	ctx context.Context, errs io.Writer, configs [2]harness.Config,
) ([]compare.Row, error) {
	if _, ok := configs[1].World.(real.World); ok {
		cfg := configs[1]
		cfg.Scenario = compare.WarmUpOf(cfg.Scenario)
		err := compare.WarmUp(func() (compare.Run, error) {
			return c.one(ctx, errs, withoutPortFaults(cfg), c.Processes[0], 0, "to warm the servers up")
		})
		if err != nil {
			return nil, err
		}
	}
	var rows []compare.Row
	for _, processes := range c.Processes {
		row, err := c.row(ctx, errs, configs, processes)
		if len(row.Measured) > 0 {
			rows = append(rows, row)
		}
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// row runs everything with a number of processes. If a run cannot be made, the repeats that were made in
// both worlds until then come with the error.
func (c *compareCommand) row(
	ctx context.Context, errs io.Writer, configs [2]harness.Config, processes int,
) (compare.Row, error) {
	predicted, measured, bounds, err := c.repeats(ctx, errs, configs, processes)
	if len(measured) == 0 {
		return compare.Row{}, err
	}
	return compare.NewRow(processes, predicted, measured, bounds), err
}

// repeats makes all runs with a number of processes: as many of both worlds, and both bounds or none.
func (c *compareCommand) repeats(
	ctx context.Context, errs io.Writer, configs [2]harness.Config, processes int,
) (predicted, measured, bounds []compare.Run, err error) {
	for repeat := range c.Repeat {
		which := fmt.Sprintf("repeat %d of %d", repeat+1, c.Repeat)
		m, err := c.one(ctx, errs, configs[1], processes, repeat, which)
		if err != nil {
			return predicted, measured, bounds, err
		}
		cfg := configs[0]
		if !m.LoadCarried && len(cfg.Scenario.Faults) == 0 {
			cfg = withOthers(cfg, m.Others)
		}
		p, err := c.one(ctx, errs, cfg, processes, repeat, which)
		if err != nil {
			return predicted, measured, bounds, err
		}
		predicted, measured = append(predicted, p), append(measured, m)
		if repeat > 0 {
			continue
		}
		for _, share := range []float64{0.05, 0.95} {
			at, ok := withQuantile(cfg, share)
			if !ok {
				break
			}
			b, err := c.one(ctx, errs, at, processes, repeat, fmt.Sprintf("costs at their %.0f %%", 100*share))
			if err != nil {
				return predicted, measured, nil, err
			}
			bounds = append(bounds, b)
		}
	}
	return predicted, measured, bounds, nil
}

// one makes one run, and tells of it and which it is when it is done.
func (c *compareCommand) one(
	ctx context.Context, errs io.Writer, cfg harness.Config, processes, repeat int, which string,
) (compare.Run, error) {
	cfg.Scenario.Topology.FlusherProcesses = scenarios.Processes(processes)
	cfg.Scenario.Seed += uint64(repeat)
	others := &othersMeter{}
	if !virtual(cfg.World) {
		cfg.Progress = others.look
	}
	outcome, err := runOnce(ctx, cfg)
	if violatesSafety(outcome) { // even if it was ended early
		why, _ := outcome.Decisive()
		c.unsafe = append(c.unsafe, fmt.Sprintf("with %s in world %s (%s): %v",
			options.FormatCount(processes, "process"), cfg.World.Name(), which, why))
	}
	if err != nil {
		return compare.Run{}, fmt.Errorf("%s in world %s (%s): %w", options.FormatCount(processes, "process"),
			cfg.World.Name(), which, err)
	}
	run := compare.RunOf(outcome)
	run.Others = others.cores()
	beside := ""
	if run.Others > 0 {
		beside = fmt.Sprintf("; others use %.1f cores", run.Others)
	}
	fmt.Fprintf(errs, "%s, %s, %s: %.0f spans/s, %s%s\n",
		options.FormatCount(processes, "process"), which, cfg.World.Name(),
		outcome.Result.Throughput.SpansPerSecond, outcome.Result.Verdict, beside)
	return run, nil
}

// withoutPortFaults is a run in which no port is broken.
func withoutPortFaults(cfg harness.Config) harness.Config {
	cfg.PortFaults, cfg.Scenario.PortFaults = nil, nil
	return cfg
}

// withQuantile is a run in the virtual world with the costs at a quantile; ok is false in another
// world, and if the costs do not tell how they spread.
func withQuantile(cfg harness.Config, p float64) (at harness.Config, ok bool) {
	w, ok := cfg.World.(sim.World)
	if !ok || w.Costs == nil {
		return cfg, false
	}
	costs, ok := w.Costs.Quantile(p)
	cfg.World = sim.World{Costs: &costs}
	return cfg, ok
}

// withOthers is a run in the virtual world beside others that use so many cores of the host of consumers
// and workers; another world, or one whose host is another one, has what others it has.
func withOthers(cfg harness.Config, cores float64) harness.Config {
	w, ok := cfg.World.(sim.World)
	if !ok || w.Costs == nil || w.Costs.Hosts.Cores != process.Cores() {
		return cfg
	}
	costs := *w.Costs
	costs.Hosts.Others = max(0, min(cores, 0.95*float64(costs.Hosts.Cores)))
	cfg.World = sim.World{Costs: &costs}
	return cfg
}

// othersMeter measures what everything on this machine uses that is no part of a run.
type othersMeter struct {
	seen        bool
	first, last usage
}

// usage is what was used up to a time, in seconds: by all, and by the parts of the run.
type usage struct{ at, all, own float64 }

// look is the progress of a run.
func (m *othersMeter) look(p harness.Progress) {
	fs, err := procfs.NewDefaultFS()
	if err != nil || p.Event != nil || p.Phase != reports.PhaseLoad && p.Phase != reports.PhaseDrain {
		return
	}
	stat, err := fs.Stat()
	if err != nil {
		return
	}
	cpu, s := stat.CPUTotal, p.Sample
	now := usage{s.T, cpu.User + cpu.Nice + cpu.System + cpu.IRQ + cpu.SoftIRQ + cpu.Steal,
		s.CPURedisHere() + s.CPUKafka + s.CPUWorkers + s.CPUConsumer + s.CPUHarness}
	if !m.seen {
		m.first, m.seen = now, true
	}
	m.last = now
}

// cores returns how many cores others used; 0 if nobody can tell. Of a machine on which this program has a
// quota, nobody can: they may use what it may not.
func (m *othersMeter) cores() float64 {
	lasted := m.last.at - m.first.at
	if lasted <= 0 || process.Cores() < runtime.NumCPU() {
		return 0
	}
	return max(0, (m.last.all-m.first.all-(m.last.own-m.first.own))/lasted)
}

func writeCompare(dir string, report *compare.Report) error {
	return rundir.Replace(dir, fileCompare, func(dir string) error {
		return errors.Join(
			rundir.WriteFile(dir, fileCompare, func(w io.Writer) error { return reports.WriteJSON(w, report) }),
			report.Chart().Save(dir, chartCompare))
	})
}
