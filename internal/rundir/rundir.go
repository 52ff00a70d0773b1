// Package rundir keeps the results of runs and sweeps on disk: a directory of each, which is put
// into its place in one step; and reads them again.
package rundir

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// The files of a run's directory.
const (
	FileScenario = "scenario.yaml"
	FileResult   = "result.json"
	FileEvents   = "events.ndjson"
	FileSamples  = "samples.csv"
	FileReplay   = "replay.sh"
	FileReport   = reports.FilePage
	// FileCosts is there if the runs were made with other costs than the built-in ones.
	FileCosts = "costs.yaml"
	// FileCertainty is there once somebody has asked how certain the failure was.
	FileCertainty = "certainty.json"
	// ChartTimeline, and the charts of reports.Timeline.Charts, are written as PNG and SVG.
	ChartTimeline = reports.ChartTimeline
)

// ErrNotARun means that a directory holds something else than the results of a run.
var ErrNotARun = errors.New("not the directory of a run")

// ErrNoResults means that the results of a run could not be written.
var ErrNoResults = errors.New("there are no results")

// Check returns an error if results cannot be written to the directory, or not without
// destroying something else: it must not exist, be empty, or hold an earlier run, known by one of
// the files; and another directory must be able to take its place.
func Check(dir string, marks ...string) error {
	if err := onlyRuns(dir, marks); err != nil {
		return fmt.Errorf("%w; name another by --out", err)
	}
	place, err := placeOf(dir)
	if err == nil {
		err = tryBeside(place)
	}
	if err != nil {
		return fmt.Errorf("results cannot be written to %s: %w; name another directory by --out", dir, err)
	}
	return nil
}

func tryBeside(place string) error {
	fresh, err := freshDirectory(place)
	if err != nil {
		return err
	}
	return os.Remove(fresh)
}

// placeOf returns where a directory is, absolute and without links, and an error if no other can take its
// place there.
func placeOf(dir string) (string, error) {
	place, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if place, err = followed(place); err != nil {
		return "", err
	}
	current, err := os.Getwd()
	if err == nil {
		current, err = followed(current)
	}
	if err == nil && within(current, place) {
		return "", fmt.Errorf("they take the place of a whole directory, and this one is, or is above, the "+
			"current one: write %s, or a new name", filepath.Join(dir, "run"))
	}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return place, nil // whatever hinders a directory from being replaced says so, and it stays
	}
	for _, m := range mounts {
		if at := unescape.Replace(m.MountPoint); within(at, place) {
			return "", fmt.Errorf("they take the place of a whole directory, and %s is where something is "+
				"mounted: write %s, or a new name", at, filepath.Join(dir, "run"))
		}
	}
	return place, nil
}

// unescape reads what /proc/self/mountinfo writes otherwise.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// followed is where links lead; what is not there is as it is called.
func followed(path string) (string, error) {
	place, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return place, err
}

// within tells whether a path is that of a directory, or below it.
func within(path, dir string) bool {
	rest, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rest)
}

func onlyRuns(dir string, marks []string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at output directory: %w", err)
	}
	for _, mark := range marks {
		if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s is %w: it has files, but no %s", dir, ErrNotARun, marks[0])
}

// Write writes the directory of a run: the files are written beside it, and take the place of an
// earlier run in one step. The result comes first: on a disk that is full, the directory has what
// there was room for, each file whole, and the error names the others; ErrNoResults is that not even
// the result could be written, and the directory is as it was.
func Write(o *judge.Outcome, dir string) error {
	return Replace(dir, FileResult, func(dir string) error {
		timeline := reports.NewTimeline(o.Events, o.Samples)
		timeline.Title = o.Scenario.Name + ": " + o.Result.Verdict
		timeline.Subtitle = o.Summary()
		err := WriteFile(dir, FileResult, func(w io.Writer) error { return reports.WriteJSON(w, o.Result) })
		if err != nil {
			return err
		}
		return errors.Join(
			WriteFile(dir, FileScenario, func(w io.Writer) error {
				_, err := io.WriteString(w, o.Scenario.String())
				return err
			}),
			WriteCosts(dir, o.Costs),
			writeScript(dir, o.Script),
			WriteFile(dir, FileEvents, func(w io.Writer) error {
				return reports.WriteEvents(w, o.Events)
			}),
			WriteFile(dir, FileSamples, func(w io.Writer) error {
				return reports.WriteCSV(w, o.Samples)
			}),
			saveCharts(dir, timeline),
			WriteFile(dir, FileReport, pageOf(o, timeline).Write),
		)
	})
}

// WriteReport writes the page of a run again, and how certain its failure was, if that is known; the
// other files stay as they are. Each file is complete, or as it was. What is not known of certainty,
// but was written before, is in the page.
func WriteReport(o *judge.Outcome, dir string) error {
	var err error
	if o.Watched.Certainty != nil {
		err = replaceFile(dir, FileCertainty, func(w io.Writer) error {
			return reports.WriteJSON(w, o.Watched.Certainty)
		})
	} else if text, missing := os.ReadFile(filepath.Join(dir, FileCertainty)); missing == nil {
		o.Watched.Certainty = &reports.Certainty{}
		err = json.Unmarshal(text, o.Watched.Certainty)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", FileCertainty, err)
	}
	timeline := reports.NewTimeline(o.Events, o.Samples)
	return replaceFile(dir, FileReport, pageOf(o, timeline).Write)
}

