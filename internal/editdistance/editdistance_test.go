package editdistance

import "testing"

func TestOf(t *testing.T) {
	cases := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"same", "same", 0},
		{"kitten", "sitting", 3}, {"hnag", "hang", 2}, {"rot-timeout", "root-timeout", 1},
	}
	for _, c := range cases {
		if got := Of(c.a, c.b); got != c.want {
			t.Errorf("Of(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
