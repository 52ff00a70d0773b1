package reports

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTables writes the sweep for a reader: spans per second; cores used, and processor time per span,
// where they are known; and what the figures do not tell apart. What was planted in the runs comes first.
func (s Sweep) WriteTables(w io.Writer) error {
	if planted := Planted(s.Defect, s.PortFaults, s.Costs); planted != "" {
		fmt.Fprintf(w, "In every run: %s.\n\n", planted)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	name := s.heading()
	fmt.Fprintf(t, "%s\toffered/s\tleast/s\tmedian/s\tgreatest/s\tspeedup\tp99 fresh s\tpassed\t"+
		"load was the limit\t\n", name)
	for _, r := range s.Rows {
		fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.3f\t%d of %d\t%d of %d\t\n", r.Value,
			r.Offered, r.Least, r.Median, r.Greatest, r.Speedup, r.FreshnessP99, r.Passed, r.Repeats,
			r.FlushersKeptUp, r.Repeats)
	}
	users, _ := coreUsersIn(s.cores())
	table := func(what string, users []coreUser, of func(SweepRow) Cores, also string,
		more func(SweepRow) string) {
		if len(users) == 0 {
			return
		}
		names := column(users, func(u coreUser) string { return u.name })
		fmt.Fprintf(t, "\n%s\t%s: %s\t%s\n", name, what, strings.Join(names, "\t"), also)
		for _, row := range s.Rows {
			fmt.Fprintf(t, "%s\t", row.Value)
			for _, user := range users {
				fmt.Fprintf(t, "%.2f\t", user.of(of(row)))
			}
			fmt.Fprintln(t, more(row))
		}
	}
	table("cores", users, func(r SweepRow) Cores { return r.Cores }, "",
		func(SweepRow) string { return "" })
	table("us per span", s.costUsers(), func(r SweepRow) Cores { return r.SpanCosts.cores() },
		"together\tof the first\t", func(r SweepRow) string {
			return fmt.Sprintf("%.2f\t%.2f\t", r.Sum(), r.Sum()/s.Rows[0].Sum())
		})
	if err := t.Flush(); err != nil {
		return err
	}
	for _, note := range s.Notes() {
		fmt.Fprintln(w, note)
	}
	if s.Unfinished != "" {
		_, err := fmt.Fprintln(w, "unfinished: "+s.Unfinished)
		return err
	}
	return nil
}
