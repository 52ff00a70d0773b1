package diff

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// bracket is the highest rate that was carried and the lowest that failed; 0 if none did.
type bracket struct{ carried, failed float64 }

// capacities makes a set of repeats of a search.
func capacities(list ...bracket) Set {
	var values []float64
	for _, b := range list {
		values = append(values, b.carried)
	}
	s := setOf(Sustained, values...)
	s.Kind = KindCapacity
	for i, b := range list {
		s.Runs[i].Failed = b.failed
	}
	return s
}

// times returns n equal brackets, as the repeats of a search are that begin where the first ended.
func times(n int, carried, failed float64) []bracket {
	return slices.Repeat([]bracket{{carried, failed}}, n)
}

// scattered returns eight brackets of a precision of 10 %, around a middle.
func scattered(middle float64) (list []bracket) {
	for _, v := range near(middle, 0.02, 8) {
		list = append(list, bracket{v, 1.1 * v})
	}
	return list
}

// TestSearchedRates: two capacities differ only if what the one carries is more than what the other fails of,
// however often the searches ended at the same rates; and what had no rate that was too high is a bound.
func TestSearchedRates(t *testing.T) {
	const bounds = "no difference that matters; of 1 figure only lower bounds are known, raise --most"
	const unclear = "no difference that matters; unclear of 1 figure, see the intervals"
	const none = "no difference that matters"
	for name, c := range map[string]struct {
		a, b    []bracket
		rules   []string
		want    Finding
		verdict string
		within  string // the interval
	}{
		"a step of the search":        {times(3, 100, 110), times(3, 91, 100.1), nil, FoundUnclear, unclear, "-19.0 % to +0.1 %"},
		"a step up":                   {times(3, 91, 100.1), times(3, 100, 110), nil, FoundUnclear, unclear, "-0.1 % to +20.9 %"},
		"a step of many repeats":      {times(8, 100, 110), times(8, 91, 100.1), nil, FoundUnclear, unclear, "-19.0 % to +0.1 %"},
		"a step, scattered":           {scattered(100), scattered(92), nil, FoundUnclear, unclear, ""},
		"half a step, scattered":      {scattered(100), scattered(97), nil, FoundUnclear, unclear, ""},
		"a step, by a rule":           {times(3, 100, 110), times(3, 91, 100.1), []string{"sustained >= -5%"}, FoundUnclear, unclear, ""},
		"one repeat failed later":     {times(3, 100, 110), []bracket{{80, 88}, {80, 88}, {80, 101}}, nil, FoundUnclear, unclear, ""},
		"less, and how much is open":  {times(3, 100, 110), times(3, 90, 99), nil, FoundUnclear, unclear, "-20.0 % to -1.0 %"},
		"more, and how much is open":  {times(3, 90, 99), times(3, 100, 110), nil, FoundUnclear, unclear, "+1.1 % to +22.2 %"},
		"less":                        {times(3, 100, 110), times(3, 80, 88), nil, FoundWorse, "worse: sustained >= -5%", "-30.0 % to -12.0 %"},
		"less, scattered":             {scattered(100), scattered(80), nil, FoundWorse, "worse: sustained >= -5%", ""},
		"more":                        {times(3, 80, 88), times(3, 100, 110), nil, FoundBetter, none, "+15.0 % to +37.5 %"},
		"more, scattered":             {scattered(80), scattered(100), nil, FoundBetter, none, ""},
		"the same":                    {times(3, 100, 110), times(3, 100, 110), nil, FoundSame, none, "-10.0 % to +10.0 %"},
		"the same, searched closely":  {times(3, 100, 101), times(3, 100.5, 101.5), nil, FoundSame, none, "-0.5 % to +1.5 %"},
		"one each":                    {times(1, 100, 110), times(1, 80, 88), nil, FoundTooFew, "unknown: there are too few values to be certain of any difference; it takes 6 on each side", "-"},
		"nothing was too much":        {times(3, 100, 0), times(3, 100, 0), nil, FoundBounds, bounds, "-"},
		"nothing was too much, once":  {times(1, 100, 0), times(1, 100, 0), nil, FoundBounds, bounds, "-"},
		"nothing was too much, often": {times(8, 100, 0), times(8, 90, 0), nil, FoundBounds, bounds, "-"},
		"hardly anything was":         {append(times(2, 100, 0), bracket{90, 99}), times(3, 100, 0), nil, FoundBounds, bounds, "-"},
		"nothing was, and now it is":  {times(3, 100, 0), times(3, 80, 88), nil, FoundWorse, "worse: sustained >= -5%", "-12.0 % or less"},
		"now nothing is, at the same": {times(3, 100, 110), times(3, 100, 0), nil, FoundUnclear, unclear, "-10.0 % or more"},
		"nothing was, or now it is":   {times(3, 100, 0), times(3, 95, 104), nil, FoundUnclear, unclear, "+4.0 % or less"},
		"nothing is any more":         {times(3, 80, 88), times(3, 100, 0), nil, FoundBetter, none, "+15.0 % or more"},

		"a level that is carried":        {times(1, 100, 0), times(1, 100, 0), []string{"sustained >= 90/s"}, FoundBounds, bounds, ""},
		"a level that was not tried":     {times(1, 100, 0), times(1, 100, 0), []string{"sustained >= 120/s"}, FoundBounds, "unknown: sustained >= 120/s", ""},
		"a level that is not carried":    {times(1, 100, 110), times(1, 100, 110), []string{"sustained >= 120/s"}, FoundSame, "worse: sustained >= 120/s", ""},
		"a most that was not tried":      {times(1, 100, 0), times(1, 100, 0), []string{"sustained <= 120/s"}, FoundBounds, "unknown: sustained <= 120/s", ""},
		"a most that is surely exceeded": {times(1, 100, 0), times(1, 100, 0), []string{"sustained <= 90/s"}, FoundBounds, "worse: sustained <= 90/s", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := compare(t, capacities(c.a...), capacities(c.b...), usual(c.rules...))
			row := got.Rows[0]
			certain := c.want == FoundWorse || c.want == FoundBetter || strings.HasSuffix(name, "how much is open")
			if row.Certain != certain {
				t.Errorf("certain: %v, want %v", row.Certain, certain)
			}
			if row.Finding != c.want || got.Verdict != c.verdict || c.within != "" && row.within() != c.within {
				t.Errorf("found %q, %q, within %s; want %q, %q, within %s; %+v", row.Finding, got.Verdict, row.within(), c.want,
					c.verdict, c.within, row)
			}
			checkJUnit(t, got)
			var text, markdown bytes.Buffer
			if err := got.WriteText(&text); err != nil || strings.Contains(text.String(), "Inf") {
				t.Errorf("%v, the text is\n%s", err, &text)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Error(err)
			}
			if err := got.WriteMarkdown(&markdown); err != nil || strings.Contains(markdown.String(), "Inf") {
				t.Errorf("%v, the Markdown is\n%s", err, &markdown)
			}
			// A rate of which nobody knows how much more is carried is called that.
			for side, of := range map[*Side][]bracket{&row.A: c.a, &row.B: c.b} {
				if side.AtLeast != (of[0].failed == 0) || strings.Contains(side.median(row.with), "at least") != side.AtLeast {
					t.Errorf("of %v: %+v, %q", of, side, side.median(row.with))
				}
			}
		})
	}
}
