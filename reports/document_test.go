package reports

import (
	"math"
	"strings"
	"testing"
)

// answer is a document with everything in it.
func answer() Document {
	s := Scaling{Target: 60000, Need: 78000, Recommended: 4, Low: 3, High: 5,
		Busy: []Busyness{{"the Redis thread", map[int]float64{1: 0.3, 2: 0.5, 4: 0.8, 3: 0.7, 8: 1.02}},
			{"worker CPU", map[int]float64{1: 0.95, 2: 0.9, 4: 0.9, 8: 0.5}}}}
	for _, n := range []int{1, 2, 4, 8, 3} { // as they were measured
		s.Points = append(s.Points, ScalingPoint{n, 22000 * float64(n) / (1 + 0.1*float64(n-1)), 0})
		s.Points[len(s.Points)-1].Failed = s.Points[len(s.Points)-1].Sustained * 1.08
	}
	for n := 1.0; n <= 12; n++ {
		v := 22500 * n / (1 + 0.1*(n-1))
		s.Curve = append(s.Curve, CurvePoint{n, v, v * 0.9, v * 1.1})
	}
	s.Curve[11].High = math.Inf(1)
	return Document{Title: "How many processes: a|b", Class: "passed", Lead: "4 processes carry <60,000> spans/s.",
		Next: []string{"Run 4."}, About: "about", Sections: []Section{
			{Heading: "Throughput", Figures: []Figure{s.Figure("capacity", "Throughput by processes")},
				Table: &Table{Columns: append(Numbers("processes"), Words("limit")...),
					Rows: [][]string{{"1", "a_b"}, {"2", "*"}}}, Notes: []string{"a note"}},
			{Heading: "Again", Text: []string{"text"}, Code: "simulate capacity"},
		}}
}

func TestDocumentMarkdown(t *testing.T) {
	var text strings.Builder
	if err := answer().WriteMarkdown(&text); err != nil {
		t.Fatal(err)
	}
	const want = `# How many processes: a\|b

**4 processes carry &lt;60,000> spans/s.**

- Run 4.

about

## Throughput

![Throughput by processes](capacity.png)

| processes | limit |
|---:|---|
| 1 | a\_b |
| 2 | \* |

a note

## Again

text

` + "```\nsimulate capacity\n```\n"
	if text.String() != want {
		t.Errorf("it is\n%s\nwant\n%s", text.String(), want)
	}
}

// TestDocumentFits: the page fits a desk and a telephone, and its chart can be read in the dark.
func TestDocumentFits(t *testing.T) {
	var page strings.Builder
	if err := answer().WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "carry &lt;60,000&gt; spans/s.</h1>") {
		t.Error("the answer is not the heading")
	}
	for _, width := range []int{1280, 390} {
		dark := width == 390
		found, said := measure(t, page.String(), width, map[bool]string{
			false: "--blink-settings=preferredColorScheme=1", true: "--force-dark-mode"}[dark])
		if found.Width != float64(width) || found.Overflow > 0 || found.Resources > 0 || len(said) > 0 ||
			len(found.Charts) != 1 {
			t.Fatalf("at %d pixels: %+v, %q", width, found, said)
		}
		if c := found.Charts[0]; c.Width < 0.85*float64(width) || c.Texts < 10 || c.Dark != dark ||
			c.Text < textContrastMin || c.Line < lineContrastMin {
			t.Errorf("at %d pixels: %+v", width, c)
		}
	}
}

// TestScalingBars: the bars of each count stand beside each other and not over those of the next, in
// whichever order the counts were measured.
func TestScalingBars(t *testing.T) {
	s := Scaling{}
	for _, n := range []int{1, 2, 4, 8, 3, 3} {
		s.Points = append(s.Points, ScalingPoint{Processes: n})
	}
	if got := s.counts(); len(got) != 5 || got[2] != 3 {
		t.Errorf("counts are %v", got)
	}
	var svg strings.Builder
	if err := answer().Sections[0].Figures[0].File.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{">spans per second<", ">flusher processes<", ">100 %<", ">recommended<"} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("no %s in the chart", want)
		}
	}
}
