package scenarios

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestBriefIsTheSame: what is left out is read back as it was, of every scenario there is.
func TestBriefIsTheSame(t *testing.T) {
	for _, name := range append(List(), Museum()...) {
		s, _, err := LoadWith(name, os.ReadFile, "expectations.figures=[pauses >= 1]")
		if err != nil {
			t.Fatal(err)
		}
		brief := s.Brief()
		back, err := Read(name, []byte(brief))
		if err != nil || back.String() != s.String() {
			t.Errorf("%s: %v\n%s", name, err, brief)
		}
		if strings.Contains(brief, "flusher_mode") || strings.Contains(brief, fmt.Sprintf("\nseed: %d\n", Default().Seed)) {
			t.Errorf("%s: a default is left\n%s", name, brief)
		}
	}
}
