// Package statusline shows, below a program's log, one line that is overwritten again and again.
package statusline

import (
	"io"
	"os"
	"sync"

	"github.com/mattn/go-runewidth"
	"golang.org/x/sys/unix"
)

// Line is a writer for the log, and the line below what it wrote. It is safe for concurrent use.
type Line struct {
	// Terminal is true if the writer is one; anywhere else no line can be overwritten.
	Terminal bool

	to      io.Writer
	columns func() int // of the terminal
	mu      sync.Mutex
	now     string // on the screen
}

// New returns the line of a writer, which is a terminal if it is a file of that kind. A terminal
// that calls itself dumb (TERM) can Erase nothing, and is treated like a file.
func New(to io.Writer) *Line {
	l := &Line{to: to, columns: func() int { return columnsUnknown }}
	if file, ok := to.(*os.File); ok {
		size := func() (*unix.Winsize, error) {
			return unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
		}
		_, err := size()
		l.Terminal = err == nil && os.Getenv("TERM") != "dumb"
		l.columns = func() int {
			if now, err := size(); err == nil && now.Col > 0 {
				return int(now.Col)
			}
			return columnsUnknown
		}
	}
	return l
}

// Through makes everything go to a writer before the one that the line was made for. It is to be
// called before anything is written.
func (l *Line) Through(to io.Writer) { l.to = to }

// columnsUnknown is how wide a terminal is that does not tell.
const columnsUnknown = 80

// Erase goes to the start of the line and empties it.
const Erase = "\r\x1b[K"

// Write writes a piece of the log above the line.
func (l *Line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == "" {
		return l.to.Write(p)
	}
	if _, err := io.WriteString(l.to, Erase); err != nil {
		return 0, err
	}
	n, err := l.to.Write(p)
	if err == nil {
		_, err = io.WriteString(l.to, l.now)
	}
	return n, err
}

// Show replaces the line, cut to what the terminal can show of it: a line that wraps cannot be
// erased. Anywhere but on a terminal it is printed once, whole.
func (l *Line) Show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Terminal {
		_, _ = io.WriteString(l.to, text+"\n")
		return
	}
	// The last column stays free: some terminals wrap as soon as it is written.
	l.now = runewidth.Truncate(text, l.columns()-1, "…")
	_, _ = io.WriteString(l.to, Erase+l.now)
}

// Clear removes the line.
func (l *Line) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != "" {
		_, _ = io.WriteString(l.to, Erase)
		l.now = ""
	}
}
