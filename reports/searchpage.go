package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed searchpage.html
var searchText string

var searchTemplate = template.Must(template.Must(template.New("search").Parse(searchText)).
	Parse(timelineText))

// SearchPage is the way to a violation that a search has found, as a self-contained page with the
// timeline of a report: at each step the choices there were, and what changed.
type SearchPage struct {
	// Title names the search, Wrong what is violated, System what took part.
	Title, Wrong, System string
	// Shortest is true if no way there has fewer steps in this system.
	Shortest bool
	// Command makes the same search again.
	Command string
	Story   *Story
}

// Write writes the page.
func (p SearchPage) Write(w io.Writer) error {
	story, err := p.Story.view("what everything was, step by step")
	if err != nil {
		return err
	}
	if err := searchTemplate.Execute(w, struct {
		SearchPage
		storyView
	}{p, story}); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
