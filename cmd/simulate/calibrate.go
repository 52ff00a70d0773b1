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
	"sluice/internal/servers"
	"sluice/internal/statusline"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
	"sluice/sim"
)

// calibrateCommand is "simulate calibrate".
type calibrateCommand struct {
	Redis      []string `help:"Address of a running Redis, host:port; several mean a cluster." env:"SLUICE_REDIS"`
	Kafka      []string `help:"Address of a running Kafka, host:port." env:"SLUICE_KAFKA"`
	Servers    string   `help:"Start servers to measure, with one Redis (start) or a cluster (start-cluster)." placeholder:"start" completion-predictor:"servers"`
	Out        string   `help:"File for the costs." default:"calibration.yaml"`
	EvenIfUsed bool     `help:"Measure also if others use the servers: it disturbs them, and they disturb the measuring."`
	Repeat     int      `help:"How often to measure everything." default:"3"`
	Spans      int      `help:"How many spans go through each stage at a time." default:"20000"`
	Alone      bool     `help:"Leave out the runs in which everything goes on at once: quicker, and less true of a busy machine."`
	Force      bool     `help:"Replace a file that is no calibration."`
}

// calibrateMax bounds a calibration, whose servers may be slow.
const calibrateMax = 10 * time.Minute

// Run measures, and writes the file.
func (c *calibrateCommand) Run(ctx context.Context, to *streams) (err error) {
	if err := c.check(); err != nil {
		return usageError{err}
	}
	redis, kafka := c.Redis, c.Kafka
	if c.Servers != "" {
		var stop func() error
		if redis, kafka, stop, err = startServers(real.Origin(c.Servers)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	ctx, cancel := context.WithTimeout(ctx, calibrateMax)
	defer cancel()
	began := time.Now()
	costs, err := c.measure(ctx, to, redis, kafka)
	if err != nil {
		return err
	}
	if err := writeWhole(c.Out, costs.String()); err != nil {
		return err
	}
	return writeCalibration(to.out, costs, c.Out, time.Since(began))
}

func (c *calibrateCommand) measure(
	ctx context.Context, to *streams, redis, kafka []string,
) (_ sim.Costs, err error) {
	cfg := calibrate.Config{Redis: redis, Kafka: kafka, Repeats: c.Repeat,
		Spans: c.Spans}
	if !c.EvenIfUsed {
		err := calibrate.CheckUse(ctx, redis, kafka)
		if errors.Is(err, calibrate.ErrInUse) {
			err = fmt.Errorf("%w\nto measure all the same: --even-if-used", err)
		}
		if err != nil {
			return sim.Costs{}, err
		}
	}
	place, err := wall.Reserve(ctx, "calibrate", redis, kafka, wall.Access{}, calibrate.Partitions)
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
			return harness.Run(ctx, harness.Config{Scenario: s, World: real.World{Redis: redis, Kafka: kafka}})
		}
	}
	cfg.Progress = func(what string) { line.Show("calibrate: " + what) }
	return calibrate.Run(ctx, cfg)
}

func (c *calibrateCommand) check() error {
	origin := real.Origin(c.Servers)
	var errs []error
	world := real.World{Servers: origin}
	if origin == real.Given {
		world.Redis, world.Kafka = c.Redis, c.Kafka
	}
	errs = append(errs, world.Validate())
	if c.Repeat < 1 {
		errs = append(errs, fmt.Errorf("--repeat %d must be at least 1", c.Repeat))
	}
	if c.Spans < calibrate.SpansMin {
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

// startServers starts a Redis, or a cluster, and a Kafka.
func startServers(origin real.Origin) (redis, kafka []string, stop func() error, err error) {
	var stops []func() error
	stop = func() error {
		var errs []error
		for _, one := range stops {
			errs = append(errs, one())
		}
		return errors.Join(errs...)
	}
	var nodes []*servers.RedisServer
	if origin == real.StartCluster {
		nodes, err = servers.StartRedisCluster()
	} else {
		var one *servers.RedisServer
		one, err = servers.StartRedis()
		nodes = append(nodes, one)
	}
	if err != nil {
		return nil, nil, stop, err
	}
	for _, n := range nodes {
		redis, stops = append(redis, n.Addr), append(stops, n.Kill)
	}
	broker, err := servers.StartKafka()
	if err != nil {
		return nil, nil, stop, errors.Join(err, stop())
	}
	stops = append(stops, broker.Kill)
	return redis, []string{broker.Addr}, stop, nil
}

// createBeside creates a file that may take the place of the named one.
func createBeside(name string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
}

// writeWhole writes a file, complete or not at all.
func writeWhole(name, text string) error {
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
