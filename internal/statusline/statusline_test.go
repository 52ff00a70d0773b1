package statusline

import (
	"fmt"
	"strings"
	"testing"
)

// The log goes above the line, which stays the last thing on the screen until it is cleared.
func TestLogGoesAboveTheLine(t *testing.T) {
	var screen strings.Builder
	l := New(&screen)
	l.Terminal = true
	fmt.Fprintln(l, "one")
	l.Show("50 %")
	fmt.Fprintln(l, "two")
	l.Show("60 %")
	l.Clear()
	l.Clear()
	fmt.Fprintln(l, "three")
	want := "one\n" + erase + "50 %" + erase + "two\n" + "50 %" + erase + "60 %" + erase + "three\n"
	if got := screen.String(); got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}

// What cannot be overwritten is printed line by line.
func TestElsewhereEachLineIsPrintedOnce(t *testing.T) {
	var file strings.Builder
	l := New(&file)
	l.Show("50 %")
	fmt.Fprintln(l, "log")
	l.Clear()
	if got, want := file.String(), "50 %\nlog\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
}
