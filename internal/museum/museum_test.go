package museum

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/shrink"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim"
	"sluice/sim/kernel"
)

var update = flag.Bool("update", false,
	"write docs/museum.md, and shrink those of the museum's scenarios that are not there")

const (
	// seedsMax is with how many seeds each defect is tried.
	seedsMax = 5
	// runsMax bounds the search for the least scenario.
	runsMax = 600

	scenarioDir = "../../scenarios/museum"
	docs        = "../../docs/museum.md"
	ways        = "../../sim/explore/testdata"
)

// run runs a case in virtual time.
func run(
	ctx context.Context, c shrink.Case, defect string,
) (outcome *judge.Outcome, err error) {
	defer kernel.Catch(&err)
	return harness.Run(ctx, harness.Config{Scenario: c.Scenario, World: sim.World{}, Defect: defect})
}

// TestMuseum finds each defect, and shows it with the scenario that is kept of it.
func TestMuseum(t *testing.T) {
	museum := defects.Museum()
	sections := make([]string, len(museum))
	t.Run("defects", func(t *testing.T) {
		for i, d := range museum {
			t.Run(d.Name, func(t *testing.T) {
				t.Parallel()
				seeds := find(t, d)
				least := show(t, d)
				sections[i] = section(d, seeds, least) + "\n" + explored(t, d)
			})
		}
	})
	if !t.Failed() && !slices.Contains(sections, "") { // else not all were run
		document(t, sections)
	}
}

// find returns the seeds with which the defect is caught in the scenario that is named for it, where with the
// first of them the run passes without it.
func find(t *testing.T, d defects.Defect) (seeds []uint64) {
	s, _, err := scenarios.LoadWith(d.Shown, nil, d.Changes...)
	if err != nil {
		t.Fatal(err)
	}
	for s.Seed = 1; s.Seed <= seedsMax; s.Seed++ {
		with, err := run(t.Context(), shrink.Case{Scenario: s}, d.Name)
		if err != nil {
			t.Fatal(err)
		}
		if shrink.Violates(with, d.Caught) {
			seeds = append(seeds, s.Seed)
		}
	}
	if len(seeds) == 0 {
		t.Fatalf("%s is not violated with any of %d seeds", d.Caught, seedsMax)
	}
	s.Seed = seeds[0]
	mustPass(t, d, s)
	if _, err := os.Stat(fileOf(d)); *update && errors.Is(err, fs.ErrNotExist) {
		keep(t, d, s)
	}
	return seeds
}

func mustPass(t *testing.T, d defects.Defect, s scenarios.Scenario) {
	t.Helper()
	without, err := run(t.Context(), shrink.Case{Scenario: s}, "")
	if err != nil {
		t.Fatal(err)
	}
	if without.Code != judge.ExitPassed {
		why, _ := without.Decisive()
		t.Errorf("without the defect the run is %s, too: %s: %s", without.Result.Verdict, why.Name,
			why.Detail)
	}
}

