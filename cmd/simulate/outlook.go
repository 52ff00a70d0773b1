package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/internal/capacity"
	"sluice/internal/diff"
	"sluice/internal/harness"
	"sluice/internal/options"
	"sluice/internal/pipeline"
	"sluice/internal/statusline"
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
)

// outlookFlags say what may fail, and what memory and time there is then.
type outlookFlags struct {
	Outage         *time.Duration `help:"How long Redis is stopped in the trial of the recommended count, beside one in which all workers are killed; 0s: no trials (default: 2s, where the world can do that)." placeholder:"DURATION"`
	Map            bool           `help:"Also try several loads and outages, and draw where it no longer recovers: minutes more."`
	RedisMemory    bytesFlag      `help:"Memory limit of each node of Redis, such as 4GiB (default: that of the server, in --world real)." placeholder:"SIZE"`
	Retention      time.Duration  `help:"How long the input topic keeps messages, such as 3h." placeholder:"DURATION"`
	RetentionBytes bytesFlag      `help:"How many bytes the input topic keeps of each partition." placeholder:"SIZE"`
	Prices         string         `help:"File of what an hour of each part costs; see docs/capacity.md." placeholder:"FILE" type:"path"`
	Price          []string       `help:"A price, instead of the file's: --price process=0.05. May be repeated." placeholder:"PART=AMOUNT" sep:"none"`
	Against        string         `help:"Show the report beside that in another directory." placeholder:"DIR" type:"path"`
	Topic          string         `help:"Read retention from this topic, on the Kafka of --world real." placeholder:"NAME"`

	prices *capacity.Prices
	other  *capacity.Report
	of     diff.Set // what was measured for the other report
}

// outage is how long Redis is stopped; 0 for no trials.
func (f *outlookFlags) outage() time.Duration {
	const usual = 2 * time.Second
	if f.Outage == nil {
		return usual
	}
	return *f.Outage
}

// given are the flags that say something of the recommended count.
func (f *outlookFlags) given() (names []string) {
	for _, flag := range []struct {
		name  string
		given bool
	}{
		{"--outage", f.Outage != nil && *f.Outage != 0}, {"--map", f.Map}, {"--redis-memory", f.RedisMemory != 0},
		{"--retention", f.Retention != 0}, {"--retention-bytes", f.RetentionBytes != 0}, {"--topic", f.Topic != ""},
		{"--prices", f.Prices != ""}, {"--price", len(f.Price) > 0},
	} {
		if flag.given {
			names = append(names, flag.name)
		}
	}
	return names
}

// trials are those that the recommended count goes through, in the order of the report; none if none are
// asked for.
func (f *outlookFlags) trials(s scenarios.Scenario, processes int, target, sustained float64) []capacity.TrialPlan {
	if f.outage() <= 0 {
		return nil
	}
	return []capacity.TrialPlan{capacity.Storm(s, processes, target, sustained),
		capacity.Outage(s, processes, target, sustained, f.outage())}
}

// checkTrials refuses what was asked for by a flag and cannot be done, before anything is measured. What is
// tried without being asked for is left out, and the report says so.
func (f *outlookFlags) checkTrials(cfg harness.Config, target float64) error {
	if target == 0 {
		return nil // a trial that was asked for without a target has been refused
	}
	const one = 1
	if f.Outage != nil && *f.Outage > 0 {
		if why := cannotTry(cfg, capacity.Outage(cfg.Scenario, one, target, target, *f.Outage)); why != "" {
			return usageError{fmt.Errorf("--outage %v: %s", *f.Outage, why)}
		}
	}
	if f.Map {
		if why := cannotTry(cfg, capacity.Outage(cfg.Scenario, one, target, target, time.Second)); why != "" {
			return usageError{fmt.Errorf("--map: %s", why)}
		}
	}
	return nil
}

