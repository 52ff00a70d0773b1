package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"sluice/internal/capacity"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/internal/statusline"
	"sluice/internal/usl"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

// capacityCommand is "simulate capacity".
type capacityCommand struct {
	scenarioFlags
	worldFlags
	Target    scenarios.PerSecond `help:"The rate that is to be carried, such as 60000/s; without, nothing is recommended." placeholder:"RATE"`
	Headroom  share               `help:"How much more than the target is to be carried." default:"30%"`
	Processes []int               `help:"Process counts to measure (default: 1, 2, 4, 8 and so on, up to the partitions)." placeholder:"N,N"`
	Repeat    int                 `help:"How many times to measure each count, with other seeds." default:"1"`
	Most      scenarios.PerSecond `help:"The highest rate to try." default:"400000/s"`
	Precision share               `help:"How near the highest sustained rate is to be found." default:"10%"`
	Out       string              `help:"Directory of the results." placeholder:"runs/NAME-capacity"`
	JSON      bool                `name:"json" help:"Print the report as JSON."`
}

// share is a number from 0 on, or a percentage.
type share float64

// UnmarshalText reads the text form.
func (s *share) UnmarshalText(text []byte) error {
	v, err := options.ParseNumber(string(text))
	if err == nil && v < 0 {
		err = fmt.Errorf("%s is below 0", text)
	}
	*s = share(v)
	return err
}

// Files of a capacity report.
const (
	fileCapacity       = "capacity.json"
	fileCapacityPoints = "points.csv"
)

// Run measures, and writes the report.
func (c *capacityCommand) Run(ctx context.Context, to *streams) (err error) {
	defer kernel.Catch(&err)
	c.NoFaults = true
	c.Set = append(c.Set, "expectations.throughput_min=0/s") // the search goes below any
	s, err := c.load(c.worldFlags)
	if err != nil {
		return err
	}
	if c.Duration == nil {
		const steady = 6 * time.Second
		s.Scenario.Duration = time.Duration(capacity.Warmup(s.Scenario)*float64(time.Second)) + steady
	}
	if err := c.check(s.Scenario); err != nil {
		return usageError{err}
	}
	cfg, err := c.config(s, to.err)
	if err != nil {
		return err
	}
	dir := c.Out
	if dir == "" {
		dir = filepath.Join("runs", s.Name+"-capacity")
	}
	if err := harness.CheckDirectory(dir, fileCapacity); err != nil {
		return usageError{err}
	}
	points, unfinished := c.measure(ctx, to.err, cfg)
	if len(points) == 0 {
		return unfinished
	}
	report := capacity.NewReport(s.Name, cfg.World.Name(), float64(c.Target), float64(c.Headroom), points)
	if unfinished != nil {
		report.Unfinished = unfinished.Error()
	}
	if err := writeCapacity(dir, report); err != nil {
		return err
	}
	if c.JSON {
		err = reports.WriteJSON(to.out, report)
	} else if err = report.WriteText(to.out); err == nil {
		_, err = fmt.Fprintf(to.out, "\nResults  %s\n", dir)
	}
	switch {
	case err != nil:
		return err
	case unfinished != nil:
		return unfinished
	case report.Refused != "":
		return exitError(judge.ExitExpectation)
	}
	return nil
}

