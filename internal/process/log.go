package process

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// logLineMax is where a longer line of a child's stderr is cut in two, in bytes.
	logLineMax = 64 << 10
	// crashBytesMax bounds what is kept of the stack traces that a crash writes.
	crashBytesMax = 32 << 10
)

// forwarder passes a child's log on. Lines that are not log records come from the Go runtime, when
// it crashes; they are kept together and logged as one.
type forwarder struct {
	what  string // the child in the log's own words, such as "worker"
	log   *slog.Logger
	crash strings.Builder
}

// follow reads until the end: a pipe that nobody reads would stop the child.
func (f *forwarder) follow(stderr io.Reader) {
	in := bufio.NewReaderSize(stderr, logLineMax)
	for {
		line, err := in.ReadSlice('\n')
		f.line(bytes.TrimRight(line, "\r\n"))
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
	}
	if f.crash.Len() > 0 {
		f.log.Error(f.what+" crashed", "stderr", f.crash.String())
	}
}

func (f *forwarder) line(line []byte) {
	crashing := f.crash.Len() > 0
	if !crashing && (len(line) == 0 || f.forward(line)) {
		return
	}
	switch text := string(line); {
	case !crashing && !isCrash(text):
		f.log.Warn(f.what+" wrote to stderr", "line", text)
	case f.crash.Len()+len(text) < crashBytesMax:
		f.crash.WriteString(text + "\n")
	}
}

func isCrash(line string) bool {
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") ||
		strings.HasPrefix(line, "SIG") || strings.HasPrefix(line, "runtime: ")
}

// forward logs a record of the child as the parent's own, with the time at which it was written.
func (f *forwarder) forward(line []byte) bool {
	var record struct {
		Time  time.Time   `json:"time"`
		Level *slog.Level `json:"level"`
		Msg   string      `json:"msg"`
	}
	attrs := map[string]any{}
	if json.Unmarshal(line, &record) != nil || record.Level == nil ||
		decodeExact(line, &attrs) != nil {
		return false
	}
	ctx := context.Background()
	if !f.log.Enabled(ctx, *record.Level) {
		return true
	}
	ours := slog.NewRecord(record.Time, *record.Level, record.Msg, 0)
	for _, key := range slices.Sorted(maps.Keys(attrs)) {
		if key != "time" && key != "level" && key != "msg" {
			ours.AddAttrs(slog.Any(key, attrs[key]))
		}
	}
	// A log that cannot be written has nobody to be told.
	_ = f.log.Handler().Handle(ctx, ours)
	return true
}

// decodeExact keeps numbers as they are written: a count of spans is not a float.
func decodeExact(line []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	return dec.Decode(into)
}

// lastWord is what a child's exit says if the child itself could not: the first line of the crash.
// It is to be asked for after follow returned.
func (f *forwarder) lastWord() error {
	line, _, _ := strings.Cut(f.crash.String(), "\n")
	if line == "" {
		return errors.New("it ended without saying why")
	}
	return fmt.Errorf("it crashed: %s", line)
}

// levelOf finds the lowest level that a logger writes, which is the one that a child needs.
func levelOf(log *slog.Logger) slog.Level {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if log.Enabled(context.Background(), level) {
			return level
		}
	}
	return slog.LevelError
}
