package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"sluice/internal/diff"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/sim/explore"
)

// answer is how a command ends: the last line of its text, and its exit code. As JSON it is the beginning
// of what the command prints.
type answer struct {
	Verdict string `json:"verdict"`
	Code    int    `json:"exit_code"`
}

func (a answer) base() answer { return a }

// answered is what has an answer in it.
type answered interface{ base() answer }

// end prints what a command has found, as JSON or the last line of the text, and returns its exit code as
// an error if it is not 0.
func (to *streams) end(found answered, asJSON bool) error { return to.endWith(found, asJSON, nil) }

// endWith does as end, with what hindered the command's files from being written.
func (to *streams) endWith(found answered, asJSON bool, written error) error {
	var printed error
	if asJSON {
		printed = reports.WriteJSON(to.out, found)
	} else {
		_, printed = fmt.Fprintln(to.out, "verdict:", found.base().Verdict)
	}
	return to.ended(verdictOf(found.base().Code), written, printed)
}

// verdictOf is an exit code as an error, nil if it is that of what passed.
func verdictOf(code int) error {
	if code == judge.ExitPassed {
		return nil
	}
	return exitError(code)
}

// again adds to what is not passed the command that shows it again.
func (a answer) again(command string) answer {
	if a.Code != judge.ExitPassed {
		a.Verdict += replayText(command)
	}
	return a
}

// replayText ends a verdict with the command that shows it again, if there is one.
func replayText(command string) string {
	if command == "" {
		return ""
	}
	return "; replay: " + command
}

// verdictLine is the last line of a text, in the form that run has: the verdict of an exit code, and if that is
// not passed, in short what is to blame, and the command that shows it again, if there is one.
func verdictLine(code int, blame, again string) string {
	text := "verdict: " + cmp.Or(judge.Verdicts[code], judge.Verdicts[judge.ExitUnknown])
	if code == judge.ExitPassed {
		return text
	}
	if blame, _, _ = strings.Cut(blame, "\n"); blame != "" {
		text += " (" + blame + ")"
	}
	return text + replayText(again)
}

// shortly is the first of a list, and how many more there are.
func shortly(list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	return fmt.Sprintf("%s; and %d more", list[0], len(list)-1)
}

// blame is what a verdict that is an error is due to: runs that were not safe, what was missed, or what hindered
// the command.
func blame(verdict error, unsafe []string, missed string) string {
	switch codeOf(verdict) {
	case judge.ExitPassed:
		return ""
	case judge.ExitSafety:
		return shortly(unsafe)
	case judge.ExitExpectation:
		return missed
	}
	return verdict.Error()
}

// unsafe is how a command ends that has nothing to report but runs that were not safe, if there are any.
func (to *streams) unsafe(verdict error, unsafe []string, asJSON bool, again string) error {
	if len(unsafe) == 0 {
		return verdict
	}
	for _, what := range unsafe {
		fmt.Fprintln(to.err, "simulate: safety was violated", what)
	}
	_, printed := fmt.Fprintln(to.text(asJSON), verdictLine(codeOf(verdict), shortly(unsafe), again))
	return to.ended(verdict, nil, printed)
}

// codeOf is the exit code of a verdict that is an error, that of unknown if it has none: something else hindered
// the command from finding out.
func codeOf(verdict error) int {
	var exit exitError
	switch {
	case verdict == nil:
		return judge.ExitPassed
	case errors.As(verdict, &exit):
		return int(exit)
	}
	return judge.ExitUnknown
}

// ended is how a command ends that has found something: by its verdict, if that is not passed; else by what
// hindered its files from being written; and else by what hindered it from printing, such as a reader who
// has read enough.
func (to *streams) ended(verdict, written, printed error) error {
	if written != nil {
		fmt.Fprintln(to.err, "simulate:", written)
		written = exitError(judge.ExitEnvironment)
	}
	first := cmp.Or(verdict, written)
	if first != nil && printed != nil && !errors.Is(printed, syscall.EPIPE) {
		fmt.Fprintln(to.err, "simulate:", printed) // which nobody else tells
	}
	return cmp.Or(first, printed)
}

// text is where a command prints what its JSON has in other words.
func (to *streams) text(asJSON bool) io.Writer {
	if asJSON {
		return io.Discard
	}
	return to.out
}

// interrupted is the end of a command whose run was interrupted.
func interrupted() answer { return answer{"unknown; the run was interrupted", judge.ExitUnknown} }

// againAnswer is what came of a run that was made again.
type againAnswer struct {
	answer
	// Was and Is are the verdicts of the first run and of the second.
	Was string `json:"was"`
	Is  string `json:"is"`
	// Digest is that of the first run.
	Digest string `json:"digest"`
	// First is where the events of the two part; null if they do not, or are of the wall clock, on which
	// only the verdicts are compared.
	First *diff.FirstDifference `json:"first_difference"`
}

// shrunkAnswer is the least that fails as a run did.
type shrunkAnswer struct {
	answer
	// Violated is the invariant or expectation.
	Violated string `json:"violated"`
	// Scenario is the text of the file, File where it was written, PortFaults those
	// of its port_faults.
	Scenario   string   `json:"scenario"`
	PortFaults []string `json:"port_faults"`
	File       string   `json:"file"`
	// Steps are what happens in its run, up to the violation.
	Steps []string `json:"steps"`
	// Runs were made to find it; Done is false if more might go.
	Runs int  `json:"runs"`
	Done bool `json:"done"`
	// Replay is the command that runs it.
	Replay string `json:"replay"`
}

// certainAnswer is when a failure became certain.
type certainAnswer struct {
	answer
	reports.Certainty
	// Says is what the curve tells.
	Says string `json:"says"`
}

// exploredAnswer is what a search has found.
type exploredAnswer struct {
	answer
	Preset string       `json:"preset"`
	Defect string       `json:"defect"`
	Size   explore.Size `json:"size"`
	// Generated states, of which so many are Distinct; Depth is how many steps were taken at most, and
	// Executed how often the code itself ran.
	Generated int `json:"generated"`
	Distinct  int `json:"distinct"`
	Depth     int `json:"depth"`
	Executed  int `json:"executed"`
	// Exhausted is true if there are no other states.
	Exhausted bool `json:"exhausted"`
	// Seconds is how long the search took, without random runs and the search for a smaller system.
	Seconds float64 `json:"seconds"`
	// Seeds is how many random runs were asked for, Walked how many were made, and Reached how many states
	// they came to.
	Seeds   int `json:"against_seeds"`
	Walked  int `json:"random_runs"`
	Reached int `json:"reached_by_seeds"`
	// Missed is how many states they came to that an exhausted search should have: it is wrong then.
	Missed int `json:"missed_by_search"`
	// Covered is how often a fault hit a stage.
	Covered []explore.Coverage `json:"covered"`
	// Violated is what is wrong, or empty. Steps lead there in the system Smallest; Shortest is true if
	// none lead there in fewer.
	Violated string       `json:"violated"`
	Smallest explore.Size `json:"smallest"`
	Shortest bool         `json:"shortest"`
	// PassedOver is how many smaller systems were not searched to their end: they may show the same.
	PassedOver int      `json:"passed_over"`
	Steps      []string `json:"steps"`
}