// keep shrinks a scenario and writes what is left.
func keep(t *testing.T, d defects.Defect, s scenarios.Scenario) {
	s.Name, s.Description = d.Name, "With the defect "+d.Name+": "+d.Wrong+"."
	small, _ := shrink.Shrink(t.Context(), shrink.Case{Scenario: s}, shrink.Config{
		Violated: d.Caught, Defect: true, Restarts: true, RunsMax: runsMax,
		Run: func(ctx context.Context, c shrink.Case, defect bool) (*judge.Outcome, error) {
			if !defect {
				return run(ctx, c, "")
			}
			return run(ctx, c, d.Name)
		},
	})
	t.Logf("%d runs, done %v, %d variants fail", small.Runs, small.Done, small.Variants)
	if err := os.WriteFile(fileOf(d), []byte(small.Scenario.Brief()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func fileOf(d defects.Defect) string { return filepath.Join(scenarioDir, d.Name+".yaml") }

// show runs the scenario that is kept: caught with the defect, and passed without it.
func show(t *testing.T, d defects.Defect) *judge.Outcome {
	s, err := scenarios.Load(fileOf(d), os.ReadFile)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != d.Name {
		t.Errorf("%s holds scenario %q", fileOf(d), s.Name)
	}
	with, err := run(t.Context(), shrink.Case{Scenario: s}, d.Name)
	if err != nil {
		t.Fatal(err)
	}
	if !shrink.Violates(with, d.Caught) {
		t.Errorf("%s: with the defect %s is not violated: %s", fileOf(d), d.Caught, with.Verdict())
	}
	mustPass(t, d, s)
	return with
}

// TestVerdictsAreWhole: what went wrong is told to its last word, in lines that fit.
func TestVerdictsAreWhole(t *testing.T) {
	why := strings.Repeat("a word ", 30) + "the end"
	text := section(defects.Defect{Name: "x", Caught: "conservation", Wrong: "it is wrong"}, []uint64{1},
		&judge.Outcome{Result: reports.Result{Invariants: []reports.Judgement{
			{Name: "conservation", Verdict: reports.Violated, Detail: why}}}})
	if got := strings.Join(strings.Fields(text), " "); !strings.Contains(got, "is violated: "+why+" "+fence) {
		t.Errorf("the verdict is not told as it is:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if len(line) > 100+len("\n") {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

// section is what docs/museum.md says of a defect.
func section(d defects.Defect, seeds []uint64, least *judge.Outcome) string {
	var text strings.Builder
	fmt.Fprintf(&text, "## %s\n\n%s\n\n", d.Name, wrapped(upper(d.Wrong)+"."))
	fmt.Fprintf(&text, "%s\n\n", wrapped(fmt.Sprintf("Violated: **%s**. Found with %s of `%s`%s. "+
		"Kept: [%s.yaml](../scenarios/museum/%s.yaml). Replayed on real servers: %s.", d.Caught, counted(seeds),
		d.Shown, map[bool]string{true: ", changed"}[len(d.Changes) > 0], d.Name, d.Name,
		map[bool]string{true: "yes", false: "no"}[d.OnServers])))
	fmt.Fprintln(&text, "```")
	const linesMax, widthMax = 16, 98
	steps := reports.Steps(least.Events, least.Result, d.Caught)
	if cut := len(steps) - linesMax; cut > 0 {
		steps = slices.Replace(steps, linesMax-1, len(steps)-1, fmt.Sprintf("         (%d more)", cut))
	}
	last := len(steps) - 1 // what went wrong, of which no word may be missing
	for _, line := range steps[:last] {
		if len(line) > widthMax {
			line = line[:widthMax-3] + "..."
		}
		fmt.Fprintln(&text, line)
	}
	fmt.Fprintln(&text, wrapped(steps[last]))
	fmt.Fprintln(&text, "```")
	return text.String()
}

// counted says with which seeds a defect was found.
func counted(seeds []uint64) string {
	if len(seeds) == seedsMax {
		return fmt.Sprintf("all of %d seeds", seedsMax)
	}
	return fmt.Sprintf("%d of %d seeds (%s)", len(seeds), seedsMax,
		strings.ReplaceAll(strings.Trim(fmt.Sprint(seeds), "[]"), " ", ", "))
}

// explored is what docs/museum.md says of a search for the defect: the shortest way to it, which a test of
// sim/explore keeps in a file, or why there is none.
func explored(t *testing.T, d defects.Defect) string {
	if d.Explored == "" {
		return wrapped("`simulate explore` does not find it: "+d.Unexplored+".") + "\n"
	}
	text, err := os.ReadFile(filepath.Join(ways, d.Name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	wrong, steps, _ := strings.Cut(strings.TrimSuffix(string(text), "\n"), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n", wrapped(fmt.Sprintf("`simulate explore %s --defect %s` finds it, at the least %d "+
		"steps away:", d.Explored, d.Name, strings.Count(steps, "\n")+1)), fence)
	for i, step := range strings.Split(steps, "\n") {
		fmt.Fprintf(&b, "%4d  %s\n", i+1, step)
	}
	fmt.Fprintf(&b, "violated: %s\n%s\n", wrong, fence)
	return b.String()
}

const fence = "```"

func upper(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// wrapped breaks a paragraph into lines of at most 100 columns.
func wrapped(text string) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > 100 {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n")
}

const preface = `# The museum

Failures that systems of this kind really had, each put back as a defect: a wrapper around a port,
or a variant of a setting. Each is caught by the invariant, or the expectation, that stands with it,
in virtual time and with the least scenario that shows it; the same scenario passes without it.

` + "```" + `
go run ./cmd/simulate list defects
go run ./cmd/simulate run queue-gap --defect queue-gap       # the scenario of that name, which is kept
go test ./internal/museum                                    # all of them
rm scenarios/museum/queue-gap.yaml                           # and then, to shrink it anew, ...
go test ./internal/museum -update                            # ... which also writes this page
` + "```" + `

Each defect is tried with the first five seeds of its scenario, and what is said is with which of
them it was found. Replayed on real servers means: with a load that is 4 s longer than the kept
scenario's, since a process takes longer to start there than the least scenario lasts, one of three
runs violates the same invariant; and without the defect the same scenario violates none.

The steps are those of the kept scenario's run, with their times since the begin of the load.
Numbered steps are those of [simulate explore](simulation.md#every-interleaving-of-a-small-system),
which tries everything in a small system: no way to the violation has fewer in the smallest system
that shows it. There is no time in such a system, and there is little of everything, so it does not
show all. This page is written by the last command.

Two failures that such systems had are not here, since no wrapper of a port brings them back; and
some are caught by another invariant than one would expect ([decisions](decisions.md#the-harness)).

`

// document compares docs/museum.md with what it should say, or writes it. Steps of runs are left out of the
// comparison: their times are the model's, which may change. Those of searches have none.
func document(t *testing.T, sections []string) {
	want := preface + strings.Join(sections, "\n")
	if *update {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	if withoutTimes(string(got)) != withoutTimes(want) {
		t.Errorf("%s is not what the museum shows: write it with -update", docs)
	}
}

func withoutTimes(text string) (rest string) {
	for i, part := range strings.Split(text, fence) {
		if i%2 == 0 || strings.Contains(part, "\n   1  ") {
			rest += part
		}
	}
	return rest
}
