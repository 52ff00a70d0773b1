package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"sluice/internal/capacity"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/process"
	"sluice/scenarios"
	"sluice/sim"
)

// side is how many runs go on side by side in a world: on the wall clock, they would disturb each other.
func side(world harness.World) int {
	if virtual(world) {
		return parallelMax()
	}
	return 1
}

// ahead is at how many rates a search looks at a time: in virtual time at two also where they go one
// after the other, for the answer to be the same on every machine.
func ahead(world harness.World) int {
	if virtual(world) {
		return 2
	}
	return 1
}

// sideBySide does something for each of a list at the same time, and returns the results in its order. Of
// several errors it returns the first: one interruption ends all. The results of the others come with it.
func sideBySide[T, R any](list []T, do func(T) (R, error)) ([]R, error) {
	results, errs := make([]R, len(list)), make([]error, len(list))
	var running sync.WaitGroup
	for i, one := range list {
		running.Go(func() {
			results[i], errs[i] = do(one)
		})
	}
	running.Wait()
	return results, cmp.Or(errs...)
}

// probe makes a run at a rate, as long as that needs unless its duration was asked for, and a longer one
// if that cannot tell whether the rate is sustained. It is ended early if it is hopeless.
func probe(ctx context.Context, cfg harness.Config, job capacity.Job, asked bool) (capacity.Probe, error) {
	cfg.Scenario = scenarioOf(cfg.Scenario, job)
	var err error
	var not *capacity.Unjudged
	if cfg.Scenario, err = capacity.Timed(cfg.Scenario, asked); errors.As(err, &not) {
		return capacity.Probe{Rate: job.Rate, Unjudged: true, Why: err.Error()}, nil
	}
	p, err := probeOnce(ctx, cfg, job)
	if err != nil {
		return p, err
	}
	steady := p.Again(asked)
	if steady == 0 {
		return p, nil
	}
	longer := capacity.NeedsOf(cfg.Scenario)
	longer.Steady = max(longer.Steady, steady)
	cfg.Scenario.Duration = longer.Duration()
	doubted := p.Why
	p, err = probeOnce(ctx, cfg, job)
	p.Doubted = doubted
	return p, err
}

func probeOnce(ctx context.Context, cfg harness.Config, job capacity.Job) (capacity.Probe, error) {
	outcome, err := runJob(ctx, cfg, job)
	if err != nil && !violatesSafety(outcome) {
		return capacity.Probe{}, err
	}
	return capacity.ProbeOf(outcome, job.Rate, hostOf(cfg), !virtual(cfg.World)), err
}

// scenarioOf is the scenario of a job.
func scenarioOf(s scenarios.Scenario, job capacity.Job) scenarios.Scenario {
	s.Topology.FlusherProcesses = scenarios.Processes(job.Processes)
	s.Seed += uint64(job.Repeat - 1)
	s.Workload.Rate = scenarios.Constant(job.Rate)
	return s
}

// runJob makes the run of a job, whose scenario is given.
func runJob(ctx context.Context, cfg harness.Config, job capacity.Job) (*judge.Outcome, error) {
	watch := capacity.Watch{Rate: job.Rate, Needs: capacity.NeedsOf(cfg.Scenario),
		Cycle: capacity.Cycle(cfg.Scenario, job.Rate), Stumbles: !virtual(cfg.World),
		Scenario: cfg.Scenario, Host: hostOf(cfg)}
	outcome, err := runUntil(ctx, cfg, watch.Over)
	if err != nil {
		err = fmt.Errorf("%s at %s spans/s: %w", options.FormatCount(job.Processes, "process"), grouped(job.Rate), err)
	}
	return outcome, err
}

// hostOf is the host of a run's pipeline.
func hostOf(cfg harness.Config) judge.Host {
	if w, ok := cfg.World.(sim.World); ok {
		h := w.Hosts()
		return judge.Host{Cores: h.Cores, Shared: h.Shared, Brokers: cfg.Scenario.Brokers()}
	}
	return judge.Host{Cores: process.Cores(), Shared: true}
}