// cannotTry is why a trial cannot be made, in words; "" if it can.
func cannotTry(cfg harness.Config, p capacity.TrialPlan) string {
	s, err := p.Scenario(cfg.Scenario)
	if err == nil {
		cfg.Scenario = s
		err = cfg.Validate()
	}
	if problems := (yamlfile.Problems)(nil); errors.As(err, &problems) {
		var list []string
		for _, problem := range problems {
			list = append(list, problem.Message)
		}
		return strings.Join(list, "; ")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// bytesFlag is a size on the command line; 0 if it is not given.
type bytesFlag buffer.Bytes

// UnmarshalText reads the text form.
func (b *bytesFlag) UnmarshalText(text []byte) error {
	size, err := options.ParseSize(string(text))
	if err == nil && size <= 0 {
		err = fmt.Errorf("%s is not above 0", text)
	}
	*b = bytesFlag(size)
	return err
}

// readPrices reads the file and the flags; nil if there are none.
func (f *outlookFlags) readPrices() (*capacity.Prices, error) {
	if f.Prices == "" && len(f.Price) == 0 {
		return nil, nil
	}
	var p capacity.Prices
	places := yamlfile.Places{}
	if f.Prices != "" {
		text, err := os.ReadFile(f.Prices)
		if err != nil {
			return nil, usageError{fmt.Errorf("--prices: %w", err)}
		}
		if places, err = yamlfile.Read(f.Prices, text, &p); err != nil {
			return nil, err
		}
	}
	given := map[string]string{}
	for _, price := range f.Price {
		given["--set "+price] = "--price " + price
		if err := places.Set(&p, price); err != nil {
			return nil, usageError{asGiven(err, given)}
		}
	}
	if err := p.Validate(); err != nil {
		return nil, asGiven(places.Of(err), given)
	}
	return &p, nil
}

// complete checks the flags, and asks Kafka for what it is to be asked for.
func (f *outlookFlags) complete(ctx context.Context, in worldFlags) (err error) {
	if f.prices, err = f.readPrices(); err != nil {
		return err
	}
	if err = f.readAgainst(); err != nil {
		return err
	}
	switch {
	case f.Topic == "":
		return nil
	case len(in.Kafka) == 0 || in.Servers != "":
		return usageError{fmt.Errorf("--topic %s is read from a running Kafka: give --world real --kafka HOST:PORT",
			f.Topic)}
	}
	kafka := pipeline.DefaultKafka()
	if err := in.KafkaLogin.Apply(&kafka, in.Kafka); err != nil {
		return err
	}
	connection, err := kafka.Connection(nil)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(connection.Dialing()...)
	if err != nil {
		return err
	}
	defer client.Close()
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, f.Topic)
	if err == nil {
		_, err = configs.On(f.Topic, func(c *kadm.ResourceConfig) error { return c.Err })
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return usageError{fmt.Errorf("kafka has no topic %q: --topic is the one whose messages are read", f.Topic)}
	}
	if err != nil {
		return fmt.Errorf("read the retention of topic %s: %w", f.Topic, err)
	}
	for _, c := range configs[0].Configs {
		v, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
		switch {
		case err != nil || v <= 0: // -1 is no limit
		case c.Key == "retention.ms" && f.Retention == 0:
			f.Retention = time.Duration(v) * time.Millisecond
		case c.Key == "retention.bytes" && f.RetentionBytes == 0:
			f.RetentionBytes = bytesFlag(v)
		}
	}
	return nil
}

// command is the flags as text, as they were completed.
func (f *outlookFlags) command() string {
	text := ""
	if f.Outage != nil {
		text += " --outage " + f.Outage.String()
	}
	if f.Map {
		text += " --map"
	}
	if f.Prices != "" {
		text += " --prices " + quote(f.Prices)
	}
	for _, price := range f.Price {
		text += " --price " + quote(price)
	}
	if f.Against != "" {
		text += " --against " + quote(f.Against)
	}
	for _, flag := range []struct {
		name string
		size bytesFlag
	}{{"--redis-memory", f.RedisMemory}, {"--retention-bytes", f.RetentionBytes}} {
		if flag.size > 0 {
			text += " " + flag.name + " " + options.FormatSize(buffer.Bytes(flag.size))
		}
	}
	if f.Retention > 0 {
		text += " --retention " + f.Retention.String()
	}
	return text
}

// look makes the trials of the recommended count, and adds the outlook to the report.
func (c *capacityCommand) look(
	ctx context.Context, errs io.Writer, cfg harness.Config, report *capacity.Report,
) error {
	rec := report.Recommended
	if rec == nil {
		return nil
	}
	bounds := capacity.BoundsOf(cfg.Scenario, report.Points, rec.Processes, report.Target)
	if c.RedisMemory > 0 {
		bounds.RedisMemory = buffer.Bytes(c.RedisMemory)
	}
	bounds.RetentionSeconds, bounds.RetentionBytes = c.Retention.Seconds(), buffer.Bytes(c.RetentionBytes)
	var plans []capacity.TrialPlan
	var untried []capacity.Untried
	for _, p := range c.trials(cfg.Scenario, rec.Processes, report.Target, report.Count(rec.Processes).Median) {
		if why := cannotTry(cfg, p); why != "" {
			untried = append(untried, capacity.Untried{What: p.What, Why: why})
		} else {
			plans = append(plans, p)
		}
	}
	trials, err := runTrials(ctx, errs, cfg, plans)
	report.Look(bounds, slices.DeleteFunc(trials, isNot), untried...)
	if c.prices != nil {
		report.Price(*c.prices)
	}
	if err != nil || !c.Map || report.Recommended == nil { // Look may take the recommendation back
		return err
	}
	count := report.Count(rec.Processes)
	plans = capacity.MapPlans(cfg.Scenario, count)
	if trials, err = runTrials(ctx, errs, cfg, plans); err == nil {
		at, longer := capacity.Doubtful(plans, trials)
		var again []capacity.Trial
		again, err = runTrials(ctx, errs, cfg, longer)
		for i, t := range again {
			if isNot(t) {
				continue
			}
			if before := trials[at[i]].Unsafe; t.Unsafe == "" && before != "" {
				t.Unsafe, t.Why = before, before
			}
			trials[at[i]] = t
		}
	}
	report.Map(count, slices.DeleteFunc(trials, isNot), len(plans))
	return err
}

// runTrials makes trials, side by side in the virtual world, and returns them in the order of their plans.
// What was tried before an error comes with it; among them, a trial that was not made is the zero value.
func runTrials(
	ctx context.Context, errs io.Writer, cfg harness.Config, plans []capacity.TrialPlan,
) ([]capacity.Trial, error) {
	line := statusline.New(errs)
	defer line.Clear()
	var trials []capacity.Trial
	for len(plans) > 0 {
		some := plans[:min(side(cfg.World), len(plans))]
		plans = plans[len(some):]
		for _, p := range some {
			line.Show(fmt.Sprintf("%s, %s, %s spans/s", p.What, options.FormatCount(p.Processes, "process"), grouped(p.Rate)))
		}
		made, err := sideBySide(some, func(p capacity.TrialPlan) (capacity.Trial, error) {
			return runTrial(ctx, cfg, p)
		})
		trials = append(trials, made...)
		if err != nil {
			return trials, err
		}
	}
	return trials, nil
}

// isNot tells whether a trial was not made.
func isNot(t capacity.Trial) bool { return t.What == "" }

// runTrial makes a trial, which ends when the system has recovered.
func runTrial(ctx context.Context, cfg harness.Config, p capacity.TrialPlan) (capacity.Trial, error) {
	var err error
	fail := func(err error) (capacity.Trial, error) {
		return capacity.Trial{}, fmt.Errorf("trial, %s: %w", p.What, err)
	}
	if cfg.Scenario, err = p.Scenario(cfg.Scenario); err != nil {
		return fail(err)
	}
	watch := p.Watch(cfg.Scenario)
	outcome, err := runUntil(ctx, cfg, func(phase string, s reports.Sample) bool {
		return phase == reports.PhaseLoad && watch.Over(s)
	})
	if err == nil {
		return p.Trial(outcome), nil
	}
	none, err := fail(err)
	if violatesSafety(outcome) {
		return p.Trial(outcome), err
	}
	return none, err
}
