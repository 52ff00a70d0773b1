package diff

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// setOf makes a set of runs, one for each value of a metric.
func setOf(metric string, values ...float64) Set {
	s := Set{Dir: "runs", Kind: KindRuns, World: "virtual", Virtual: true}
	for i, v := range values {
		s.Runs = append(s.Runs, Run{Seed: uint64(i + 1), Verdict: "passed", Figures: Figures{metric: v}})
	}
	return s
}

// near returns n values that differ by up to a share from a middle.
func near(middle, share float64, n int) []float64 {
	var values []float64
	for i := range n {
		values = append(values, middle*(1+share*(2*float64(i)/float64(n-1)-1)))
	}
	return values
}

// same returns n equal values.
func same(v float64, n int) []float64 { return slices.Repeat([]float64{v}, n) }

func usual(rules ...string) Options {
	o := Options{Alpha: 0.01, LeastEffect: 0.05, Steady: Steady{0, 60}}
	for _, text := range rules {
		r, err := ParseRule(text)
		if err != nil {
			panic(err)
		}
		o.Rules = append(o.Rules, r)
	}
	return o
}

func compare(t *testing.T, a, b Set, o Options) *Comparison {
	t.Helper()
	c, err := Compare(a, b, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFindings: what is found of one figure, and the exit code.
func TestFindings(t *testing.T) {
	split := slices.Concat(near(80, 0.01, 20), near(120, 0.01, 20))
	for name, c := range map[string]struct {
		metric string
		a, b   []float64
		rules  []string
		want   Finding
		code   int
	}{
		"worse, lower is better":    {RedisTime, near(10, 0.02, 8), near(11, 0.02, 8), nil, FoundWorse, 13},
		"better, lower is better":   {RedisTime, near(11, 0.02, 8), near(10, 0.02, 8), nil, FoundBetter, 0},
		"worse, higher is better":   {Throughput, near(11, 0.02, 8), near(10, 0.02, 8), nil, FoundWorse, 13},
		"better, higher is better":  {Throughput, near(10, 0.02, 8), near(11, 0.02, 8), nil, FoundBetter, 0},
		"certain, and too small":    {RedisTime, near(10, 0.01, 8), near(10.4, 0.01, 8), nil, FoundSmall, 0},
		"certain, and how much not": {RedisTime, near(10, 0.02, 8), near(10.6, 0.02, 8), nil, FoundUnclear, 0},
		"the same within the least": {RedisTime, near(10, 0.02, 8), near(10.01, 0.02, 8), nil, FoundSame, 0},
		"anything may hide":         {RedisTime, near(10, 0.5, 8), near(10.5, 0.5, 8), nil, FoundUnclear, 0},
		"too few to tell":           {RedisTime, near(10, 0.01, 3), near(20, 0.01, 3), nil, FoundTooFew, 14},
		"one each":                  {RedisTime, []float64{10}, []float64{20}, nil, FoundTooFew, 14},
		"one each, equal":           {RedisTime, []float64{10}, []float64{10}, nil, FoundSame, 0},
		"few, the same values":      {RedisTime, []float64{10, 20, 30}, []float64{30, 10, 20}, nil, FoundSame, 0},
		"constant, and equal":       {RedisTime, same(10, 3), same(10, 3), nil, FoundSame, 0},
		"constant, and worse":       {RedisTime, same(10, 3), same(11, 3), nil, FoundWorse, 13},
		"constant, and better":      {RedisTime, same(10, 3), same(9, 3), nil, FoundBetter, 0},
		"constant, a little worse":  {RedisTime, same(10, 3), same(10.1, 3), nil, FoundSmall, 0},
		"constant, of two runs":     {RedisTime, same(10, 2), same(11, 2), nil, FoundTooFew, 14},
		"constant 0, and then not":  {Restarts, same(0, 8), same(1, 8), nil, FoundWorse, 13},
		"0, and then some":          {Restarts, same(0, 8), near(2, 0.5, 8), nil, FoundWorse, 13},
		"split in two":              {RedisTime, near(100, 0.02, 40), split, nil, FoundWorse, 13},
		"came together":             {RedisTime, split, near(100, 0.02, 40), nil, FoundWorse, 13},
		"worse, by ranks alone":     {RedisTime, near(10, 0.1, 20), near(11, 0.1, 20), nil, FoundWorse, 13},
		"neither better nor worse":  {Offered, near(10, 0.02, 8), near(20, 0.02, 8), nil, FoundNone, 0},

		"a rule that holds": {RedisTime, near(10, 0.02, 8), near(11, 0.02, 8), []string{"redis_time <= +15%"},
			FoundWorse, 0},
		"a rule that is broken": {RedisTime, near(10, 0.02, 8), near(11.2, 0.02, 8),
			[]string{"redis_time <= +8%"}, FoundWorse, 13},
		"a rule for what is better": {RedisTime, near(10, 0.02, 8), near(8, 0.02, 8),
			[]string{"redis_time >= -10%"}, FoundBetter, 13},
		"a rule of a change": {RedisTime, near(10, 0.02, 8), near(12, 0.02, 8),
			[]string{"redis_time <= +1.5us"}, FoundWorse, 13},
		"a rule of a change that holds": {RedisTime, near(10, 0.02, 8), near(12, 0.02, 8),
			[]string{"redis_time <= +2.5us"}, FoundWorse, 0},
		"a rule with no change": {Restarts, same(0, 8), same(1, 8), []string{"restarts <= +0"}, FoundWorse, 13},
		"a rule of a level":     {RedisTime, []float64{10}, []float64{12}, []string{"redis_time <= 11"}, FoundNone, 13},
		"a level that is kept":  {RedisTime, near(10, 0.02, 8), near(12, 0.02, 8), []string{"redis_time <= 13"}, FoundNone, 0},
		"a rule with too few":   {RedisTime, []float64{10}, []float64{12}, []string{"redis_time <= +5%"}, FoundTooFew, 14},
		"a rule tighter than the least effect, with too few": {Throughput, near(1000, 0.001, 4), near(970, 0.001, 4),
			[]string{"throughput >= -1%"}, FoundSame, 14},
		"a tight rule of a change, with too few": {Throughput, near(1000, 0.001, 4), near(970, 0.001, 4),
			[]string{"throughput >= -10/s"}, FoundSame, 14},
		"a rule that few keep for certain": {Throughput, near(1000, 0.001, 4), near(970, 0.001, 4),
			[]string{"throughput >= -4%"}, FoundSame, 0},
		"a wide rule that few keep for certain": {Throughput, near(1000, 0.001, 4), near(900, 0.001, 4),
			[]string{"throughput >= -20%"}, FoundTooFew, 0},
		"a wide rule of a change that few keep": {RedisTime, near(10, 0.01, 4), near(12, 0.01, 4),
			[]string{"redis_time <= +3us"}, FoundTooFew, 0},
		"few that got better by far": {Throughput, near(1000, 0.001, 4), near(2000, 0.001, 4),
			[]string{"throughput >= -5%"}, FoundTooFew, 0},
		"few, and equal": {Throughput, near(1000, 0.001, 4), near(1000, 0.001, 4),
			[]string{"throughput >= -0%"}, FoundSame, 0},
		"a tight rule, and enough": {Throughput, near(1000, 0.001, 8), near(970, 0.001, 8),
			[]string{"throughput >= -1%"}, FoundSmall, 13},
		"a rule of what is not known": {RedisTime, near(10, 0.02, 8), near(10, 0.02, 8),
			[]string{"drain <= +5%"}, FoundSame, 14},
		"another figure's rule": {RedisTime, near(10, 0.02, 8), near(12, 0.02, 8), []string{"drain <= +5%"},
			FoundNone, 14},
	} {
		t.Run(name, func(t *testing.T) {
			got := compare(t, setOf(c.metric, c.a...), setOf(c.metric, c.b...), usual(c.rules...))
			if row := got.Rows[0]; row.Finding != c.want || got.Code != c.code {
				t.Errorf("found %q, exit code %d (%s), want %q, %d; %+v", row.Finding, got.Code, got.Verdict,
					c.want, c.code, row)
			}
			if said := strings.Contains(got.Verdict, "unclear of 1 figure,"); said != (c.want == FoundUnclear) {
				t.Errorf("the verdict is %q of a metric that is %s", got.Verdict, c.want)
			}
			checkJUnit(t, got)
		})
	}
}

// checkJUnit checks that who reads nothing but the cases of JUnit sees what the exit code says.
func checkJUnit(t *testing.T, c *Comparison) {
	t.Helper()
	var text bytes.Buffer
	var suite testSuite
	err := c.WriteJUnit(&text)
	if err := errors.Join(err, xml.Unmarshal(text.Bytes(), &suite)); err != nil {
		t.Fatal(err)
	}
	failed := c.Code == judge.ExitExpectation || c.Code == judge.ExitNotDeterministic
	if (suite.Failures > 0) != failed || (suite.Errors > 0) != (c.Code == judge.ExitUnknown) {
		t.Errorf("exit code %d (%s), and JUnit has %d failures and %d errors:\n%s", c.Code, c.Verdict,
			suite.Failures, suite.Errors, &text)
	}
}

// TestTooFewForARule: what a rule asks for and cannot be told is unknown, though the rest is told.
func TestTooFewForARule(t *testing.T) {
	set := func(drain float64) Set {
		s := setOf(RedisTime, near(10, 0.02, 8)...)
		s.Runs[0].Figures[Drain] = drain
		s.Runs[0].Figures[RedisTime] += drain / 1e6
		return s
	}
	got := compare(t, set(3), set(4), usual("redis_time <= +5%", "drain <= +5%"))
	if got.Code != judge.ExitUnknown || got.Verdict != "unknown: drain <= +5%" {
		t.Errorf("exit code %d, %s", got.Code, got.Verdict)
	}
}

// TestTooFewToSayThatNothingMatters: a figure that differs by what would matter and has too few values is
// unknown without rules, too, though there are enough of another.
func TestTooFewToSayThatNothingMatters(t *testing.T) {
	set := func(drain float64) Set {
		s := setOf(RedisTime, near(10, 0.02, 8)...)
		s.Runs[0].Figures[Drain] = drain
		s.Runs[0].Figures[RedisTime] += drain / 1e6
		return s
	}
	const unknown = "unknown: there are too few values to be certain of drain; it takes 6 on each side"
	for then, want := range map[float64]string{
		4.5: unknown, 1.5: unknown, 3.1: "no difference that matters", 2.9: "no difference that matters",
	} {
		got := compare(t, set(3), set(then), usual())
		if got.Verdict != want || (got.Code == judge.ExitUnknown) != (want == unknown) {
			t.Errorf("3 s, and then %v s: exit code %d, %s", then, got.Code, got.Verdict)
		}
		checkJUnit(t, got)
		if i := slices.IndexFunc(got.Judgements, func(j reports.Judgement) bool {
			return j.Name == "drain <= +5%" && j.Verdict == reports.Unknown &&
				strings.HasSuffix(j.Detail, "; to be certain, it takes 6 values on each side")
		}); (i >= 0) != (want == unknown) {
			t.Errorf("3 s, and then %v s: judged are %+v", then, got.Judgements)
		}
	}
}

// TestChangeAtTheBound: of changes that are just what a rule allows, hardly one in forty breaks it, though the
// estimate of every second one is beyond; nor is it hidden that they may. What is far beyond is found.
func TestChangeAtTheBound(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 7))
	values := func(middle float64) (list []float64) {
		for range 8 {
			list = append(list, middle*(1+0.02*r.NormFloat64()))
		}
		return list
	}
	const pairs = 400
	for _, c := range []struct {
		fall        float64
		rules       []string
		least, most int
	}{
		{0.10, []string{"throughput >= -10%"}, 0, pairs * 4 / 100},
		{0.10, []string{"throughput >= -100/s"}, 0, pairs * 4 / 100},
		{0.05, nil, 0, pairs * 4 / 100},
		{0.15, []string{"throughput >= -10%"}, pairs * 95 / 100, pairs},
		{0.10, nil, pairs * 95 / 100, pairs},
	} {
		broken, unclear := 0, 0
		for range pairs {
			got := compare(t, setOf(Throughput, values(1000)...), setOf(Throughput, values(1000*(1-c.fall))...), usual(c.rules...))
			switch {
			case got.Code == judge.ExitExpectation:
				broken++
			case strings.HasSuffix(got.Verdict, "; unclear of 1 figure, see the intervals"):
				unclear++
			}
		}
		if broken < c.least || broken > c.most {
			t.Errorf("a fall of %v breaks %q in %d of %d, want %d to %d", c.fall, c.rules, broken, pairs, c.least, c.most)
		}
		if c.least == 0 && unclear < pairs/3 {
			t.Errorf("a fall of %v by %q is unclear in %d of %d, want as many as are estimated beyond", c.fall, c.rules, unclear, pairs)
		}
	}
}

