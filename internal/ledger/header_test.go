package ledger

import (
	"fmt"
	"strings"
	"testing"
)

// TestHeadersAreJudgedWhole damages the headers of a right record, one at a time.
func TestHeadersAreJudgedWhole(t *testing.T) {
	for _, c := range []struct{ key, value string }{
		{HeaderSegment, ""}, {HeaderSegment, "B1E653A877706E0A"}, {HeaderSegment, "b1e6"},
		{HeaderTrace, "b1e6"}, {HeaderProject, "+1"}, {HeaderProject, "01"}, {HeaderProject, "-0"},
		{HeaderProject, "one"}, {HeaderGeneration, "P-0"}, {HeaderGeneration, "0-0"},
		{HeaderGeneration, "seven"},
		{HeaderGeneration, "P-+7"}, {HeaderGeneration, "0P-7"}, {HeaderGeneration, ""},
		{HeaderChunkIndex, "seven"}, {HeaderChunkIndex, ""}, {HeaderChunkIndex, "-1"},
		{HeaderChunkIndex, "1"}, {HeaderChunkIndex, "00"}, {HeaderChunkCount, "0"},
		{HeaderChunkCount, "1.0"}, {HeaderChunkCount, " 1"},
		{"extra", "x"}, {HeaderError, "whim"}, {HeaderChunkPart, ""}, {HeaderChunkPart, "0.2"},
		{HeaderChunkPart, "-1"}, {HeaderChunkPart, "0."}, {HeaderChunkPart, "0.00"},
	} {
		s := newSystem()
		s.send(0)
		c.value = strings.Replace(c.value, "P", fmt.Sprint(s.Partition(0)), 1)
		right := s.record(0, 0, places(0, 20)...)
		damaged := right
		if header(right.Headers, c.key) != nil {
			damaged = reheader(right, c.key, c.value)
		} else {
			damaged.Headers = append(right.Headers[:6:6], Header{c.key, []byte(c.value)})
		}
		s.ledger.Output(damaged)
		if got := s.ledger.Balance(0).Of(Malformed); got.Count != 1 {
			t.Errorf("%s %q: %v", c.key, c.value, got)
		}
	}
	s := newSystem()
	for i, key := range outputHeaders {
		for _, change := range []string{"twice", "missing"} {
			r := s.record(0, 0, 1)
			if change == "twice" {
				r.Headers = append(r.Headers, Header{key, header(r.Headers, key)})
			} else {
				r.Headers = append(r.Headers[:i:i], r.Headers[i+1:]...)
			}
			if _, err := readHeaders(r.Headers); err == nil {
				t.Errorf("header %d is %s", i, change)
			}
		}
	}
	for text, want := range map[string]bool{
		"0": true, "12": true, "3.0.1": true, "": false, "01": false,
	} {
		if isPart(text) != want {
			t.Errorf("part %q is %v", text, !want)
		}
	}
}
