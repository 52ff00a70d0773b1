package bench

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	besideLoad   = flag.String("load", "w1x5", "what TestBeside runs: a name of loads")
	besideRounds = flag.Int("rounds", 3, "how often TestBeside runs each of -programs")
)

// build is a cmd/run that was built before.
type build struct{ name, path string }

// builds are those of -programs.
func builds() (list []build) {
	for _, one := range strings.FieldsFunc(*programs, func(r rune) bool { return r == ',' }) {
		name, path, ok := strings.Cut(one, "=")
		if !ok {
			name, path = one, one
		}
		list = append(list, build{name, path})
	}
	return list
}

// TestBeside runs several builds of the program in turn, on the same servers, and logs for each the median
// of what it took, with the least and the greatest. What a change costs or saves is seen there: two
// benchmarks, one after the other, differ by more. Without -programs it runs this tree's for a moment,
// beside itself, since only people ask what a change costs.
func TestBeside(t *testing.T) {
	scenario, rounds, all := workload(t, "short", w1, 5000), 1, builds()
	if len(all) == 0 {
		path, err := binary()
		if err != nil {
			t.Fatal(err)
		}
		all = []build{{"one", path}, {"other", path}}
	} else {
		at := slices.IndexFunc(loads, func(w stream) bool { return w.name == *besideLoad })
		if at < 0 {
			t.Fatalf("there is no load %q", *besideLoad)
		}
		scenario, rounds = workload(t, loads[at].name, loads[at].load, loads[at].spans), *besideRounds
	}
	r := open(t)
	in := r.fill(t, scenario)
	r.runBuild(t, in, all[0].path) // for the broker to warm up
	took := make([][]figures, len(all))
	var reference []figures
	for round := range rounds {
		f := r.passThrough(t, in)
		reference = append(reference, f)
		t.Logf("%-12s %v", "pass-through", f.line(len(in.sent)))
		for n := range all {
			n = (n + round) % len(all) // who is first has the broker of another
			f := r.runBuild(t, in, all[n].path)
			took[n] = append(took[n], f)
			t.Logf("%-12s %v", all[n].name, f.line(len(in.sent)))
		}
	}
	for n, b := range all {
		for _, f := range took[n] {
			if f.elapsed <= 0 || f.all() <= 0 || f.rss <= 0 {
				t.Errorf("%s took nothing of something: %+v", b.name, f)
			}
		}
		t.Logf("%-12s %s", b.name, medians(took[n], reference, len(in.sent)))
	}
}

// line is what a run took, per span.
func (f figures) line(spans int) string {
	return fmt.Sprintf("%7.0f spans/s, us per span: all %5.2f program %5.2f workers %5.2f redis %5.2f "+
		"kafka %5.2f, %4.0f MB", float64(spans)/f.elapsed.Seconds(), perSpan(f.all(), spans),
		perSpan(f.program, spans), perSpan(f.workers, spans), perSpan(f.redis, spans),
		perSpan(f.kafka, spans), float64(f.rss)/1e6)
}

// medians says of each figure the median, the least and the greatest of several runs, beside the
// pass-through that ran before each.
func medians(runs, reference []figures, spans int) string {
	var words []string
	for _, one := range []struct {
		name string
		of   func(f, reference figures) float64
	}{
		{"spans/s", func(f, _ figures) float64 { return float64(spans) / f.elapsed.Seconds() }},
		{"us-ratio", func(f, reference figures) float64 { return f.all().Seconds() / reference.all().Seconds() }},
		{"all us", func(f, _ figures) float64 { return perSpan(f.all(), spans) }},
		{"client us", func(f, _ figures) float64 { return perSpan(f.program+f.workers, spans) }},
		{"program us", func(f, _ figures) float64 { return perSpan(f.program, spans) }},
		{"workers us", func(f, _ figures) float64 { return perSpan(f.workers, spans) }},
		{"redis us", func(f, _ figures) float64 { return perSpan(f.redis, spans) }},
		{"kafka us", func(f, _ figures) float64 { return perSpan(f.kafka, spans) }},
		{"MB", func(f, _ figures) float64 { return float64(f.rss) / 1e6 }},
	} {
		values := make([]float64, len(runs))
		for i, f := range runs {
			values[i] = one.of(f, reference[i])
		}
		slices.SortFunc(values, cmp.Compare[float64])
		words = append(words, fmt.Sprintf("%s %.4g [%.4g..%.4g]", one.name, values[len(values)/2], values[0],
			values[len(values)-1]))
	}
	return strings.Join(words, ", ")
}

// perSpan is a time in microseconds.
func perSpan(d time.Duration, spans int) float64 { return d.Seconds() * 1e6 / float64(spans) }