// TestSplitIsNotSeenByRanks: why there are two tests.
func TestSplitIsNotSeenByRanks(t *testing.T) {
	split := slices.Concat(near(80, 0.01, 20), near(120, 0.01, 20))
	row := compare(t, setOf(RedisTime, near(100, 0.02, 40)...), setOf(RedisTime, split...), usual()).Rows[0]
	if row.Ranks < 0.5 || row.Shape > 0.01 || !strings.Contains(row.finding(), "in shape") {
		t.Errorf("p by ranks is %v, by shape %v: %s", row.Ranks, row.Shape, row.finding())
	}
}

// TestVerdicts: what verdicts of B's runs are worse, whatever the figures say.
func TestVerdicts(t *testing.T) {
	const passed, missed, unsafe, stuck = "passed", "expectation missed", "safety violated", "liveness violated"
	for _, c := range []struct {
		a, b []string
		code int
	}{
		{[]string{passed, passed}, []string{passed, passed}, 0},
		{[]string{passed, passed}, []string{passed, unsafe}, 13},
		{[]string{passed, unsafe}, []string{passed, unsafe}, 0},
		{[]string{passed, stuck}, []string{passed, unsafe}, 13},
		{[]string{passed, unsafe}, []string{passed, stuck}, 0},
		{[]string{passed, passed}, []string{passed, missed}, 0}, // a figure, which is tested
		{[]string{passed, passed}, []string{missed, missed}, 13},
		{[]string{passed, missed}, []string{missed, missed}, 0},
		{[]string{missed, missed}, []string{passed, passed}, 0},
		{[]string{"unknown", "unknown"}, []string{passed, stuck}, 13},
	} {
		set := func(verdicts []string) Set {
			s := setOf(RedisTime, 10, 11)
			for i, v := range verdicts {
				s.Runs[i].Verdict, s.Runs[i].Reason = v, "why "+v
			}
			return s
		}
		got := compare(t, set(c.a), set(c.b), usual())
		if got.Code != c.code {
			t.Errorf("%v, and then %v: exit code %d, %+v", c.a, c.b, got.Code, got.Judgements)
		}
		checkJUnit(t, got)
		if want := c.b[1] + ": why " + c.b[1]; c.code != 0 && !strings.Contains(got.Judgements[0].Detail, want) {
			t.Errorf("no %q in %q", want, got.Judgements[0].Detail)
		}
	}
	// Of eight runs, none missed an expectation before, and now most do.
	a, b := setOf(NotPassed, same(0, 8)...), setOf(NotPassed, 1, 1, 1, 1, 1, 1, 1, 0)
	if got := compare(t, a, b, usual()); got.Code != judge.ExitExpectation {
		t.Errorf("exit code %d: %s, %+v", got.Code, got.Verdict, got.Rows)
	}
}

