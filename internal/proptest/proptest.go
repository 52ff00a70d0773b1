// Package proptest runs gopter properties so that a failure can be reproduced.
//
// Every case has a seed of its own, so a failing case is one short line, "seed:size", whatever ran
// before it. A failure prints that line, the arguments as gopter shrank them, and the command that
// runs this case alone; and it appends the line to testdata/failures/<test>.txt beside the test.
// The next run starts with the lines of that file, before it draws a fresh seed. A line whose
// cause is understood and covered by a table test may be deleted.
//
// The environment steers a run:
//
//	SLUICE_SEED=7        the cases of root seed 7 instead of a fresh one
//	SLUICE_SEED=7:31     one case alone: seed 7, size 31
//	SLUICE_CHECKS=10000  this many cases instead of the test's own number
package proptest

import (
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/leanovate/gopter"
)

const (
	// SeedVariable names the environment variable that fixes the root seed or one case.
	SeedVariable = "SLUICE_SEED"
	// ChecksVariable names the environment variable that overrides the number of cases.
	ChecksVariable = "SLUICE_CHECKS"

	// casesDefault is how many fresh cases a property is tried with.
	casesDefault = 100
	// sizeMax bounds the size that grows from case to case; generators of slices and strings
	// take it as the limit of their length.
	sizeMax = 100
)

// T is what Check needs of a *testing.T.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Failed() bool
}

// Option changes how a property is checked.
type Option func(*checker)

// Cases sets how many fresh cases are drawn; the default is 100. SLUICE_CHECKS overrides it.
func Cases(n int) Option { return func(c *checker) { c.cases = n } }

// FailuresIn sets the folder of the saved failures; the default is testdata/failures.
func FailuresIn(dir string) Option { return func(c *checker) { c.saved.dir = dir } }

// Check checks a property: the saved failures of this test and property first, then fresh cases.
// It stops at the first case that fails, reports it through t, and saves it. The name tells apart
// the properties of one test; it must not change if saved failures are to be found again.
func Check(t T, name string, property gopter.Prop, options ...Option) {
	t.Helper()
	c := checker{
		t: t, name: name, property: property, cases: casesDefault,
		saved: failures{dir: "testdata/failures", test: t.Name()},
	}
	for _, option := range options {
		option(&c)
	}
	if err := c.environment(); err != nil {
		t.Errorf("%v", err)
		return
	}
	c.run()
}

// Case is one drawing of a property's arguments.
type Case struct {
	// Seed of the case's own random stream.
	Seed int64
	// Size is the limit that gopter hands to generators, from 0 to 99.
	Size int
}

// String returns the text form "seed:size", which ParseCase reads back.
func (c Case) String() string { return fmt.Sprintf("%d:%d", c.Seed, c.Size) }

// ParseCase reads the text form "seed:size".
func ParseCase(text string) (Case, error) {
	seed, size, ok := strings.Cut(text, ":")
	s, err1 := strconv.ParseInt(seed, 10, 64)
	n, err2 := strconv.Atoi(size)
	if !ok || err1 != nil || err2 != nil || n < 0 || n > sizeMax {
		return Case{}, fmt.Errorf("case %q is not \"seed:size\" with a size of 0 to %d", text, sizeMax)
	}
	return Case{Seed: s, Size: n}, nil
}

// checker is one Check.
type checker struct {
	t        T
	name     string
	property gopter.Prop
	cases    int
	saved    failures

	only *Case  // from the environment: this case alone
	root *int64 // from the environment: instead of a fresh seed
}

func (c *checker) environment() error {
	if text := os.Getenv(ChecksVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("%s=%q is not a number of cases, 1 or more", ChecksVariable, text)
		}
		c.cases = n
	}
	text := os.Getenv(SeedVariable)
	switch {
	case text == "":
	case strings.Contains(text, ":"):
		only, err := ParseCase(text)
		if err != nil {
			return fmt.Errorf("%s: %w", SeedVariable, err)
		}
		c.only = &only
	default:
		root, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%s=%q is neither a seed nor \"seed:size\"", SeedVariable, text)
		}
		c.root = &root
	}
	return nil
}

func (c *checker) run() {
	c.t.Helper()
	if c.only != nil {
		c.try(*c.only)
		return
	}
	again, err := c.saved.read(c.name)
	if err != nil {
		c.t.Errorf("%v", err)
		return
	}
	for _, one := range again {
		if !c.try(one) {
			return
		}
	}
	root := time.Now().UnixNano()
	if c.root != nil {
		root = *c.root
	}
	for i := range c.cases {
		if !c.try(Case{Seed: c.seed(root, i), Size: i * sizeMax / c.cases}) {
			return
		}
	}
	c.t.Logf("%s: %d saved and %d fresh cases passed (%s=%d)",
		c.name, len(again), c.cases, SeedVariable, root)
}

// seed mixes the root seed with the property's name and the case's number, so that neighbouring
// cases, and two properties of one root, have nothing in common.
func (c *checker) seed(root int64, i int) int64 {
	hash := fnv.New64a()
	fmt.Fprintf(hash, "%d/%s/%d", root, c.name, i)
	return int64(hash.Sum64() >> 1)
}

// try runs one case and tells whether it passed.
func (c *checker) try(one Case) bool {
	c.t.Helper()
	parameters := gopter.DefaultTestParametersWithSeed(one.Seed)
	parameters.MinSuccessfulTests = 1
	parameters.MinSize, parameters.MaxSize = one.Size, one.Size
	result := gopter.SaveProp(c.property).Check(parameters)
	if result.Passed() {
		return true
	}
	note := "saved in " + c.saved.path()
	if err := c.saved.add(c.name, one); err != nil {
		note = "could not be saved: " + err.Error()
	}
	var text strings.Builder
	gopter.NewFormatedReporter(true, reportWidth, &text).ReportTestResult(c.name, result)
	c.t.Errorf("%s\nfails with seed %v (%s). Run this case alone:\n  %s",
		strings.TrimSpace(text.String()), one, note, c.command(one))
	return false
}

// reportWidth is the line length of gopter's report.
const reportWidth = 100
