package diff

import (
	"fmt"
	"io"
	"strings"

	"sluice/reports"
)

// WriteMarkdown writes the comparison for a pull request: the verdict, what is not passed, and the
// table, folded if nothing in it needs to be looked at.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("### simulate diff: %s\n", escape(c.Verdict))
	line("- A: %s\n- B: %s", escape(c.A.describe()), escape(c.B.describe()))
	for _, note := range c.Notes {
		line("- Note: %s", escape(note))
	}
	if c.Pairs > 0 {
		line("- %d of %s of the same seed the same, event by event", c.Same, count(c.Pairs, "pair"))
	}
	for _, j := range c.Judgements {
		if j.Verdict != reports.Passed && j.Name != eventByEvent {
			line("- **%s**: `%s`: %s", j.Verdict, j.Name, escape(j.Detail))
		}
	}
	if c.First != nil {
		line("\n```diff\n# seed %d: %s\n%s\n```", c.FirstSeed, c.First.where(),
			strings.Join(c.First.lines(), "\n"))
	}
	open := ""
	if c.Code != 0 {
		open = " open"
	}
	line("\n<details%s><summary>%s</summary>\n", open, count(len(c.Rows), "figure"))
	line("| group | %s |\n|%s", strings.Join(header, " | "), strings.Repeat("---|", len(header)+1))
	for i := range c.Rows {
		line("| %s | %s |", c.Rows[i].Group, escape(strings.Join(c.Rows[i].cells(), " | ")))
	}
	line("\n%s; %s.\n\n</details>", c.values(), c.tested())
	_, err := io.WriteString(w, text.String())
	return err
}

// escape keeps what Markdown would take for its own.
func escape(text string) string {
	return strings.NewReplacer("_", `\_`, "*", `\*`, "<", "&lt;").Replace(text)
}
