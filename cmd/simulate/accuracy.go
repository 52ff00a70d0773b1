package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"sluice/internal/compare"
	"sluice/internal/judge"
	"sluice/reports"
)

// accuracyCommand is "simulate accuracy".
type accuracyCommand struct {
	Dirs      []string `arg:"" name:"dir" help:"Directories of comparisons, as simulate compare writes them."`
	Median    share    `help:"The greatest median error of the throughputs that the system limits, over all comparisons." default:"10%"`
	Worst     share    `help:"The greatest error of one of them." default:"20%"`
	Freshness float64  `name:"freshness-factor" help:"The greatest factor by which a freshness p99 may be too high or too low." default:"1.5"`
	Recovery  share    `name:"recovery-tolerance" help:"The greatest error of a time to recover from the faults; a second is always allowed." default:"25%"`
	Markdown  string   `help:"Write it as Markdown, too." placeholder:"FILE"`
	Force     bool     `help:"Replace a file of --markdown that is none of an earlier summary."`
	JSON      bool     `name:"json" help:"Print the summary as JSON."`
}

// Run sums up comparisons.
func (c *accuracyCommand) Run(to *streams) error {
	if !(c.Freshness >= 1) || math.IsInf(c.Freshness, 1) {
		return usageError{fmt.Errorf("--freshness-factor %v must be at least 1, and a number", c.Freshness)}
	}
	if err := checkReplaced("--markdown", c.Markdown, compare.SummaryMark, c.Force); err != nil {
		return err
	}
	var sources []compare.Source
	for i, dir := range c.Dirs {
		for _, earlier := range c.Dirs[:i] {
			if sameFile(dir, earlier) {
				return usageError{fmt.Errorf("%s is given twice: it would count twice", dir)}
			}
		}
		source, err := readComparison(dir)
		if err != nil {
			return err
		}
		if first := append(sources, source)[0].Report; first.Predicting != source.Report.Predicting ||
			first.Measuring != source.Report.Measuring {
			return usageError{fmt.Errorf("%s predicts %s by %s, and %s %s by %s: sum up those of the same worlds", c.Dirs[0],
				first.Measuring, first.Predicting, dir, source.Report.Measuring, source.Report.Predicting)}
		}
		sources = append(sources, source)
	}
	s := compare.Summarize(sources, compare.Limits{Median: float64(c.Median), Worst: float64(c.Worst),
		Freshness: c.Freshness, Recovery: float64(c.Recovery)})
	saved := save("--markdown", c.Markdown, s.WriteMarkdown)
	var err error
	if c.JSON {
		err = reports.WriteJSON(to.out, s)
	} else if err = s.WriteText(to.out); err == nil {
		_, err = fmt.Fprintln(to.out, accuracyVerdict(s))
	}
	return to.ended(verdictOf(accuracyCode(s)), saved, err)
}

// accuracyVerdict is the last line of the text. There is nothing to run again: only files were read.
func accuracyVerdict(s *compare.Summary) string {
	code := accuracyCode(s)
	why := shortly(s.Beyond)
	switch code {
	case judge.ExitSafety:
		why = shortly(s.Unsafe)
	case judge.ExitUnknown:
		why = "no throughput says anything of the predictions"
	}
	return verdictLine(code, why, "")
}

// accuracyCode is the exit code: as of compare.
func accuracyCode(s *compare.Summary) int {
	switch {
	case len(s.Unsafe) > 0:
		return judge.ExitSafety
	case len(s.Beyond) > 0:
		return judge.ExitExpectation
	case !s.Judged():
		return judge.ExitUnknown
	}
	return judge.ExitPassed
}

// readComparison reads the directory of a comparison, which must be finished.
func readComparison(dir string) (compare.Source, error) {
	report := &compare.Report{}
	if _, err := os.Stat(filepath.Join(dir, fileCompare)); err != nil {
		return compare.Source{}, usageError{fmt.Errorf("%s is no directory of a comparison: simulate compare writes a %s there: %w",
			dir, fileCompare, errors.Unwrap(err))}
	}
	if err := readJSON(dir, fileCompare, report); err != nil {
		return compare.Source{}, err
	}
	switch {
	case report.Unfinished != "":
		return compare.Source{}, unfinished(dir, report.Unfinished)
	case report.Predicting == "" || report.Measuring == "" || len(report.Rows) == 0:
		return compare.Source{}, usageError{fmt.Errorf("%s in %s names no worlds, or has no process count: it is no comparison",
			fileCompare, dir)}
	}
	return compare.Source{Dir: dir, Scenario: report.Scenario, Points: len(report.Rows), Report: report}, nil
}
