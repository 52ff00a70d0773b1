package capacity

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/judge"
	"sluice/internal/options"
	"sluice/reports"
)

// Names of the charts' files, without their ends.
const (
	chartScaling  = "capacity"
	chartMap      = "recovery"
	chartPortrait = "portrait"
)

// Columns of a file of points.
const (
	ColumnProcesses  = "processes"
	ColumnThroughput = "throughput"
	ColumnError      = "error"
)

// pointRow is a row of points.csv.
type pointRow struct {
	Processes  int            `json:"processes"`
	Repeat     int            `json:"repeat"`
	Throughput float64        `json:"throughput"`
	Failed     float64        `json:"failed"`
	Error      float64        `json:"error"`
	Limit      judge.Resource `json:"limit"`
	Share      string         `json:"utilisation"` // empty if the limit is no resource
}

// WritePoints writes what was measured as CSV, with the standard error of each point, 0 if it is not
// known: what "simulate fit" reads.
func (r *Report) WritePoints(w io.Writer) error {
	bounded := !slices.ContainsFunc(r.Points, func(p Point) bool { return p.Failed == 0 || p.Throughput == 0 })
	weighed := r.weighed()
	rows := make([]pointRow, len(r.Points))
	for i, p := range r.Points {
		rows[i] = pointRow{Processes: p.Processes, Repeat: p.Repeat, Throughput: p.Throughput,
			Failed: p.Failed, Limit: p.Limit}
		if isResource(p.Limit) {
			rows[i].Share = strconv.FormatFloat(p.Share, 'f', -1, 64)
		}
		if bounded {
			rows[i].Error = weighed[i].Error
		}
	}
	return reports.WriteCSV(w, rows)
}

// Document is the report for a reader: words first. Replay is the command that makes it again.
func (r *Report) Document(replay string) reports.Document {
	d := reports.Document{Title: "How many processes: " + r.Scenario, Class: string(reports.Passed),
		Lead: r.Headline, Next: r.Next, About: r.about()}
	switch {
	case r.Refused != "" || len(r.Unsafe) > 0:
		d.Class = string(reports.Violated)
	case r.Unfinished != "" || r.Recommended == nil || r.Recommended.Beyond || r.memoryUnknown():
		d.Class = string(reports.Unknown)
	}
	d.Sections = append(d.Sections, r.scalingSection())
	if r.other != nil {
		d.Sections = append(d.Sections, r.besideSection())
	}
	if r.Outlook != nil {
		d.Sections = append(d.Sections, r.Outlook.section())
	}
	if r.Cost != nil {
		d.Sections = append(d.Sections, r.Cost.section())
	}
	if r.Stability != nil && len(r.Stability.Cells) > 0 {
		bytes := 1.0
		if r.Outlook != nil {
			bytes = r.Outlook.Bounds.RedisPerSpan
		}
		d.Sections = append(d.Sections, r.Stability.section(bytes))
	}
	d.Sections = append(d.Sections, r.lawSection())
	if r.Costs != nil {
		d.Sections = append(d.Sections, r.trustSection())
	}
	d.Sections = append(d.Sections, r.runsSection(), reports.Section{Heading: "Make it again", Code: replay})
	return d
}

// runsSection is each run that a search made, and why it was judged so.
func (r *Report) runsSection() reports.Section {
	table := &reports.Table{Columns: append(reports.Numbers("processes", "repeat", "offered/s", "came out/s",
		"freshness p99"), reports.Words("sustained")...)}
	for _, p := range slices.Concat(r.Points, r.Begun) {
		for i := range p.Probes {
			row := []string{fmt.Sprint(p.Processes), fmt.Sprint(p.Repeat), grouped(p.Probes[i].Rate), "-", "-",
				p.Probes[i].verdict()}
			if out := p.Probes[i].Throughput; out > 0 { // it came to a steady part
				row[3], row[4] = grouped(out), fmt.Sprintf("%.3g s", p.Probes[i].FreshnessP99)
			}
			table.Rows = append(table.Rows, row)
		}
	}
	return reports.Section{Heading: "Every run of the search", Table: table, Notes: []string{
		"Came out is of the steady part, freshness of the whole run, or of what there was of it."}}
}

