// Package statusline shows, below a program's log, one line that is overwritten again and again.
package statusline

import (
	"io"
	"os"
	"sync"
)

// Line is a writer for the log, and the line below what it wrote. It is safe for concurrent use.
type Line struct {
	// Terminal is true if the writer is one; anywhere else no line can be overwritten.
	Terminal bool

	to  io.Writer
	mu  sync.Mutex
	now string // on the screen
}

// New returns the line of a writer, which is a terminal if it is a file of that kind.
func New(to io.Writer) *Line {
	l := &Line{to: to}
	if file, ok := to.(*os.File); ok {
		info, err := file.Stat()
		l.Terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return l
}

// erase goes to the start of the line and empties it.
const erase = "\r\x1b[K"

// Write writes a piece of the log above the line.
func (l *Line) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now == "" {
		return l.to.Write(p)
	}
	if _, err := io.WriteString(l.to, erase); err != nil {
		return 0, err
	}
	n, err := l.to.Write(p)
	if err == nil {
		_, err = io.WriteString(l.to, l.now)
	}
	return n, err
}

// Show replaces the line; anywhere but on a terminal it is printed once.
func (l *Line) Show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.Terminal {
		_, _ = io.WriteString(l.to, text+"\n")
		return
	}
	_, _ = io.WriteString(l.to, erase+text)
	l.now = text
}

// Clear removes the line.
func (l *Line) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != "" {
		_, _ = io.WriteString(l.to, erase)
		l.now = ""
	}
}
