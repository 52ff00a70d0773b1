// Command run is the production program: spans in, segments out.
//
//	run --redis HOST:PORT --kafka HOST:PORT     with servers
//	run --embedded                              without any servers, to try it
//	run --help                                  all flags, by variable and file too
//
// The first Ctrl-C (SIGINT, SIGTERM) stops reading, finishes what is in flight and exits; the
// second exits at once. Nothing is lost either way: what is not committed is read again. SIGHUP
// reloads the kill switch. Exit codes: 0 after a requested stop; 1 if a server or a topic is
// missing, or the restart budget is used up; 2 for a bad flag, variable or file; 130 if a second
// signal ended it.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"sluice/internal/config"
	"sluice/internal/process"
	"sluice/internal/statusline"
)

// Exit codes.
const (
	codeDone   = 0
	codeFailed = 1
	codeUsage  = 2
	codeAtOnce = 130
)

func main() {
	process.MaybeChild()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	cfg, err := config.Parse(args, version(), stdout)
	switch {
	case errors.Is(err, config.ErrHelp):
		return codeDone
	case err != nil:
		return report(stderr, err)
	}
	screen := statusline.New(stderr)
	log := newLogger(screen, cfg)
	for _, name := range config.UnknownVariables(os.Environ()) {
		log.Warn("unknown variable, ignored", "variable", name)
	}
	p := program{cfg: cfg, log: log, screen: screen, signals: notify()}
	code, err := p.run()
	if err != nil {
		screen.Clear()
		return report(stderr, err)
	}
	return code
}

// report prints each error on its own line, and returns the exit code.
func report(stderr io.Writer, err error) int {
	for line := range strings.Lines(err.Error()) {
		_, _ = fmt.Fprintln(stderr, "run: "+strings.TrimRight(line, "\n"))
	}
	if _, usage := errors.AsType[*config.UsageError](err); usage {
		_, _ = fmt.Fprintln(stderr, "run: see run --help for all flags")
		return codeUsage
	}
	return codeFailed
}

// version is what the toolchain recorded in the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	text := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			text += " " + s.Value
		}
	}
	return strings.TrimSpace(text + " " + info.GoVersion)
}

// newLogger logs text on a terminal and JSON elsewhere, unless told otherwise.
func newLogger(s *statusline.Line, cfg config.Run) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && s.Terminal {
		return slog.New(slog.NewTextHandler(s, options))
	}
	return slog.New(slog.NewJSONHandler(s, options))
}