func (r *Report) about() string {
	runs, repeats := 0, 0
	for _, p := range slices.Concat(r.Points, r.Begun) {
		runs, repeats = runs+len(p.Probes), max(repeats, p.Repeat)
	}
	world := r.World + " world"
	if r.Costs != nil {
		world += ", with " + r.Costs.name()
	}
	text := fmt.Sprintf("Scenario %s in the %s: %s, %s of %s.", r.Scenario,
		world, options.FormatCount(runs, "run"), options.FormatCount(repeats, "repeat"),
		options.FormatCount(len(r.Counts), "process count"))
	if planted := r.planted(); planted != "" {
		text += " " + planted
	}
	if r.Target > 0 {
		text += fmt.Sprintf(" Target %s spans/s, with headroom %s.", grouped(r.Target), grouped(r.need()))
	}
	return text
}

func (r *Report) scalingSection() reports.Section {
	s := reports.Scaling{Target: r.Target}
	if r.Target > 0 && r.Headroom > 0 {
		s.Need = r.need()
	}
	for _, p := range r.Points {
		s.Points = append(s.Points, reports.ScalingPoint{Processes: p.Processes, Sustained: p.Throughput,
			Failed: p.Failed})
	}
	if r.USL != nil {
		for _, p := range r.USL.Curve {
			s.Curve = append(s.Curve, reports.CurvePoint{Processes: p.Processes, Value: float64(p.Value),
				Low: float64(p.Low), High: float64(p.High)})
		}
	}
	if r.other != nil {
		for _, c := range r.other.Counts {
			s.Other = append(s.Other, reports.ScalingPoint{Processes: c.Processes, Sustained: c.Median})
		}
		s.OtherName = r.Against.Dir
	}
	if rec := r.Recommended; rec != nil {
		s.Recommended, s.Low, s.High = rec.Processes, rec.Low, rec.High
	}
	for _, resource := range []judge.Resource{RedisThread, WorkerCPU, Cores, Kafka, Network} {
		b := reports.Busyness{Name: string(resource), ByCount: map[int]float64{}}
		for _, c := range r.Counts {
			for _, use := range c.Busy {
				if use.Resource == resource {
					b.ByCount[c.Processes] = use.Share
				}
			}
		}
		if len(b.ByCount) > 0 {
			s.Busy = append(s.Busy, b)
		}
	}
	table := &reports.Table{Columns: append(reports.Numbers("processes", "least/s", "median/s", "greatest/s",
		"not sustained/s", "law/s"), append(reports.Words("limit"), reports.Numbers("busy")...)...)}
	for _, c := range r.Counts {
		row := r.row(c)
		table.Rows = append(table.Rows, []string{fmt.Sprint(c.Processes), grouped(c.Least), grouped(c.Median),
			grouped(c.Greatest), row.failed, row.fit, row.limit, row.share})
	}
	const heading = "Throughput by flusher processes"
	return reports.Section{Heading: heading, Figures: []reports.Figure{s.Figure(chartScaling, heading)},
		Table: table, Notes: []string{"A rate is sustained if the run passes and the spans that wait do not " +
			"grow by more than 2 % of it. The truth lies between the rate that was sustained and the one that " +
			"was not. The limit is what was busiest then, if over 85 %; else what is named, which is no resource and has " +
			"no share that is busy."}}
}

func (r *Report) lawSection() reports.Section {
	s := reports.Section{Heading: "The law behind it"}
	if r.USL == nil {
		s.Text = []string{"No law fitted: " + r.NoFit + "."}
		return s
	}
	s.Text = []string{"Universal Scalability Law, X(N) = lambda N / (1 + sigma (N-1) + kappa N (N-1)). The " +
		"recommendation does not rest on it, but on what was measured."}
	s.Code = strings.TrimSuffix(r.USL.Text("spans/s"), "\n")
	if len(r.USL.HeldOut) == 0 {
		return s
	}
	s.Table = &reports.Table{Columns: reports.Numbers("processes", "measured/s", "predicted without it/s",
		"error")}
	for _, h := range r.USL.HeldOut {
		s.Table.Rows = append(s.Table.Rows, []string{fmt.Sprint(h.Processes), grouped(h.Measured),
			grouped(h.Predicted), fmt.Sprintf("%+.1f %%", 100*h.Error)})
	}
	return s
}