func pageOf(o *judge.Outcome, timeline reports.Timeline) reports.Page {
	decisive, _ := o.Decisive()
	return reports.Page{
		Result: o.Result, Description: o.Scenario.Description, Planted: o.Planted(), Decisive: decisive,
		Timeline: timeline, Events: o.Events, Scenario: o.Scenario.String(),
		Story: reports.NewStory(timeline, o.Events, o.Watched, o.Result),
	}
}

// replaceFile writes a file beside an earlier one, whose place it takes when it is complete.
func replaceFile(dir, name string, write func(io.Writer) error) error {
	fresh := "." + name + ".new"
	if err := WriteFile(dir, fresh, write); err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, fresh), filepath.Join(dir, name))
}

// The files of a sweep's directory, beside the scenario.
const (
	FileSweep     = "sweep.json"
	FileSweepRows = "sweep.csv"
	FileSweepRuns = "runs.csv"
	// ChartSweep and ChartCost are written as PNG and SVG, the latter where costs are known.
	ChartSweep = "throughput"
	ChartCost  = "cost"
)

// WriteSweep writes a sweep's directory, as Write does that of a run.
// The costs are those of virtual runs, empty for the built-in ones.
func WriteSweep(s reports.Sweep, dir string, scenario scenarios.Scenario, costsText string) error {
	return Replace(dir, FileSweep, func(dir string) error {
		var costs error
		if chart, ok := s.CostChart(); ok {
			costs = chart.Save(dir, ChartCost)
		}
		return errors.Join(costs,
			WriteFile(dir, FileSweep, func(w io.Writer) error { return reports.WriteJSON(w, s) }),
			WriteFile(dir, FileScenario, func(w io.Writer) error {
				_, err := io.WriteString(w, scenario.String())
				return err
			}),
			WriteCosts(dir, costsText),
			WriteFile(dir, FileSweepRows, func(w io.Writer) error { return reports.WriteCSV(w, s.Rows) }),
			WriteFile(dir, FileSweepRuns, func(w io.Writer) error { return reports.WriteCSV(w, s.Runs) }),
			s.Chart().Save(dir, ChartSweep),
		)
	})
}

// saveCharts writes the run at a glance, and one chart for each thing to look at.
func saveCharts(dir string, timeline reports.Timeline) error {
	err := timeline.Chart().Save(dir, ChartTimeline)
	for _, chart := range timeline.Charts() {
		err = errors.Join(err, chart.Chart.Save(dir, chart.Name))
	}
	return err
}

// freshDirectory makes a directory beside a place, and what is above them.
func freshDirectory(place string) (string, error) {
	parent := filepath.Dir(place)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(parent, "."+filepath.Base(place)+"-*")
	if err != nil {
		return "", err
	}
	return fresh, os.Chmod(fresh, 0o755)
}

// Replace lets fill write into a new directory, which then takes the place of dir. If fill
// fails, it does so only if it has the file main, and so does what is there now unless it is empty: that is
// removed when the new one is in place, and not before.
func Replace(dir, main string, fill func(dir string) error) error {
	place, err := placeOf(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoResults, err)
	}
	fresh, err := freshDirectory(place)
	if err != nil {
		return errors.Join(fmt.Errorf("%w: make output directory: %w", ErrNoResults, err), os.RemoveAll(fresh))
	}
	filled := fill(fresh)
	if _, err := os.Stat(filepath.Join(fresh, main)); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrNoResults, cmp.Or(filled, err)), os.RemoveAll(fresh))
	}
	// What Check said may not be true any more: runs last for minutes, and others write there, too.
	err = onlyRuns(place, []string{main})
	if err == nil {
		err = Move(fresh, place)
	}
	if err != nil {
		return fmt.Errorf("the results are in %s, since they could not be put into place: %w", fresh,
			errors.Join(err, filled))
	}
	if filled != nil {
		return fmt.Errorf("not all results could be written: %w", filled)
	}
	return nil
}

// Move gives a directory another name, in place of what has that name. If it cannot, both are as they
// were.
func Move(from, to string) error {
	aside, err := os.MkdirTemp(filepath.Dir(to), "."+filepath.Base(to)+"-*")
	if err != nil {
		return err
	}
	earlier := filepath.Join(aside, "earlier")
	if err := os.Rename(to, earlier); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, os.Remove(aside))
	}
	if err := os.Rename(from, to); err != nil {
		if back := os.Rename(earlier, to); back != nil && !errors.Is(back, fs.ErrNotExist) {
			return fmt.Errorf("%w; what was there is in %s: %w", err, earlier, back)
		}
		return errors.Join(err, os.Remove(aside))
	}
	_ = os.RemoveAll(aside) // what cannot be removed does no harm there
	return nil
}

// WriteCosts writes the costs of virtual runs, none if they are the built-in ones: an empty text.
func WriteCosts(dir, text string) error {
	if text == "" {
		return nil
	}
	return WriteFile(dir, FileCosts, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func writeScript(dir, text string) error {
	err := WriteFile(dir, FileReplay, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return err
	}
	return os.Chmod(filepath.Join(dir, FileReplay), 0o755)
}

// WriteFile writes a file, whole or not at all.
func WriteFile(dir, name string, write func(io.Writer) error) error {
	path := filepath.Join(dir, name)
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), os.Remove(path))
	}
	return nil
}
