package buffer

import (
	"fmt"
	"strings"
	"testing"
)

// parse reads spans written as "id<parent", where an id alone is a root; ids are one letter.
func parse(text string) []Span {
	var spans []Span
	for i, word := range strings.Fields(text) {
		id, parent, hasParent := strings.Cut(word, "<")
		span := Span{ID: SpanID{id[0]}, Parent: SpanID{id[0]}, Root: !hasParent}
		if hasParent {
			span.Parent = SpanID{parent[0]}
		}
		span.Position.Offset = int64(i)
		spans = append(spans, span)
	}
	return spans
}

// show writes a trace as "parent:ids".
func show(batch TraceBatch) string {
	var words []string
	for _, subtree := range batch.Subtrees {
		word := string(subtree.Parent[:1]) + ":"
		for _, span := range subtree.Spans {
			word += string(span.ID[:1])
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestGroup(t *testing.T) {
	cases := []struct{ name, spans, want string }{
		{"root and children in order", "a b<a c<b", "a:abc"},
		{"reverse order keeps arrival order", "c<b b<a a", "a:cba"},
		{"unseen parents stay apart", "b<a d<c", "a:b c:d"},
		{"a group moves under the parent of its head", "c<b d<x b<a", "a:cb x:d"},
		{"a nested root cuts the tree", "a b<a r c<r", "a:ab r:rc"},
		{"groups in the order of their first span", "x<w b<a y<w", "w:xy a:b"},
		{"a cycle ends at the span that closes it", "a<b b<a", "b:ab"},
		{"a longer cycle", "a<b b<c c<a", "c:abc"},
		{"its own parent", "a<a b<a", "a:ab"},
		{"the first of equal ids wins", "b<a b<x c<b", "a:bc"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			traces, _ := Group(parse(c.spans))
			if len(traces) != 1 || show(traces[0]) != c.want {
				t.Errorf("Group(%s) = %q, want %q", c.spans, show(traces[0]), c.want)
			}
		})
	}
}

func TestGroupSeparatesTracesAndCountsDuplicates(t *testing.T) {
	spans := parse("a b<a a b<a")
	for i := range spans {
		spans[i].Project = ProjectID(i % 2)
	}
	spans = append(spans, spans[0])
	traces, duplicates := Group(spans)
	if got := fmt.Sprint(show(traces[0]), " ", show(traces[1])); got != "a:a a:b" || duplicates != 3 {
		t.Errorf("got %q and %d duplicates, want %q and 3", got, duplicates, "a:a a:b")
	}
}
