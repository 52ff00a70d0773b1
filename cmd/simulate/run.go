package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sluice/internal/harness"
	"sluice/scenarios"
)

// worldFlags say where a scenario runs.
type worldFlags struct {
	World string   `help:"Where to run: fakes (in this program) or real." default:"fakes"`
	Redis []string `help:"Redis, host:port; several are a cluster." env:"SLUICE_REDIS"`
	Kafka []string `help:"Kafka, host:port." env:"SLUICE_KAFKA"`
	Log   bool     `help:"Write the pipeline's log to standard error."`
}

func (f worldFlags) config(s scenarios.Scenario, errs io.Writer) (harness.Config, error) {
	cfg := harness.Config{Scenario: s, World: harness.World(f.World)}
	if cfg.World == harness.WorldReal {
		cfg.Redis, cfg.Kafka = f.Redis, f.Kafka
	}
	if f.Log {
		cfg.Log = slog.New(slog.NewTextHandler(errs, nil))
	}
	if f.World == "virtual" {
		return cfg, usageError{errors.New("world virtual is not there yet; there are fakes and real")}
	}
	if err := cfg.Validate(); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// replay returns the flags that name the same world again.
func (f worldFlags) replay() string {
	text := " --world " + f.World
	if harness.World(f.World) == harness.WorldReal {
		text += " --redis " + strings.Join(f.Redis, ",") + " --kafka " + strings.Join(f.Kafka, ",")
	}
	return text
}

// scenarioFlags name a scenario and change it.
type scenarioFlags struct {
	Scenario string          `arg:"" help:"Name of a scenario of the library, or a .yaml file."`
	Seed     *uint64         `help:"Root of all random choices, instead of the scenario's."`
	Duration *time.Duration  `help:"How long load arrives, instead of the scenario's."`
	Rate     *scenarios.Rate `help:"Load shape, such as 'constant 9000/s', instead of its own."`
}

func (f scenarioFlags) load() (scenarios.Scenario, error) {
	s, err := scenarios.Load(f.Scenario, os.ReadFile)
	if err != nil {
		return s, usageError{err}
	}
	if f.Seed != nil {
		s.Seed = *f.Seed
	}
	if f.Duration != nil {
		s.Duration = *f.Duration
	}
	if f.Rate != nil {
		s.Workload.Rate = *f.Rate
	}
	if err := s.Validate(); err != nil {
		return s, usageError{fmt.Errorf("%s with the flags given:\n%w", f.Scenario, err)}
	}
	return s, nil
}

// replay returns the command that runs the same scenario again: the flags that were given, with
// the seed, if there is one more than that.
func (f scenarioFlags) replay(s scenarios.Scenario) string {
	text := " " + f.Scenario + " --seed " + strconv.FormatUint(s.Seed, 10)
	if f.Duration != nil {
		text += " --duration " + f.Duration.String()
	}
	if f.Rate != nil {
		text += " --rate " + strconv.Quote(f.Rate.String())
	}
	return text
}

// runCommand is "simulate run".
type runCommand struct {
	scenarioFlags
	worldFlags
	Out   string `help:"Directory of the results." placeholder:"runs/NAME-SEED"`
	Quiet bool   `short:"q" help:"Write the verdict only."`
}

// Run runs the scenario.
func (c *runCommand) Run(ctx context.Context, to *streams) error {
	s, err := c.load()
	if err != nil {
		return err
	}
	cfg, err := c.config(s, to.err)
	if err != nil {
		return err
	}
	dir := c.Out
	if dir == "" {
		dir = filepath.Join("runs", fmt.Sprintf("%s-%d", s.Name, s.Seed))
	}
	if err := harness.CheckDirectory(dir, harness.FileResult); err != nil {
		return usageError{err}
	}
	if !c.Quiet {
		shown := newProgress(to.err, s)
		cfg.Progress = shown.show
		defer shown.end()
	}
	outcome, err := harness.Run(ctx, cfg)
	if err != nil {
		return err
	}
	outcome.Result.Replay = to.program + " run" + c.scenarioFlags.replay(s) + c.worldFlags.replay()
	if err := outcome.Write(dir); err != nil {
		return err
	}
	if c.Quiet {
		_, err = fmt.Fprintln(to.out, outcome.Verdict())
	} else {
		err = outcome.WriteText(to.out, dir)
	}
	if err == nil && outcome.Code != harness.ExitPassed {
		err = exitError(outcome.Code)
	}
	return err
}