// TestOneRunOfTheWallClock: what two single runs of a real machine differ by may be the machine's, so
// nothing is concluded that nobody has made a rule of.
func TestOneRunOfTheWallClock(t *testing.T) {
	run := func(cost float64) Set {
		s := Set{Kind: KindRun, World: "real"}
		r := Run{Verdict: "passed"}
		used := 0.0
		for i := range 601 {
			at := float64(i) / 10
			used += cost * (1 + 0.01*float64(i%7)) / 10
			r.Samples = append(r.Samples, reports.Sample{T: at, Sent: int64(100 * i), Flushed: int64(100 * i),
				CPURedis: used})
		}
		s.Runs = []Run{r}
		return s
	}
	a, b := run(0.01), run(0.02)
	for rule, want := range map[string]int{
		"": judge.ExitUnknown, "redis_time <= +20%": judge.ExitExpectation, "redis_time <= +200%": 0,
	} {
		rules := []string{rule}
		if rule == "" {
			rules = nil
		}
		if got := compare(t, a, b, usual(rules...)); got.Code != want {
			t.Errorf("with rule %q: exit code %d (%s), want %d", rule, got.Code, got.Verdict, want)
		}
	}
	// A level is that of the whole run, which a pause of a second may exceed though no batch does.
	a.Runs[0].Figures, b.Runs[0].Figures = Figures{RedisTime: 10}, Figures{RedisTime: 500}
	got := compare(t, a, b, usual("redis_time <= 100"))
	if got.Code != judge.ExitExpectation || !strings.Contains(got.Judgements[1].Detail, "of the whole run it is 500") {
		t.Errorf("a level: exit code %d, %+v", got.Code, got.Judgements)
	}
	a.Runs[0].Figures, b.Runs[0].Figures = nil, nil
	a.Virtual, b.Virtual = true, true
	if got := compare(t, a, b, usual()); got.Code != judge.ExitExpectation {
		t.Errorf("in virtual time: exit code %d (%s)", got.Code, got.Verdict)
	}
}

