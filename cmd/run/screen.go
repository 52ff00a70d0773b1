package main

import (
	"io"
	"log/slog"
	"os"
	"sync"

	"sluice/internal/config"
)

// screen is stderr: the log, and below it one line that is overwritten again and again. Where
// stderr is not a terminal, each such line is printed once.
type screen struct {
	out      io.Writer
	terminal bool

	mu   sync.Mutex
	line string // the live line now on the screen
}

func newScreen(f *os.File) *screen {
	info, err := f.Stat()
	return &screen{out: f, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// eraseLine goes to the start of the line and empties it.
const eraseLine = "\r\x1b[K"

// Write writes a piece of the log above the live line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line == "" {
		return s.out.Write(p)
	}
	if _, err := io.WriteString(s.out, eraseLine); err != nil {
		return 0, err
	}
	n, err := s.out.Write(p)
	if err == nil {
		_, err = io.WriteString(s.out, s.line)
	}
	return n, err
}

// show replaces the live line.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.terminal {
		_, _ = io.WriteString(s.out, line+"\n")
		return
	}
	_, _ = io.WriteString(s.out, eraseLine+line)
	s.line = line
}

// clear removes the live line.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line != "" {
		_, _ = io.WriteString(s.out, eraseLine)
		s.line = ""
	}
}

// newLogger logs text on a terminal and JSON elsewhere, unless told otherwise.
func newLogger(s *screen, cfg config.Run) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && s.terminal {
		return slog.New(slog.NewTextHandler(s, options))
	}
	return slog.New(slog.NewJSONHandler(s, options))
}
