package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sluice/internal/calibrate"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/statusline"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
	"sluice/sim"
)

// calibrateCommand is "simulate calibrate".
type calibrateCommand struct {
	Redis []string `help:"Address of a running Redis, host:port; several mean a cluster." env:"SLUICE_REDIS"`
	Kafka []string `help:"Address of a running Kafka, host:port." env:"SLUICE_KAFKA"`
	loginFlags
	Servers    string `help:"Start servers to measure, with one Redis (start) or a cluster (start-cluster, of three nodes; start-cluster:6)." placeholder:"start" completion-predictor:"servers"`
	Out        string `help:"File for the costs." default:"calibration.yaml"`
	EvenIfUsed bool   `help:"Measure also if others use the servers: it disturbs them, and they disturb the measuring."`
	Repeat     int    `help:"How often to measure everything." default:"3"`
	Spans      int    `help:"How many spans go through each stage at a time (default: 20000, and as few as half of that on a slow machine)." placeholder:"N"`
	Alone      bool   `help:"Leave out the runs in which everything goes on at once: quicker, and less true of a busy machine."`
	Force      bool   `help:"Replace a file that is no calibration."`
}

// calibrateMax bounds a calibration, whose servers may be slow.
const calibrateMax = 10 * time.Minute

// Run measures, and writes the file.
func (c *calibrateCommand) Run(ctx context.Context, to *streams) (err error) {
	if err := c.check(); err != nil {
		return usageError{err}
	}
	world, err := c.world()
	if err != nil {
		return err
	}
	world, stop, err := world.Share()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	ctx, cancel := context.WithTimeout(ctx, calibrateMax)
	defer cancel()
	began := time.Now()
	costs, err := c.measure(ctx, to, world)
	if err != nil {
		return err
	}
	written := writeWhole(c.Out, costs.String())
	return to.ended(nil, written, writeCalibration(to.out, costs, c.Out, time.Since(began)))
}

func (c *calibrateCommand) measure(
	ctx context.Context, to *streams, world real.World,
) (_ sim.Costs, err error) {
	redis, kafka := world.Redis, world.Kafka
	cfg := calibrate.Config{Redis: world.Access.Redis(redis), Kafka: world.Access.Kafka(kafka),
		Repeats: c.Repeat, Spans: c.Spans}
	if !c.EvenIfUsed && world.Servers == real.Given { // nobody else knows those that were started
		err := calibrate.CheckUse(ctx, cfg.Redis, cfg.Kafka)
		if errors.Is(err, calibrate.ErrInUse) {
			err = fmt.Errorf("%w\nto measure all the same: --even-if-used", err)
		}
		if err != nil {
			return sim.Costs{}, err
		}
	}
	place, err := wall.Reserve(ctx, "calibrate", redis, kafka, world.Access, calibrate.Partitions)
	if err != nil {
		return sim.Costs{}, err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	cfg.Place = calibrate.Place{Namespace: place.Namespace, Group: place.Group,
		Input: place.Input, Output: place.Output, Letters: place.Letters}
	line := statusline.New(to.err)
	defer line.Clear()
	if !c.Alone {
		cfg.RunReal = func(ctx context.Context, s scenarios.Scenario) (*judge.Outcome, error) {
			return harness.Run(ctx, harness.Config{Scenario: s, World: world})
		}
	}
	if world.Restarts() {
		cfg.Restart = world
	}
	cfg.Progress = func(what string) { line.Show("calibrate: " + what) }
	return calibrate.Run(ctx, cfg)
}

// world is that of the servers.
func (c *calibrateCommand) world() (real.World, error) {
	w := real.World{Servers: real.Origin(c.Servers)}
	if w.Servers != real.Given {
		return w, w.Validate()
	}
	w.Redis, w.Kafka = c.Redis, c.Kafka
	if err := w.Validate(); err != nil {
		return w, err
	}
	var err error
	w.Access, err = c.access(w.Redis, w.Kafka)
	return w, err
}

func (c *calibrateCommand) check() error {
	_, err := c.world()
	errs := []error{err}
	if c.Repeat < 1 {
		errs = append(errs, fmt.Errorf("--repeat %d must be at least 1", c.Repeat))
	}
	if c.Spans != 0 && c.Spans < calibrate.SpansMin {
		errs = append(errs, fmt.Errorf("--spans %d must be at least %d", c.Spans, calibrate.SpansMin))
	}
	return errors.Join(append(errs, c.checkOut())...)
}

// checkOut returns an error if the costs cannot be written, or not without destroying something else:
// better now than when all is measured.
func (c *calibrateCommand) checkOut() error {
	if info, err := os.Stat(c.Out); err == nil && info.IsDir() {
		return fmt.Errorf("--out %s is a directory, and must be a file", c.Out)
	}
	text, err := os.ReadFile(c.Out)
	if err == nil {
		_, err = sim.ReadCosts(c.Out, text)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !c.Force {
		return fmt.Errorf("%s is there and is no calibration; --force replaces it: %v", c.Out, err)
	}
	probe, err := createBeside(c.Out)
	if err != nil {
		return fmt.Errorf("--out %s cannot be written: %w", c.Out, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// createBeside creates a file that may take the place of the named one.
func createBeside(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
}

// writeWhole writes a file, complete or not at all. What is no plain file, such as /dev/stdout, is written
// to as it is.
func writeWhole(name, text string) error {
	if info, err := os.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(name, []byte(text), 0o644)
	}
	file, err := createBeside(name)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }() // nothing is left there if all went well
	_, err = file.WriteString(text)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
