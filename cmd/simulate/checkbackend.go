package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice/internal/backend"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/pipeline"
	"sluice/internal/statusline"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/real"
	"sluice/reports"
	"sluice/scenarios"
)

// checkBackendCommand is "simulate check-backend".
type checkBackendCommand struct {
	Redis []string `help:"Address of the Redis, host:port; several mean a cluster." env:"SLUICE_REDIS" required:""`
	Kafka []string `help:"Address of the Kafka, host:port." env:"SLUICE_KAFKA" required:""`
	loginFlags
	JSON bool `name:"json" help:"Print the results as JSON."`
}

// checkScenario is run on both servers at the end, with changes that make it a short load that
// servers far away can carry, too.
const checkScenario = "steady"

var checkChanges = []string{
	"name=check-backend", "duration=5s", "workload.rate=constant 500/s",
	"expectations.throughput_min=0/s", "expectations.freshness_p99_max=off",
}

// backendReport is the result as JSON.
type backendReport struct {
	Redis   []string        `json:"redis"`
	Kafka   []string        `json:"kafka"`
	Verdict string          `json:"verdict"`
	Checks  []backend.Check `json:"checks"`
}

// Run makes all checks, under names of their own, and removes what they made.
func (c *checkBackendCommand) Run(ctx context.Context, to *streams) error {
	redis, kafka, err := c.servers(c.Redis, c.Kafka)
	if err != nil {
		return err
	}
	access := accessOf(redis, kafka)
	scenario, _, err := scenarios.LoadWith(checkScenario, nil, checkChanges...)
	if err != nil {
		return err
	}
	line := statusline.New(to.err)
	r := backendReport{Redis: c.Redis, Kafka: c.Kafka}
	say := func(check backend.Check) {
		r.Checks = append(r.Checks, check)
		line.Show(fmt.Sprintf("check-backend: %s, %s: %s", check.On, check.Name, check.Verdict))
	}
	line.Show("check-backend: redis")
	place := wall.Name("check", c.Redis, c.Kafka, access)
	redis.Namespace = place.Namespace
	passed := backend.Redis(ctx, redis, place.Live, say)
	passed = backend.Kafka(ctx, kafka, backend.Topics{
		Input: place.Input, Output: place.Output, Letters: place.Letters, Group: place.Group,
		Create: func(ctx context.Context) error { return place.CreateTopics(ctx, 1) },
	}, say) && passed
	code, litter := judge.ExitPassed, error(nil)
	load := backend.Check{On: "both", Name: "a pipeline under load", Verdict: backend.NotTried}
	if passed {
		load, code, litter = runBoth(ctx, load, backends{redis, kafka}, harness.Config{
			Scenario: scenario, World: real.World{Redis: c.Redis, Kafka: c.Kafka, Access: access},
		})
	}
	say(load)
	left := backend.Check{On: "both", Name: "remove what was made", Verdict: backend.Passed}
	if err := errors.Join(litter, place.Close()); err != nil {
		left.Verdict, left.Detail = backend.Failed, err.Error()
	}
	say(left)
	line.Clear()
	r.Verdict, code = judgeBackend(r.Checks, code)
	if c.JSON {
		err = reports.WriteJSON(to.out, r)
	} else {
		err = r.writeText(to.out)
	}
	return to.ended(verdictOf(code), nil, err)
}

// backends are the servers that are checked.
type backends struct {
	redis pipeline.Redis
	kafka pipeline.Kafka
}

// runBoth runs a pipeline on both servers, unless one of them goes away, and completes the check. The
// code is that of the run; litter is what of it could not be removed.
func runBoth(
	ctx context.Context, check backend.Check, on backends, run harness.Config,
) (_ backend.Check, code int, litter error) {
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	gone := make(chan error, 1)
	go func() {
		err := backend.Watch(running, on.redis, on.kafka)
		if err != nil {
			end(fmt.Errorf("%w: %w", harness.ErrServersGone, err))
		}
		gone <- err
	}()
	o, err := harness.Run(running, run)
	end(nil)
	if o != nil {
		litter = o.Litter
	}
	went := <-gone
	if went == nil && (err != nil || o.Code != judge.ExitPassed) { // the run may have met it first
		went = backend.Reach(ctx, on.redis, on.kafka)
	}
	switch {
	case ctx.Err() != nil:
		check.Detail = "interrupted"
	case went != nil && (o == nil || o.Code != judge.ExitPassed):
		check.Verdict = backend.Failed
		check.Detail = "a server stopped answering meanwhile: " + went.Error()
		return check, judge.ExitEnvironment, litter
	case err != nil:
		check.Verdict, check.Detail = backend.Failed, err.Error()
		return check, judge.ExitEnvironment, nil
	case o.Code == judge.ExitPassed:
		check.Verdict = backend.Passed
		check.Detail = fmt.Sprintf("%s spans in and out, none lost; freshness p99 %.2f s",
			options.FormatGrouped(o.Result.Ledger.Flushed, ","), o.Result.Freshness.P99)
	default:
		check.Verdict = backend.Failed
		why, _ := o.Decisive()
		check.Detail = judge.Verdicts[o.Code] + ": " + why.String()
		code = o.Code
	}
	return check, code, litter
}

// judgeBackend returns the verdict in words and as an exit code: what would lose spans comes first,
// then the first that failed. The code given is that of the run.
func judgeBackend(checks []backend.Check, ofRun int) (verdict string, code int) {
	code = ofRun
	var failed []string
	for _, c := range checks {
		switch {
		case c.Wrong:
			code = judge.ExitSafety
		case c.Verdict == backend.Failed && code == judge.ExitPassed:
			code = judge.ExitEnvironment
		}
		if c.Verdict == backend.Failed {
			failed = append(failed, c.On+": "+c.Name)
		}
	}
	switch {
	case len(failed) > 0:
		return "failed (" + strings.Join(failed, "; ") + ")", code
	case slices.ContainsFunc(checks, func(c backend.Check) bool { return c.Verdict == backend.NotTried }):
		return "unknown (interrupted)", judge.ExitUnknown
	}
	return "passed", judge.ExitPassed
}

func (r *backendReport) writeText(to io.Writer) error {
	fmt.Fprintf(to, "redis %s, kafka %s\n\n", strings.Join(r.Redis, ","), strings.Join(r.Kafka, ","))
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "on\tcheck\tverdict\t")
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.On, c.Name, c.Verdict, strings.ReplaceAll(c.Detail, "\n", "; "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(to, "\nverdict: %s\n", r.Verdict)
	return err
}
