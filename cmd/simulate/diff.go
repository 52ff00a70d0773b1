package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"sluice/internal/diff"
	"sluice/reports"
)

// diffCommand is "simulate diff".
type diffCommand struct {
	A           string   `arg:"" help:"Directory of results: of a run, a sweep, a capacity report, or of several runs."`
	B           string   `arg:"" help:"Directory of what is to be compared with it."`
	LeastEffect share    `help:"The least change of a figure that matters, as a share of A's median." default:"5%"`
	Alpha       share    `help:"Probability of a false alarm, over all figures together." default:"1%"`
	Rule        []string `help:"What a figure may do, instead of the least effect: --rule 'freshness_p99 <= +10%'. May be repeated." placeholder:"RULE" sep:"none"`
	Rules       string   `help:"File of rules, one a line." placeholder:"FILE"`
	Figures     bool     `help:"Compare only the figures, also of two virtual runs that should be the same event by event."`
	Across      bool     `help:"Compare although other things were run: another scenario, another world."`
	JSON        bool     `name:"json" help:"Print the comparison as JSON."`
	Markdown    string   `help:"Write it as Markdown, too, for a pull request." placeholder:"FILE"`
	Force       bool     `help:"Replace files of --markdown and --junit that are none of an earlier diff."`
	JUnit       string   `name:"junit" help:"Write it as JUnit XML, too." placeholder:"FILE"`
}

// Run compares.
func (c *diffCommand) Run(to *streams) error {
	o := diff.Options{Alpha: float64(c.Alpha), LeastEffect: float64(c.LeastEffect), FiguresOnly: c.Figures}
	if err := o.Validate(); err != nil {
		return usageError{err}
	}
	var err error
	if o.Rules, err = c.rules(); err != nil {
		return usageError{err}
	}
	for flag, file := range map[string][2]string{
		"--markdown": {c.Markdown, "### simulate diff: "}, "--junit": {c.JUnit, `<testsuite name="simulate diff `},
	} {
		if err := checkReplaced(flag, file[0], file[1], c.Force); err != nil {
			return err
		}
	}
	a, err := readSet(c.A)
	if err != nil {
		return err
	}
	b, err := readSet(c.B)
	if err != nil {
		return err
	}
	if different := diff.Differences(a, b); len(different) > 0 {
		text := "not the same was run: " + differencesText(different)
		if !c.Across {
			return usageError{fmt.Errorf("%s; --across compares all the same", text)}
		}
		a.Notes = append(a.Notes, text)
	}
	o.Steady = steadyOf(a, b)
	comparison, err := diff.Compare(a, b, o)
	if errors.Is(err, diff.ErrNothingInCommon) {
		err = usageError{err}
	}
	if err != nil {
		return err
	}
	saved := errors.Join(save("--markdown", c.Markdown, comparison.WriteMarkdown),
		save("--junit", c.JUnit, comparison.WriteJUnit))
	if c.JSON {
		err = reports.WriteJSON(to.out, comparison)
	} else {
		err = comparison.WriteText(to.out)
	}
	return to.ended(verdictOf(comparison.Code), saved, err)
}

// rules returns those of the command line, and of the file.
func (c *diffCommand) rules() ([]diff.Rule, error) {
	var rules []diff.Rule
	var errs []error
	for _, text := range c.Rule {
		r, err := diff.ParseRule(text)
		rules, errs = append(rules, r), append(errs, err)
	}
	if c.Rules != "" {
		text, err := os.ReadFile(c.Rules)
		if err != nil {
			return nil, err
		}
		more, err := diff.ParseRules(c.Rules, string(text))
		rules, errs = append(rules, more...), append(errs, err)
	}
	return rules, errors.Join(errs...)
}

// checkReplaced returns an error if the file of a flag is there and does not have a mark of what the same
// command wrote before; without a mark, if it is there.
func checkReplaced(flag, path, mark string, force bool) error {
	text, err := os.ReadFile(path)
	if err != nil || force || mark != "" && strings.Contains(string(text), mark) {
		return nil // whatever else hinders writing says so
	}
	return usageError{fmt.Errorf("%s %s is there, and this would replace it: name another file, or --force it",
		flag, path)}
}

// save writes the file of a flag, if one is named.
func save(flag, path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	var text strings.Builder
	err := write(&text)
	if err == nil {
		err = writeWhole(path, text.String())
	}
	if err != nil {
		return fmt.Errorf("%s %s cannot be written: %w", flag, path, err)
	}
	return nil
}