// TestEventByEvent: virtual runs of the same scenario and seed.
func TestEventByEvent(t *testing.T) {
	make := func(digest string, seed uint64, text string) Set {
		s := setOf(RedisTime, 10)
		s.Kind, s.Scenario = KindRun, &scenarios.Scenario{}
		s.Runs[0].Seed, s.Runs[0].Digest = seed, digest
		s.Runs[0].Events = func() ([]reports.Event, error) {
			return []reports.Event{{T: 1, Kind: reports.EventPhase, Text: "load"}, {T: 2,
				Kind: reports.EventNote, Text: text}}, nil
		}
		return s
	}
	another := make("a", 1, "x")
	another.Scenario = &scenarios.Scenario{Name: "other"}
	wall := make("b", 1, "y")
	wall.Virtual = false
	only := usual()
	only.FiguresOnly = true
	for name, c := range map[string]struct {
		b       Set
		o       Options
		code    int
		verdict string
	}{
		"the same":         {make("a", 1, "x"), usual(), 0, "the same, event by event"},
		"another":          {make("b", 1, "y"), usual(), 12, "not the same; the first difference is event 1, at 2.000 s"},
		"below the events": {make("b", 1, "x"), usual(), 12, "not the same; what is recorded is the same, and yet the digests differ"},
		"only the figures": {make("b", 1, "y"), only, 0, "no difference that matters"},
		"another seed":     {make("b", 2, "y"), usual(), 0, "no difference that matters"},
		"another scenario": {another, usual(), 0, "no difference that matters"},
		"on the wall":      {wall, usual(), 0, "no difference that matters"},
	} {
		t.Run(name, func(t *testing.T) {
			got := compare(t, make("a", 1, "x"), c.b, c.o)
			if got.Code != c.code || got.Verdict != c.verdict {
				t.Errorf("exit code %d, %q, want %d, %q", got.Code, got.Verdict, c.code, c.verdict)
			}
			checkJUnit(t, got)
		})
	}
	// Runs that are the same may both be too slow: the figures say by how much.
	var level bytes.Buffer
	slow := compare(t, make("a", 1, "x"), make("a", 1, "x"), usual("redis_time <= 5"))
	if err := slow.WriteText(&level); err != nil || slow.Code != judge.ExitExpectation || !strings.Contains(level.String(),
		"\nredis_time  us/span  1  10.00  10.00 ") {
		t.Errorf("%v, exit code %d\n%s", err, slow.Code, &level)
	}
	// A sweep keeps no events, nor does it say where its runs part.
	kept := func(digest string, has bool) Set {
		s := make(digest, 1, "x")
		s.Kind = KindSweep
		if !has {
			s.Runs[0].Events = nil
		}
		return s
	}
	for _, has := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		got := compare(t, kept("a", has[0]), kept("b", has[1]), usual())
		if want := "not the same; the digests differ, and no events were kept that say where"; got.Code != 12 ||
			got.Verdict != want || got.FirstSeed != 1 || !slices.ContainsFunc(got.Judgements, func(j reports.Judgement) bool {
			return j.Name == eventByEvent && j.Verdict == reports.Violated && strings.HasPrefix(j.Detail, "seed 1: the digests differ")
		}) {
			t.Errorf("events kept %v: exit code %d, %q of seed %d: %+v", has, got.Code, got.Verdict, got.FirstSeed, got.Judgements)
		}
		for _, write := range []func(*Comparison) error{
			func(c *Comparison) error { return c.WriteText(&bytes.Buffer{}) },
			func(c *Comparison) error { return c.WriteMarkdown(&bytes.Buffer{}) },
		} {
			if err := write(got); err != nil {
				t.Error(err)
			}
		}
	}
	broken := make("b", 1, "y")
	wrong := errors.New("no events")
	broken.Runs[0].Events = func() ([]reports.Event, error) { return nil, wrong }
	if _, err := Compare(make("a", 1, "x"), broken, usual()); !errors.Is(err, wrong) {
		t.Errorf("events that cannot be read: %v", err)
	}
	// Of several runs, the figures decide.
	both := func(digest string) Set {
		s := make("a", 1, "x")
		s.Kind, s.Runs = KindRuns, append(s.Runs, make(digest, 2, digest).Runs...)
		return s
	}
	got := compare(t, both("a"), both("b"), usual())
	if got.Code != 0 || got.Pairs != 2 || got.Same != 1 || got.FirstSeed != 2 || got.First.Event != 1 {
		t.Errorf("of two runs: exit code %d, %+v", got.Code, got)
	}
}

