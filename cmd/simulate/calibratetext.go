package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"sluice/internal/judge"
	"sluice/sim"
)

// writeCalibration writes what was measured for a reader.
func writeCalibration(w io.Writer, c sim.Costs, file string, took time.Duration) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "cost\tmedian\tleast\tgreatest\tn\tbuilt-in\t")
	built := sim.DefaultCosts()
	for _, m := range c.Calibration.Measured {
		fmt.Fprintf(t, "%s\t%v\t%v\t%v\t%d\t%v\t\n", m.Cost, m.Median, m.Least, m.Greatest, m.N,
			*built.Cost(m.Cost))
	}
	fmt.Fprintln(t, "\ntogether\tfactor\tleast\tgreatest\tn\t")
	for _, f := range c.Calibration.Factors {
		fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t%d\t\n", f.Of, f.Value, f.Least, f.Greatest, f.N)
	}
	fmt.Fprintln(t, "\nall at once\tspans/s\tworkers\tmeasured\tby the costs\toff\t")
	for _, e := range c.Calibration.Explained {
		fmt.Fprintf(t, "%s\t%.0f\t%d\t%v\t%v\t%+.0f %%\t\n", e.Of, e.Rate, e.Workers, e.Measured,
			e.Predicted, 100*(e.Predicted.Seconds()/e.Measured.Seconds()-1))
	}
	fmt.Fprintln(t, "\nof each span\tclient\t\tredis\t\tkafka\t\tn\t")
	for _, s := range c.Calibration.Steps {
		fmt.Fprintf(t, "%s\t%v\t%v..%v\t%v\t%v..%v\t%v\t%v..%v\t%d\t\n", s.Step, s.Client, s.Least.Client,
			s.Greatest.Client, s.Redis, s.Least.Redis, s.Greatest.Redis, s.Kafka, s.Least.Kafka, s.Greatest.Kafka, s.N)
	}
	fmt.Fprintln(t, "\none producer\tper second\tleast\tgreatest\tn\t")
	for _, p := range c.Calibration.Throughput {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%d\t\n", p.Unit, p.Median, p.Least, p.Greatest, p.N)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, m := range c.Calibration.NotMeasured {
		fmt.Fprintf(w, "%s is not measured and keeps its built-in value: %s\n", m.Cost, m.Why)
	}
	y := c.Calibration.Yardstick
	fmt.Fprintf(w, "yardstick %v [%v..%v]; Redis %s, Kafka %s\n", y.Median, y.Least, y.Greatest,
		c.Calibration.Redis, c.Calibration.Kafka)
	_, err := fmt.Fprintf(w, "Costs    %s, measured in %v: use them by --costs %s\n%s\n", file,
		took.Round(time.Second), quote(file), verdictLine(judge.ExitPassed, "", ""))
	return err
}
