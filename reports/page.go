package reports

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// Page is the report of one run as a page that stands alone: report.html.
type Page struct {
	Result Result
	// Description is what the scenario shows.
	Description string
	// Chart is the picture at the top: the timeline.
	Chart Chart
	// Events of the run, in order.
	Events []Event
	// Scenario is the resolved scenario file.
	Scenario string
}

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	class := "failed"
	switch p.Result.Verdict {
	case string(Passed), string(Unknown):
		class = p.Result.Verdict
	}
	var picture bytes.Buffer
	if err := p.Chart.WriteSVG(&picture); err != nil {
		return fmt.Errorf("draw the chart of the page: %w", err)
	}
	// A page has no place for the XML declaration in front of the element.
	_, element, _ := strings.Cut(picture.String(), "<svg")
	data := struct {
		Page
		Class string
		Chart template.HTML
	}{p, class, template.HTML("<svg" + element)}
	if err := pageTemplate.Execute(w, data); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
