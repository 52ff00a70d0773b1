// Command mutants breaks the program on purpose, one small change at a time, and tells whether the
// tests that should notice do. The changes are data, in list.txt.
//
// The tree is not touched: each change is an overlay of the build, which shares the build's cache.
// It ends with code 1 if a change is not noticed or does not apply any more.
//
//	go run ./internal/mutants               all of them
//	go run ./internal/mutants -only worker  those whose name matches
package main

import (
	"context"
	_ "embed" // the list
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sluice/internal/judge"
)

//go:embed list.txt
var listText string

// testMax bounds one run of tests. What takes longer hangs, which is noticed.
const testMax = 2 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	only := flag.String("only", "", "a regular expression for the names of those to try")
	flag.Parse()
	ok, err := try(ctx, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

// try tries the mutants whose names match, and tells whether all is as it should be.
func try(ctx context.Context, only string) (bool, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	all, err := parse(listText)
	if err != nil {
		return false, fmt.Errorf("list.txt: %w", err)
	}
	var list []mutant
	for _, m := range all {
		if match.MatchString(m.name) {
			list = append(list, m)
		}
	}
	if err := unchanged(ctx, list); err != nil {
		return false, err
	}
	counts := make(map[verdict]int)
	for _, m := range list {
		began := time.Now()
		v, by := m.try(ctx)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		counts[v]++
		fmt.Printf("%-14s %5.1f s  %s\n", v, time.Since(began).Seconds(), m.name)
		if by != "" {
			fmt.Printf("%24s%s\n", "", by)
		}
	}
	fmt.Printf("\n%d changes: %d noticed, %d equivalent, %d not noticed, %d do not apply\n",
		len(list), counts[noticed], counts[equivalent], counts[unnoticed], counts[stale])
	return counts[unnoticed]+counts[stale] == 0, nil
}

// verdict is what became of a mutant.
type verdict string

const (
	noticed    verdict = "noticed"
	unnoticed  verdict = "NOT NOTICED"
	stale      verdict = "DOES NOT APPLY"
	equivalent verdict = "equivalent"
)

// unchanged runs every test, and every run in virtual time, as the program is: one that fails anyway
// notices nothing. go test keeps the results of what it ran before.
func unchanged(ctx context.Context, list []mutant) error {
	seen, ran := make(map[test]bool), make(map[string]bool)
	for _, m := range list {
		if m.virtual != "" && !ran[m.virtual] {
			ran[m.virtual] = true
			if code, out, err := simulate(ctx, m.virtual); err != nil {
				return fmt.Errorf("without any change, simulate %s: %w", m.virtual, err)
			} else if code != judge.ExitPassed {
				return fmt.Errorf("without any change, simulate %s ends with code %d: %s", m.virtual, code, out)
			}
		}
		for _, t := range m.tests {
			if seen[t] {
				continue
			}
			seen[t] = true
			out, failed := t.execute(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if failed || strings.Contains(out, "no tests to run") {
				return fmt.Errorf("without any change, go test %v: %s", t, out)
			}
		}
	}
	return nil
}

// try tells what becomes of the mutant, and by which test, or why.
func (m mutant) try(ctx context.Context) (verdict, string) {
	folder, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return stale, err.Error()
	}
	defer func() { _ = os.RemoveAll(folder) }()
	overlay, err := m.overlay(folder)
	if err != nil {
		return stale, err.Error()
	}
	if m.equivalent != "" {
		return equivalent, m.equivalent
	}
	for _, t := range m.tests {
		out, failed := t.execute(ctx, "-overlay", overlay, "-count=1")
		switch {
		case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
			return stale, "it does not compile: " + out
		case strings.Contains(out, "panic: test timed out"):
			return m.tryVirtual(ctx, t.pkg+" hangs", "-overlay", overlay)
		case failed:
			return m.tryVirtual(ctx, t.pkg+" "+firstFailure(out), "-overlay", overlay)
		}
	}
	return unnoticed, fmt.Sprintf("by %v", m.tests)
}

// tryVirtual tells what becomes of a mutant that a test has noticed.
func (m mutant) tryVirtual(ctx context.Context, by string, flags ...string) (verdict, string) {
	switch {
	case m.unseen != "":
		return noticed, by + "; not in virtual time: " + m.unseen
	case m.virtual == "":
		return noticed, by
	}
	code, out, err := simulate(ctx, m.virtual, flags...)
	switch {
	case err != nil:
		return stale, err.Error()
	case code == judge.ExitSafety, code == judge.ExitLiveness, code == judge.ExitExpectation:
		return noticed, by + "; simulate " + m.virtual
	default:
		return unnoticed, fmt.Sprintf("by simulate %s, which ends with code %d: %s", m.virtual, code, out)
	}
}

// splitWords splits arguments at spaces; those that have some are quoted.
func splitWords(arguments string) ([]string, error) {
	split := csv.NewReader(strings.NewReader(arguments))
	split.Comma = ' '
	return split.Read()
}

// hangs is the code of a run that does not end.
const hangs = judge.ExitLiveness

// simulate builds cmd/simulate, runs it, and returns its exit code and what it printed.
func simulate(ctx context.Context, arguments string, flags ...string) (code int, out string, err error) {
	folder, err := os.MkdirTemp("", "mutant-")
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	bin := filepath.Join(folder, "simulate")
	build := append([]string{"build", "-o", bin}, flags...)
	if text, err := exec.CommandContext(ctx, "go", append(build, "./cmd/simulate")...).CombinedOutput(); err != nil {
		return 0, "", fmt.Errorf("it does not compile: %s", text)
	}
	ctx, cancel := context.WithTimeout(ctx, testMax)
	defer cancel()
	words, err := splitWords(arguments)
	if err != nil {
		return 0, "", err
	}
	if words[0] == "run" {
		words = append(words, "--quiet", "--out", filepath.Join(folder, "run"))
	}
	text, err := exec.CommandContext(ctx, bin, words...).CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return exit.ExitCode(), string(text), nil
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return hangs, "it does not end", nil
	}
	return 0, string(text), err
}

// overlay writes the changed files and the list of them that go build reads.
func (m mutant) overlay(folder string) (string, error) {
	texts := make(map[string]string)
	for _, h := range m.hunks {
		if _, changed := texts[h.file]; !changed {
			text, err := os.ReadFile(h.file)
			if err != nil {
				return "", err
			}
			texts[h.file] = string(text)
		}
		changed, err := h.apply(texts[h.file])
		if err != nil {
			return "", err
		}
		texts[h.file] = changed
	}
	replace := make(map[string]string)
	for file, text := range texts {
		path, err := filepath.Abs(file)
		if err != nil {
			return "", err
		}
		replace[path] = filepath.Join(folder, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "overlay.json")
	return path, os.WriteFile(path, text, 0o600)
}

// execute runs the tests and returns what they print.
func (t test) execute(ctx context.Context, flags ...string) (out string, failed bool) {
	arguments := append([]string{"test", "-vet=off", "-failfast", "-timeout", testMax.String(),
		"-skip", "^TestProperty", "-run", t.run}, flags...)
	text, err := exec.CommandContext(ctx, "go", append(arguments, t.pkg)...).CombinedOutput()
	return string(text), err != nil
}

// firstFailure is the name of the first test that failed.
func firstFailure(out string) string {
	_, name, found := strings.Cut(out, "--- FAIL: ")
	if !found {
		return "fails"
	}
	name, _, _ = strings.Cut(name, " ")
	return name
}
