package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/internal/diff"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/internal/process"
	"sluice/internal/rundir"
	"sluice/internal/swarm"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

// worldFlags say where a scenario runs.
type worldFlags struct {
	World   string   `help:"Where to run: virtual (simulated time), fakes (servers in this program) or real." default:"virtual" completion-predictor:"world"`
	Servers string   `help:"For world real: start the servers for the run, with one Redis (start) or a cluster (start-cluster, of three nodes; start-cluster:6)." placeholder:"start" completion-predictor:"servers"`
	Redis   []string `help:"For world real: address of a running Redis, host:port; several mean a cluster." env:"SLUICE_REDIS"`
	Kafka   []string `help:"For world real: address of a running Kafka, host:port." env:"SLUICE_KAFKA"`
	loginFlags
	costFlags
	Defect string   `help:"Plant a defect in the pipeline, which the harness must catch; see list defects." placeholder:"NAME" completion-predictor:"defect"`
	Ports  []string `name:"port-fault" help:"Break calls of a port: --port-fault 'lose store.ack every 10'; see list faults. May be repeated." placeholder:"FAULT" sep:"none"`
	Log    bool     `help:"For world fakes and real: write the pipeline's log to standard error."`
}

func (f worldFlags) config(s scenario, errs io.Writer) (harness.Config, error) {
	cfg := harness.Config{Scenario: s.Scenario, Defect: f.Defect}
	if f.Log {
		cfg.Log = slog.New(slog.NewTextHandler(errs, nil))
	}
	var err error
	if cfg.PortFaults, err = portfault.Parse(strings.Join(f.Ports, "\n")); err != nil {
		return cfg, usageError{err}
	}
	cfg.PortFaults = append(cfg.PortFaults, s.ports...)
	if cfg.World, err = f.world(); err != nil {
		return cfg, usageError{err}
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usageError{s.places.Of(err)}
	}
	return cfg, nil
}

// planted is what the flags put into a run on purpose, in words; empty if they put nothing.
func (f worldFlags) planted() string {
	var faults []string
	for _, fault := range f.Ports {
		faults = append(faults, strings.ReplaceAll(fault, "\n", ", "))
	}
	return reports.Planted(f.Defect, faults, f.costFlags.name())
}

// around is what a scenario must know of the run that the flags ask for.
func (f worldFlags) around() (scenarios.Around, error) {
	world, err := f.world()
	if err != nil {
		return scenarios.Around{}, usageError{err}
	}
	return scenarios.Around{Can: world.Can, Restarts: f.Defect != "" || len(f.Ports) > 0}, nil
}

// world returns the world that the flags name.
func (f worldFlags) world() (harness.World, error) {
	w := real.World{Servers: real.Origin(f.Servers)}
	if w.Servers == real.Given {
		w.Redis, w.Kafka = f.Redis, f.Kafka
	}
	switch {
	case f.World == w.Name() && f.flag() == "":
		if len(w.Redis) > 0 && len(w.Kafka) > 0 {
			var err error
			if w.Access, err = f.access(w.Redis, w.Kafka); err != nil {
				return nil, err
			}
		}
		return w, w.Servers.Validate()
	case !slices.Contains([]string{w.Name(), fakes.World{}.Name(), worldVirtual}, f.World):
		return nil, fmt.Errorf("world %q is not one of %s, %s, %s", f.World, worldVirtual,
			fakes.World{}.Name(), w.Name())
	case f.flag() != "" && !isVirtual(f.World):
		return nil, fmt.Errorf("%s is for --world virtual: in world %s, steps take what they take", f.flag(), f.World)
	case f.Servers != "":
		return nil, fmt.Errorf("--servers %s is for --world real: world %s has its servers inside of "+
			"the program", f.Servers, f.World)
	}
	if isVirtual(f.World) {
		if f.Log {
			return nil, errors.New("--log is for --world fakes and real: what happens in the virtual world is in " +
				"events.ndjson and on the page of the results")
		}
		collectLess()
		costs, err := f.read()
		return sim.World{Costs: costs}, err
	}
	return fakes.World{}, nil
}

// scenarioFlags name a scenario and change it.
type scenarioFlags struct {
	Scenario string          `arg:"" help:"Name of a scenario of the library, a .yaml file, or swarm: one that is drawn by the seed." completion-predictor:"scenario"`
	Seed     *uint64         `help:"Root seed of all random choices, instead of the scenario's."`
	Duration *time.Duration  `help:"Duration of the load, instead of the scenario's."`
	Rate     *scenarios.Rate `help:"Load shape, such as 'constant 9000/s', instead of the scenario's${rate_is=}."`
	NoFaults bool            `help:"Leave all faults out, and what is expected of them (restarts, an end by the budget, figures such as pauses >= 1): a control run."`
	Set      []string        `help:"Change a key: --set workload.late='0.1 by 5s'. May be repeated." placeholder:"PATH=VALUE" sep:"none"`
}

