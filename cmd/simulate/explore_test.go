package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sluice/internal/judge"
	"sluice/sim/explore"
)

// TestExplore ends with the exit code of its verdict, and says how it got there.
func TestExplore(t *testing.T) {
	small := []string{"--workers", "1", "--traces", "1", "--spans", "1"}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{
			[]string{"protocol", "--faults", "1"}, judge.ExitPassed,
			[]string{"explore protocol: 1 worker, 1 trace, 1 span, at most 1 fault\n", "that is all of them", "worker: crash", "verdict: passed"},
		},
		{
			[]string{"protocol", "--faults", "1", "--defect", "ack-first"}, judge.ExitSafety,
			[]string{"with 1 worker, 1 trace, 1 span, 1 fault:\n", "  12  worker 0: kafka refuses a0/0 with a0", "verdict: violated; lost: a0"},
		},
		{
			[]string{"protocol", "--max-states", "20"}, judge.ExitUnknown,
			[]string{"verdict: unknown; the search ended after 20 states, before"},
		},
		{
			[]string{"commit", "--faults", "1", "--against-seeds", "20"}, judge.ExitPassed,
			[]string{"independence off", "seeds: 20 random runs reach"},
		},
		{[]string{"protocoll"}, judge.ExitUsage, []string{"did you mean protocol?"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			code, out, errs := call(append(append([]string{"explore"}, c.args...), small...)...)
			for _, want := range c.want {
				if code != c.code || !strings.Contains(out+errs, want) {
					t.Errorf("code %d, want %d and %q in\n%s%s", code, c.code, want, out, errs)
				}
			}
		})
	}
}

// TestExploreSeedsCutShort: random runs that were not made are unknown, and so is the answer.
func TestExploreSeedsCutShort(t *testing.T) {
	r := explore.Result{Config: explore.DefaultConfig("commit"), Exhausted: true, Walked: 15, Reached: 7}
	r.Config.Seeds = 40
	found := answerOf(r, time.Second)
	if found.Code != judge.ExitUnknown || found.Seeds != 40 || found.Walked != 15 || found.Reached != 7 ||
		!strings.Contains(found.Verdict, "only 15 of 40 random runs were made") {
		t.Errorf("%+v", found)
	}
	r.Walked = 40
	if found := answerOf(r, time.Second); found.Code != judge.ExitPassed {
		t.Errorf("%+v", found)
	}
	code, out, errs := call("explore", "commit", "--workers", "1", "--traces", "1", "--spans", "1", "--faults", "0",
		"--against-seeds", "1000000000", "--timeout", "2s")
	if code != judge.ExitUnknown || !strings.Contains(out, "of 1000000000 random runs reach") {
		t.Errorf("code %d\n%s%s", code, out, errs)
	}
}

// TestExplorePage writes the way to a violation as a page, nothing where there is none, and says
// before it searches that it could not be written.
func TestExplorePage(t *testing.T) {
	dir := t.TempDir()
	page := filepath.Join(dir, "way.html")
	args := []string{"explore", "protocol", "--workers", "1", "--traces", "1", "--spans", "1", "--faults", "1",
		"--html", page}
	if code, _, errs := call(args...); code != judge.ExitPassed || !strings.Contains(errs, "nothing is wrong") {
		t.Errorf("code %d, %s", code, errs)
	}
	if _, err := os.Stat(page); !os.IsNotExist(err) {
		t.Errorf("there is a page though nothing is wrong: %v", err)
	}
	if code, _, errs := call(append(args, "--defect", "ack-first")...); code != judge.ExitSafety {
		t.Errorf("code %d, %s", code, errs)
	}
	text, err := os.ReadFile(page)
	for _, want := range []string{"lost: a0 is committed", "worker 0: kafka refuses a0/0 with a0",
		"--defect ack-first", "No way to it is shorter in this system.", `"open":["reader 0: read a0"`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%v: the page lacks %q", err, want)
		}
	}
	all := []string{"--defect", "ack-first", "--no-symmetry", "--no-independence", "--max-states", "5000",
		"--timeout", "1m0s", "--against-seeds", "7"}
	call(append(args, all...)...)
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), strings.Join(all, " ")) {
		t.Errorf("%v: the page lacks %v", err, all)
	}
	args[len(args)-1] = filepath.Join(dir, "not", "there.html")
	if code, _, errs := call(args...); code != judge.ExitUsage || !strings.Contains(errs, "--html") {
		t.Errorf("code %d, %s", code, errs)
	}
}
