package options

import "testing"

func TestEdits(t *testing.T) {
	cases := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"same", "same", 0},
		{"kitten", "sitting", 3}, {"hnag", "hang", 2}, {"rot-timeout", "root-timeout", 1},
	}
	for _, c := range cases {
		if got := edits(c.a, c.b); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestHint(t *testing.T) {
	many := make([]string, ListedMax+1)
	for i := range many {
		many[i] = "other"
	}
	many[7] = "timeout"
	cases := []struct {
		word  string
		known []string
		want  string
	}{
		{"hnag", []string{"hang", "crash"}, "; did you mean hang? Known: hang, crash"},
		{"Crahs", []string{"hang", "CRASH"}, "; did you mean CRASH? Known: hang, CRASH"},
		{"nothing", []string{"hang", "crash"}, "; known: hang, crash"},
		{"timout", many, "; did you mean timeout?"},
		{"nothing", many, ""},
		{"max-seg", []string{"max-segs", "max-segment-bytes", "timeout"},
			"; did you mean max-segs or max-segment-bytes? Known: max-segs, max-segment-bytes, timeout"},
		{"a", []string{"a1", "a2", "a3", "a4"}, "; did you mean a1? Known: a1, a2, a3, a4"},
	}
	for _, c := range cases {
		if got := Hint(c.word, c.known); got != c.want {
			t.Errorf("Hint(%q) is %q, want %q", c.word, got, c.want)
		}
	}
}