// scenario is a scenario with the place of each of its keys in the file.
type scenario struct {
	scenarios.Scenario
	places yamlfile.Places
	// ports are faults at ports that come with it.
	ports portfault.List
}

// sets returns all changes in the form of --set.
func (f scenarioFlags) sets() []string {
	sets := slices.Clone(f.Set)
	if f.NoFaults {
		sets = append(sets, "faults=[]", "port_faults=[]", "expectations.restarts_min=0", "expectations.end=drained")
	}
	if f.Seed != nil {
		sets = append(sets, "seed="+strconv.FormatUint(*f.Seed, 10))
	}
	if f.Duration != nil {
		sets = append(sets, "duration="+f.Duration.String())
	}
	if f.Rate != nil {
		sets = append(sets, "workload.rate="+f.Rate.String())
	}
	return sets
}

// load reads the scenario for a run with these flags, and further changes in the form of --set.
func (f scenarioFlags) load(in worldFlags, more ...string) (scenario, error) {
	around, err := in.around()
	if err != nil {
		return scenario{}, err
	}
	if f.Scenario == swarm.Name {
		return f.draw(around, more)
	}
	s, places, err := loadWritten(around, f.Scenario, append(f.sets(), more...)...)
	var problems yamlfile.Problems
	if errors.As(err, &problems) && slices.Contains(f.Set, "faults=[]") {
		err = append(problems, yamlfile.Problem{
			Message: "--no-faults leaves out the faults and what is expected of them"})
	}
	if err != nil {
		return scenario{}, usageError{asGiven(err, f.given())}
	}
	return scenario{Scenario: f.control(s), places: places}, nil
}

// loadWritten reads a scenario of the library or a file. In one that was drawn a moment may never come.
func loadWritten(
	around scenarios.Around, name string, sets ...string,
) (scenarios.Scenario, yamlfile.Places, error) {
	s, places, err := around.Load(name, os.ReadFile, sets...)
	if err != nil && !around.Restarts {
		around.Restarts = true
		if drawn, places, err := around.Load(name, os.ReadFile, sets...); err == nil && drawn.Name == swarm.Name {
			return drawn, places, nil
		}
	}
	return s, places, err
}

// asGiven names the flags that were given where a --set of the same stands.
func asGiven(err error, given map[string]string) error {
	var problems yamlfile.Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i, p := range problems {
		if flag, ok := given[p.File]; ok {
			problems[i].File = flag
		}
	}
	return problems
}

// given are the flags that stand for a --set.
func (f scenarioFlags) given() map[string]string {
	given := map[string]string{}
	if f.Duration != nil {
		given["--set duration="+f.Duration.String()] = "--duration " + f.Duration.String()
	}
	if f.Rate != nil {
		given["--set workload.rate="+f.Rate.String()] = "--rate " + quote(f.Rate.String())
	}
	return given
}

// control leaves out what is expected of faults that are left out: without them no figure can show what
// they do.
func (f scenarioFlags) control(s scenarios.Scenario) scenarios.Scenario {
	if f.NoFaults {
		s.Expectations.Figures = slices.DeleteFunc(slices.Clone(s.Expectations.Figures), scenarios.Limit.OfFaults)
	}
	return s
}

// draw draws the scenario of a seed, 1 if none is given, of what the world can do.
func (f scenarioFlags) draw(around scenarios.Around, more []string) (scenario, error) {
	seed := scenarios.Default().Seed
	if f.Seed != nil {
		seed = *f.Seed
	}
	drawn, err := swarm.Draw(seed, swarm.SizeMax, around.Can)
	if err != nil {
		return scenario{}, err
	}
	around.Restarts = true // by ports, and by faults that may come too late
	text := func(string) ([]byte, error) { return []byte(drawn.Scenario.String()), nil }
	s, places, err := around.Load(swarm.Name+".yaml", text, append(f.sets(), more...)...)
	if err != nil {
		return scenario{}, usageError{asGiven(err, f.given())}
	}
	if f.NoFaults {
		drawn.Ports = nil
	}
	return scenario{Scenario: f.control(s), places: places, ports: drawn.Ports}, nil
}

// runCommand is "simulate run".
type runCommand struct {
	scenarioFlags
	worldFlags
	Seeds            *seedRange `help:"Run with each seed of a range, on all cores, and print a table; the scenario may be all: the library and swarm." placeholder:"1..1000"`
	CheckDeterminism bool       `help:"Run twice, and fail with exit code 12 if not the same happened."`
	Out              string     `help:"Directory of the results." placeholder:"runs/NAME-SEED"`
	Quiet            bool       `short:"q" help:"Print only the verdict."`
	JSON             bool       `name:"json" help:"Print the result, or the table of --seeds, as JSON."`
}

