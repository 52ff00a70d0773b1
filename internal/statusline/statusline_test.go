package statusline

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
	want := "one\n" + Erase + "50 %" + Erase + "two\n" + "50 %" + Erase + "60 %" + Erase + "three\n"
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

// A line that is too long for the terminal is cut by what it takes there, not by bytes or runes.
func TestTheLineFitsTheTerminal(t *testing.T) {
	var screen strings.Builder
	l := New(&screen)
	l.Terminal = true
	for _, c := range []struct {
		columns    int
		text, want string
	}{
		{8, "1234567", "1234567"},
		{8, "12345678", "123456…"},
		{8, "日本語です", "日本語…"}, // two columns each
		{7, "日本語です", "日本…"},
		{200, "日本語です", "日本語です"},
	} {
		l.columns = func() int { return c.columns }
		screen.Reset()
		l.Show(c.text)
		if got := screen.String(); got != Erase+c.want {
			t.Errorf("%q in %d columns is %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

// A pseudo-terminal is one, as wide as it says at each moment; what only looks like one is a file.
func TestTerminal(t *testing.T) {
	t.Setenv("TERM", "xterm")
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err != nil || New(null).Terminal {
		t.Errorf("%s is a terminal: %v", os.DevNull, err)
	}
	pty, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pty.Close()
	l := New(pty)
	for _, columns := range []uint16{0, 80, 132} {
		err := unix.IoctlSetWinsize(int(pty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
		if err != nil {
			t.Fatal(err)
		}
		want := cmp.Or(int(columns), columnsUnknown)
		if got := l.columns(); !l.Terminal || got != want {
			t.Errorf("terminal %v of %d columns, want %d", l.Terminal, got, want)
		}
	}
	t.Setenv("TERM", "dumb")
	if New(pty).Terminal {
		t.Error("a dumb terminal is taken for one that can erase a line")
	}
}
