package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

//go:embed timeline.html
var timelineText string

//go:embed page.css
var pageStyle string

//go:embed timeline.css
var timelineStyle string

//go:embed spans.js
var spansScript string

//go:embed timeline.js
var timelineScript string

var pageTemplate = template.Must(template.Must(template.New("page").Funcs(template.FuncMap{
	"seconds": seconds, "thousands": thousands,
}).Parse(pageText)).Parse(timelineText))

// FilePage is what a page is called among results.
const FilePage = "report.html"

// Page is the report of one run as a self-contained page, report.html: nothing is loaded from
// elsewhere, and no script runs in it but its own, whatever a scenario's words are. It is dark where the reader's system is, with its charts; the charts in
// files of their own are always light.
type Page struct {
	Result Result
	// Description is what the scenario shows.
	Description string
	// Planted is what was put into the run on purpose, in words; empty if nothing was.
	Planted string
	// Decisive is the judgement that decided the verdict; without a name there is none.
	Decisive Judgement
	// Timeline that the charts show. Its title is not used.
	Timeline Timeline
	// Events of the run, in order.
	Events []Event
	// Story is what the timeline shows. Nil: what Timeline and Events tell.
	Story *Story
	// Scenario is the resolved scenario file.
	Scenario string
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	p.Timeline.Title = ""
	note := ""
	if n := len(p.Timeline.Samples); n > chartPointsMax {
		note = fmt.Sprintf("Of %d samples every %dth is drawn here; the charts in files have all.", n,
			step(n, chartPointsMax))
		p.Timeline = p.Timeline.sparse()
	}
	if p.Story == nil {
		p.Story = NewStory(p.Timeline, p.Events, Watched{}, p.Result)
	}
	story, err := p.Story.view("what happened to workers and shards, over time")
	if err != nil {
		return err
	}
	view := pageView{Page: p, storyView: story, Class: p.class(), Account: p.Result.Ledger.equation(),
		Figures: p.Result.figures(), Durations: p.Result.durations()}
	view.ChartNote = note
	if p.Decisive.At != nil {
		view.ShowAt = fmt.Sprintf("%.3f", *p.Decisive.At)
	}
	for _, chart := range p.Timeline.Charts() {
		wide, err := inline(chart.Chart, "wide", chart.Heading)
		if err != nil {
			return err
		}
		narrow, err := inline(chart.Narrow, "narrow", chart.Heading)
		if err != nil {
			return err
		}
		view.Charts = append(view.Charts, pageChart{chart.Name, chart.Heading, wide, narrow})
	}
	view.Faults, view.Events = p.faults(), p.events()
	if err := pageTemplate.Execute(w, view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// class is the style of the verdict.
func (p Page) class() string {
	switch p.Result.Verdict {
	case string(Passed), string(Unknown):
		return p.Result.Verdict
	}
	return "violated"
}

// inline returns a chart as an element of a page, its colours as variables of chartStyle.
func inline(chart Chart, class, label string) (template.HTML, error) {
	var picture bytes.Buffer
	if err := chart.WriteSVG(&picture); err != nil {
		return "", fmt.Errorf("draw the chart %s of the page: %w", label, err)
	}
	// The XML declaration in front of the element does not belong in a page.
	_, element, _ := strings.Cut(picture.String(), "<svg")
	element = painted.ReplaceAllString(element, "$1:var(--$2)")
	return template.HTML(fmt.Sprintf(`<svg class=%q role="img" aria-label="%s"%s`, class,
		template.HTMLEscapeString(label), element)), nil
}

// painted is how vgsvg writes that something has a colour.
var painted = regexp.MustCompile(`\b(fill|stroke):#([0-9A-F]{6})\b`)

// chartStyle gives the colours of the charts, each named by what it is on white.
func chartStyle() string {
	var light, dark strings.Builder
	for _, c := range slices.Sorted(maps.Keys(darkOf)) {
		fmt.Fprintf(&light, " --%s: %s;", c[1:], c)
		fmt.Fprintf(&dark, " --%s: %s;", c[1:], darkOf[c])
	}
	return fmt.Sprintf(":root {%s }\n@media (prefers-color-scheme: dark) { :root {%s } }\n",
		light.String(), dark.String())
}