// TestOptions that make no sense.
func TestOptions(t *testing.T) {
	err := Options{Alpha: 1, LeastEffect: -0.1}.Validate()
	if err == nil || !strings.Contains(err.Error(), "alpha 1 ") || !strings.Contains(err.Error(), "effect -0.1 ") {
		t.Errorf("error is %v", err)
	}
}

// TestForms: each form says what is worse, and is what its readers expect.
func TestForms(t *testing.T) {
	c := compare(t, setOf(RedisTime, near(10, 0.02, 8)...), setOf(RedisTime, near(11, 0.02, 8)...),
		usual("redis_time <= +5%", "drain <= +5%"))
	c.A.Dir = "a<b>&"
	var text, markdown, junit, asJSON bytes.Buffer
	if err := errors.Join(c.WriteText(&text), c.WriteMarkdown(&markdown), c.WriteJUnit(&junit),
		reports.WriteJSON(&asJSON, c)); err != nil {
		t.Fatal(err)
	}
	const want = "10.00 us/span, and then 11.00 us/span: +10.0 % (95 %: +8.3 % to +11.7 %), p 0.0003"
	if !strings.HasSuffix(text.String(), "\nverdict: worse: redis_time <= +5%\n") ||
		!strings.Contains(text.String(), want) {
		t.Errorf("text is\n%s", &text)
	}
	if !strings.Contains(text.String(), "; p is corrected for 2 tests)") {
		t.Errorf("the tests are not counted in\n%s", &text)
	}
	if !strings.HasPrefix(markdown.String(), "### simulate diff: worse: redis\\_time &lt;= +5%\n") ||
		!strings.Contains(markdown.String(), "**violated**: `redis_time <= +5%`: "+want) ||
		!strings.Contains(markdown.String(), "- A: a&lt;b>&: 8 runs") {
		t.Errorf("markdown is\n%s", &markdown)
	}
	var untested bytes.Buffer
	level := compare(t, setOf(RedisTime, near(10, 0.02, 8)...), setOf(RedisTime, near(11, 0.02, 8)...),
		usual("redis_time <= 20us"))
	if err := level.WriteText(&untested); err != nil || !strings.Contains(untested.String(), "; nothing was tested)") {
		t.Errorf("%v, without a test the text is\n%s", err, &untested)
	}
	var suite testSuite
	if err := xml.Unmarshal(junit.Bytes(), &suite); err != nil {
		t.Fatalf("%v in\n%s", err, &junit)
	}
	if suite.Tests != 3 || suite.Failures != 1 || suite.Errors != 1 || suite.Cases[1].Failure == nil ||
		suite.Cases[1].Failure.Message != want || suite.Cases[2].Error == nil {
		t.Errorf("JUnit is\n%s", &junit)
	}
	var read struct {
		Verdict  string
		ExitCode int `json:"exit_code"`
		Metrics  []struct {
			Name    string
			Finding string
		}
	}
	if err := json.Unmarshal(asJSON.Bytes(), &read); err != nil || read.ExitCode != 13 ||
		len(read.Metrics) != 1 || read.Metrics[0].Finding != "worse" {
		t.Errorf("%v, JSON is\n%s", err, &asJSON)
	}
}
