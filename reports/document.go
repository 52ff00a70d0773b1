package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed document.html
var documentText string

var documentTemplate = template.Must(template.New("document").Parse(documentText))

// Document is a report of which the words come first: as a self-contained page, like Page, or as
// Markdown with its charts in files beside it.
type Document struct {
	Title string
	// Class is passed, violated or unknown: how the head is coloured.
	Class string
	// Lead is the answer, Next what to do, About where it is from.
	Lead  string
	Next  []string
	About string
	// Sections follow in their order.
	Sections []Section
}

// Section is a part of a document: text, then its charts, a table, and notes. All but the heading may
// be missing.
type Section struct {
	Heading string
	Text    []string
	Figures []Figure
	Table   *Table
	Notes   []string
	// Code is shown as it is.
	Code string
}

// Table is a table of a document.
type Table struct {
	Columns []Column
	Rows    [][]string
}

// Column is the heading of one.
type Column struct {
	Name string
	// Number is true if it is aligned to the right.
	Number bool
}

// Numbers are columns of numbers.
func Numbers(names ...string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{name, true}
	}
	return columns
}

// Words are columns of words.
func Words(names ...string) []Column {
	columns := make([]Column, len(names))
	for i, name := range names {
		columns[i] = Column{Name: name}
	}
	return columns
}

// documentView is what the template shows.
type documentView struct {
	Document
	Style template.CSS
	Views []sectionView
}

type sectionView struct {
	Section
	Charts []pageChart
}

// WriteHTML writes the document as a page: no scripts, and nothing loaded from elsewhere. It is dark
// where the reader's system is.
func (d Document) WriteHTML(w io.Writer) error {
	view := documentView{Document: d, Style: template.CSS(pageStyle + chartStyle())}
	for _, s := range d.Sections {
		section := sectionView{Section: s}
		for _, f := range s.Figures {
			wide, err := inline(f.Wide, "wide", f.Heading)
			if err != nil {
				return err
			}
			narrow, err := inline(f.Narrow, "narrow", f.Heading)
			if err != nil {
				return err
			}
			section.Charts = append(section.Charts, pageChart{f.Name, f.Heading, wide, narrow})
		}
		view.Views = append(view.Views, section)
	}
	if err := documentTemplate.Execute(w, view); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// markdownText is a text in which nothing is markup.
var markdownText = strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "_", `\_`, "\n", " ")

// WriteMarkdown writes the document as Markdown. Its charts are NAME.png in the same directory.
func (d Document) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n**%s**\n\n", markdownText.Replace(d.Title), markdownText.Replace(d.Lead))
	for _, line := range d.Next {
		fmt.Fprintf(&b, "- %s\n", markdownText.Replace(line))
	}
	fmt.Fprintf(&b, "\n%s\n", markdownText.Replace(d.About))
	for _, s := range d.Sections {
		s.markdown(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (s Section) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n", markdownText.Replace(s.Heading))
	for _, text := range s.Text {
		fmt.Fprintf(b, "\n%s\n", markdownText.Replace(text))
	}
	for _, f := range s.Figures {
		fmt.Fprintf(b, "\n![%s](%s.png)\n", markdownText.Replace(f.Heading), f.Name)
	}
	if s.Table != nil {
		s.Table.markdown(b)
	}
	for _, note := range s.Notes {
		fmt.Fprintf(b, "\n%s\n", markdownText.Replace(note))
	}
	if s.Code != "" {
		fmt.Fprintf(b, "\n```\n%s\n```\n", s.Code)
	}
}

func (t *Table) markdown(b *strings.Builder) {
	b.WriteString("\n|")
	for _, c := range t.Columns {
		fmt.Fprintf(b, " %s |", markdownText.Replace(c.Name))
	}
	b.WriteString("\n|")
	for _, c := range t.Columns {
		b.WriteString(map[bool]string{true: "---:|", false: "---|"}[c.Number])
	}
	for _, row := range t.Rows {
		b.WriteString("\n|")
		for _, cell := range row {
			fmt.Fprintf(b, " %s |", markdownText.Replace(cell))
		}
	}
	b.WriteString("\n")
}

// SaveCharts saves every chart of the document as NAME.png and NAME.svg.
func (d Document) SaveCharts(dir string) error {
	for _, s := range d.Sections {
		for _, f := range s.Figures {
			if err := f.File.Save(dir, f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
