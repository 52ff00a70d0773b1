package proptest

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"
)

// recorder stands in for the *testing.T of a test that is meant to fail.
type recorder struct {
	errors, logs []string
}

func (r *recorder) Helper()      {}
func (r *recorder) Name() string { return "TestProperty/inner" }
func (r *recorder) Failed() bool { return len(r.errors) > 0 }
func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

// below is false for numbers of 900 and more.
func below(tried *[]int) gopter.Prop {
	return prop.ForAllNoShrink(func(n int) bool {
		*tried = append(*tried, n)
		return n < 900
	}, gen.IntRange(0, 1000))
}

func TestFailureIsSavedAndRunFirst(t *testing.T) {
	t.Setenv(SeedVariable, "1")
	dir := t.TempDir()
	var tried []int
	var first recorder
	Check(&first, "below", below(&tried), Cases(1000), FailuresIn(dir))
	if len(first.errors) != 1 {
		t.Fatalf("a property that is false passed: %v", first.logs)
	}
	failing := tried[len(tried)-1]
	text, err := os.ReadFile(failures{dir: dir, test: first.Name()}.path())
	if err != nil {
		t.Fatal(err)
	}
	seed, _, _ := strings.Cut(string(text), " ")
	command := "SLUICE_SEED=" + seed + " go test ./internal/proptest -count=1 -run '^TestProperty$/^inner$'"
	if !strings.Contains(first.errors[0], command) {
		t.Errorf("the report lacks %q:\n%s", command, first.errors[0])
	}

	t.Setenv(SeedVariable, "2")
	tried = nil
	var second recorder
	Check(&second, "below", below(&tried), FailuresIn(dir))
	if len(tried) != 1 || tried[0] != failing {
		t.Errorf("the second run tried %v, want the saved failure %d alone", tried, failing)
	}

	t.Setenv(SeedVariable, seed)
	tried = nil
	var alone recorder
	Check(&alone, "below", below(&tried), FailuresIn(t.TempDir()))
	if len(tried) != 1 || tried[0] != failing {
		t.Errorf("%s=%s tried %v, want %d alone", SeedVariable, seed, tried, failing)
	}
	again, err := failures{dir: dir, test: first.Name()}.read("below")
	if err != nil || len(again) != 1 {
		t.Errorf("saved failures %v, %v: want the one case once", again, err)
	}
}

func TestPassing(t *testing.T) {
	t.Setenv(SeedVariable, "")
	t.Setenv(ChecksVariable, "")
	var tried []int
	var passing recorder
	count := prop.ForAllNoShrink(func(n int) bool {
		tried = append(tried, n)
		return true
	}, gen.IntRange(0, 1<<30))
	dir := t.TempDir()
	Check(&passing, "any", count, Cases(50), FailuresIn(dir))
	if passing.Failed() || len(tried) != 50 {
		t.Errorf("%d cases, errors %v: want 50 and none", len(tried), passing.errors)
	}
	distinct := make(map[int]bool)
	for _, n := range tried {
		distinct[n] = true
	}
	if len(distinct) < 45 {
		t.Errorf("%d distinct arguments in 50 cases: the seeds are not independent", len(distinct))
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 {
		t.Errorf("a passing property saved %v", files)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	t.Setenv(SeedVariable, "")
	var r recorder
	bad := prop.ForAllNoShrink(func(int) bool { panic("boom") }, gen.Int())
	Check(&r, "panics", bad, FailuresIn(t.TempDir()))
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "boom") {
		t.Errorf("errors %v, want one that holds the panic", r.errors)
	}
}

func TestBadEnvironment(t *testing.T) {
	for _, test := range []struct{ seed, checks string }{
		{seed: "x"}, {seed: "1:x"}, {seed: "1:101"}, {checks: "0"}, {checks: "many"},
	} {
		t.Setenv(SeedVariable, test.seed)
		t.Setenv(ChecksVariable, test.checks)
		var r recorder
		var tried []int
		Check(&r, "below", below(&tried), FailuresIn(t.TempDir()))
		if len(r.errors) != 1 || len(tried) != 0 {
			t.Errorf("%+v: errors %v after %d cases, want one and none", test, r.errors, len(tried))
		}
	}
}
