package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/rundir"
	"sluice/internal/yamlfile"
	"sluice/reports"
	"sluice/scenarios"
)

// asUsage is an error as a mistake on the command line, which names what is to be read; nil for none.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

func readJSON(dir, name string, v any) error { return asUsage(rundir.ReadJSON(dir, name, v)) }

func readResult(dir string) (reports.Result, error) {
	r, err := rundir.ReadResult(dir)
	return r, asUsage(err)
}

func readEvents(dir string) ([]reports.Event, error) {
	events, err := rundir.ReadEvents(dir)
	return events, asUsage(err)
}

func readSamples(dir string) ([]reports.Sample, error) {
	samples, err := rundir.ReadSamples(dir)
	return samples, asUsage(err)
}

func readScenario(dir string) (scenarios.Scenario, yamlfile.Places, error) {
	s, places, err := rundir.ReadScenario(dir)
	return s, places, asUsage(err)
}

// costsOf returns the file of the costs that the run of a directory was made with, which the command
// replay made; empty if they are the built-in ones. Before the costs were kept there, the command had
// their file, and nothing else did.
func costsOf(dir, replay string) (string, error) {
	path := filepath.Join(dir, rundir.FileCosts)
	switch _, err := os.Stat(path); {
	case err == nil:
		return path, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", usageError{err}
	case strings.Contains(replay, flagCosts), strings.Contains(replay, flagCost):
		return "", usageError{fmt.Errorf("the run in %s was made with --costs or --cost, and there is no %s: copy the "+
			"file there that it had, if it is still as it was; %s", dir, path, replay)}
	}
	return "", nil
}

// conditionCosts begins the names of what steps take.
const conditionCosts = "costs "

// differencesText lists what differs; of the costs, of which another calibration has others all over, the
// first few.
func differencesText(list []scenarios.Difference) string {
	const shown = 6
	var parts []string
	costs := 0
	for _, d := range list {
		if strings.HasPrefix(d.Key, conditionCosts) {
			if costs++; costs > shown {
				continue
			}
		}
		parts = append(parts, fmt.Sprintf("%s (%s, and then %s)", d.Key, orNone(d.A), orNone(d.B)))
	}
	if more := costs - shown; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more of the costs (%s)", more, rundir.FileCosts))
	}
	return strings.Join(parts, ", ")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// sameFile tells whether two paths lead to one file or directory, which is there.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// outDir is where results go: the directory that was asked for, or one in runs by their name. It must be one
// that they may take the place of: new, or with earlier ones, known by the mark.
func outDir(out, name, mark string) (string, error) {
	dir := cmp.Or(out, filepath.Join("runs", name))
	if err := rundir.Check(dir, mark); err != nil {
		return "", usageError{err}
	}
	return dir, nil
}