func (c *capacityCommand) check(s scenarios.Scenario) error {
	if len(c.Processes) == 0 {
		for n := 1; n <= s.Topology.Partitions; n *= 2 {
			c.Processes = append(c.Processes, n)
		}
	}
	var errs []error
	for _, n := range c.Processes {
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
	if c.Most < 1 {
		errs = append(errs, fmt.Errorf("--most %v must be at least 1/s", c.Most))
	}
	return errors.Join(errs...)
}

// measure searches the highest sustained rate of each count. A search begins where that of the count
// before it ended. What was found before an error comes with it.
func (c *capacityCommand) measure(
	ctx context.Context, errs io.Writer, cfg harness.Config,
) ([]capacity.Point, error) {
	line := statusline.New(errs)
	defer line.Clear()
	host := capacity.Host{Cores: runtime.NumCPU(), Shared: true}
	if w, ok := cfg.World.(sim.World); ok {
		host = capacity.Host{Cores: w.Hosts().Cores, Shared: w.Hosts().Shared}
	}
	const least = 10
	var points []capacity.Point
	start := max(least, float64(cfg.Scenario.Workload.Rate.Peak()), float64(c.Target))
	for _, processes := range c.Processes {
		count := options.FormatCount(processes, "process")
		for repeat := range c.Repeat {
			one := cfg
			one.Scenario.Topology.FlusherProcesses = scenarios.Processes(processes)
			one.Scenario.Seed += uint64(repeat)
			probe := func(ctx context.Context, rate float64) (capacity.Probe, error) {
				line.Show(fmt.Sprintf("%s, repeat %d of %d: %.0f spans/s", count, repeat+1, c.Repeat, rate))
				one.Scenario.Workload.Rate = scenarios.Constant(rate)
				watch := capacity.Watch{Rate: rate, Warmup: capacity.Warmup(one.Scenario)}
				running, end := context.WithCancel(ctx)
				defer end()
				one.Progress = func(p harness.Progress) {
					if p.Phase == reports.PhaseLoad && watch.Hopeless(p.Sample) {
						end()
					}
				}
				outcome, err := harness.Run(running, one)
				if ctx.Err() != nil {
					err = errors.New("interrupted")
				}
				if err != nil {
					return capacity.Probe{}, fmt.Errorf("%s at %.0f spans/s: %w", count, rate, err)
				}
				return capacity.ProbeOf(outcome, rate, host), nil
			}
			p, err := capacity.Search{Start: start, Least: least, Most: float64(c.Most),
				Precision: float64(c.Precision), Probe: probe}.Run(ctx)
			if err != nil {
				return points, err
			}
			p.Processes, p.Repeat = processes, repeat+1
			points = append(points, p)
			fmt.Fprintf(line, "%s, repeat %d of %d: %.0f spans/s are sustained\n", count, repeat+1, c.Repeat,
				p.Throughput)
			start = max(least, p.Throughput)
		}
	}
	return points, nil
}

func writeCapacity(dir string, report *capacity.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(dir, fileCapacity))
	if err != nil {
		return err
	}
	if err := errors.Join(reports.WriteJSON(file, report), file.Close()); err != nil {
		return err
	}
	if file, err = os.Create(filepath.Join(dir, fileCapacityPoints)); err != nil {
		return err
	}
	rows := csv.NewWriter(file)
	_ = rows.Write([]string{columnProcesses, columnThroughput}) // the error is kept until Flush
	for _, p := range report.Points {
		_ = rows.Write([]string{strconv.Itoa(p.Processes), strconv.FormatFloat(p.Throughput, 'f', 1, 64)})
	}
	rows.Flush()
	return errors.Join(rows.Error(), file.Close())
}

// fitCommand is "simulate fit".
type fitCommand struct {
	File string `arg:"" help:"CSV file with the columns processes and throughput, and perhaps weight; - for standard input."`
	JSON bool   `name:"json" help:"Print the fit as JSON."`
}

// The columns of a file of points.
const (
	columnProcesses  = "processes"
	columnThroughput = "throughput"
	columnWeight     = "weight"
)

// Run fits the law to a file's points.
func (c *fitCommand) Run(to *streams) error {
	file := os.Stdin
	if c.File != "-" {
		opened, err := os.Open(c.File)
		if err != nil {
			return usageError{err}
		}
		defer opened.Close()
		file = opened
	}
	points, err := readPoints(file)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", c.File, err)}
	}
	fit, err := usl.Of(points)
	if err != nil {
		return usageError{fmt.Errorf("%s: %w", c.File, err)}
	}
	if c.JSON {
		return reports.WriteJSON(to.out, fit)
	}
	_, err = io.WriteString(to.out, capacity.FitText(fit, "per second"))
	return err
}

// readPoints reads the points of a CSV file, whose first line names the columns in any order.
func readPoints(r io.Reader) ([]usl.Point, error) {
	rows := csv.NewReader(r)
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: write processes,throughput: %w", err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[name] = i
	}
	for _, name := range []string{columnProcesses, columnThroughput} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("1: no column %s in %v: the first line is processes,throughput", name, header)
		}
	}
	var points []usl.Point
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if err != nil {
			return nil, err
		}
		var p usl.Point
		for name, v := range map[string]*float64{columnProcesses: &p.Processes,
			columnThroughput: &p.Throughput, columnWeight: &p.Weight} {
			i, ok := at[name]
			if !ok {
				continue
			}
			if *v, err = strconv.ParseFloat(row[i], 64); err != nil {
				line, column := rows.FieldPos(i)
				return nil, fmt.Errorf("%d:%d: %s %q is not a number", line, column, name, row[i])
			}
		}
		points = append(points, p)
	}
}