// Run runs the scenario.
func (c *runCommand) Run(ctx context.Context, to *streams) error {
	if c.Seeds != nil {
		return c.runSeeds(ctx, to)
	}
	s, err := c.load(c.worldFlags)
	if err != nil {
		return err
	}
	cfg, err := c.config(s, to.err)
	if err != nil {
		return err
	}
	if c.CheckDeterminism {
		if c.Out != "" {
			return usageError{errors.New("--out and --check-determinism exclude each other: of two runs that are " +
				"compared nothing is kept")}
		}
		return c.runTwice(ctx, to, cfg)
	}
	dir, err := outDir(c.Out, fmt.Sprintf("%s-%d", s.Name, s.Seed), rundir.FileResult)
	if err != nil {
		return err
	}
	earlier := keeper{}
	if c.Out == "" {
		if earlier, err = newKeeper(dir, rundir.FileResult, readRunSet, setOf(diff.KindRun, cfg)); err != nil {
			return err
		}
	}
	end := func() {}
	if !c.Quiet {
		c.mentionLitter(ctx, to.err)
		shown := newProgress(to.err, s.Scenario)
		cfg.Progress, end = shown.show, shown.end
	}
	began := time.Now()
	cfg.Journal = true
	outcome, err := runOnce(ctx, cfg)
	end()
	if outcome == nil {
		return c.keepFailed(to, dir, s, err)
	}
	outcome.Result.Run.WallSeconds = time.Since(began).Seconds()
	outcome.Result.Replay = program() + " run" + c.scenarioFlags.replay(s.Seed) + c.worldFlags.replay()
	outcome.Result.Version = process.Version()
	script := c.worldFlags // of the resolved scenario, to which what was drawn with it does not belong
	if len(s.ports) > 0 {
		script.Ports = append(slices.Clone(script.Ports), s.ports.String())
	}
	outcome.Costs, outcome.Result.Costs = costsText(cfg.World), c.costFlags.name()
	outcome.Script = replayScript(script)
	// The results come first: whoever reads no more of the text than its head ends the program. A disk that
	// is full must not take the verdict along.
	written := earlier.keep(to)
	if written == nil {
		written = rundir.Write(outcome, dir)
	}
	switch {
	case c.JSON:
		err = reports.WriteJSON(to.out, outcome.Result)
	case c.Quiet:
		_, err = fmt.Fprintln(to.out, outcome.Verdict())
	default:
		err = outcome.WriteText(to.out, dir)
	}
	return to.ended(verdictOf(outcome.Code), written, err)
}

// failedSuffix is what the file is called after the results of a run that there are not.
const failedSuffix = "-failed.yaml"

// keepFailed keeps the scenario of a run that its kernel gave up, of which there are no results, and says how
// to have it again. It returns why there are none.
func (c *runCommand) keepFailed(to *streams, dir string, s scenario, why error) error {
	var failure *kernel.Failure
	if !errors.As(why, &failure) {
		return why
	}
	file, of := filepath.Clean(dir)+failedSuffix, s.Scenario // beside it, also if its name ends in a slash
	of.PortFaults = slices.Concat(of.PortFaults, s.ports)
	again := quote(file)
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err = cmp.Or(err, writeWhole(file, of.String())); err != nil {
		fmt.Fprintf(to.err, "simulate: the scenario could not be kept: %v\n", err)
		again = strings.TrimSpace(c.scenarioFlags.replay(s.Seed))
	}
	fmt.Fprintf(to.err, "replay: %s run %s%s\n", program(), again, c.worldFlags.replay())
	return why
}

// runTwice runs the scenario twice, and names the first event that differs.
func (c *runCommand) runTwice(ctx context.Context, to *streams, cfg harness.Config) error {
	again := program() + " run" + c.scenarioFlags.replay(cfg.Scenario.Seed) + c.worldFlags.replay() + " --check-determinism"
	var twice [2]*judge.Outcome
	for i := range twice {
		var err error
		if twice[i], err = runOnce(ctx, cfg); twice[i] == nil {
			return err
		}
		if twice[i].Interrupted {
			return to.end(againAnswer{answer: interrupted().again(again)}, c.JSON)
		}
	}
	first, second := twice[0], twice[1]
	found := againAnswer{Was: first.Result.Verdict, Is: second.Result.Verdict, Digest: first.Result.Digest}
	if first.Result.Digest == second.Result.Digest && virtual(cfg.World) {
		found.Verdict = "deterministic; digest " + found.Digest
	} else {
		parted := diff.FirstOf(first.Events, second.Events, nil, nil)
		found.First = &parted
		found.answer = answer{"not deterministic; " + parted.Brief(), judge.ExitNotDeterministic}.again(again)
	}
	return to.end(found, c.JSON)
}
