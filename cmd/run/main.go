// Command run is the production program: spans in, segments out.
//
//	run --redis HOST:PORT --kafka HOST:PORT     with servers
//	run --embedded                              without any servers, to try it
//	run --help                                  all flags, by variable and file too
//
// The first Ctrl-C (SIGINT, SIGTERM) stops reading, finishes what is in flight and exits; the
// second exits at once. Nothing is lost either way: what is not committed is read again. SIGHUP
// reloads the kill switch, if there is one; without one it drains if the log goes to a terminal, which
// is gone, and does nothing otherwise. Exit codes: 0 after a requested stop; 1 if a server or a topic is
// missing, or the restart budget is used up; 2 for a bad flag, variable or file; 130 if a second
// signal ended it.
package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"sluice/internal/config"
	"sluice/internal/logging"
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

// logWaitMax bounds how long the program waits at its end for whoever reads its log.
const logWaitMax = time.Second

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	cfg, err := config.Parse(args, process.Version(), stdout)
	switch {
	case errors.Is(err, config.ErrHelp):
		return codeDone
	case err != nil:
		return report(stderr, err)
	}
	signals := notify() // before anything is written: nobody may be there to read it
	screen := statusline.New(stderr)
	out := logging.NewOutput(stderr)
	defer out.Close(logWaitMax)
	screen.Through(out)
	limit := newLimit(screen, cfg)
	defer limit.Flush() // before out is closed
	log := slog.New(limit)
	for _, name := range config.UnknownVariables(os.Environ()) {
		log.Warn("unknown variable, ignored", "variable", name)
	}
	for _, doubt := range cfg.Doubts {
		log.Warn(doubt)
	}
	p := program{cfg: cfg, log: log, out: out, screen: screen, signals: signals}
	code, err := p.run()
	if err != nil {
		screen.Clear()
		return report(out, err)
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

// newLimit is the handler of a log: text on a terminal and JSON elsewhere, unless told otherwise.
func newLimit(s *statusline.Line, cfg config.Run) logging.Limit {
	options := logging.Options(cfg.LogLevel)
	if cfg.LogFormat == "text" || cfg.LogFormat == "auto" && s.Terminal {
		return logging.NewLimit(slog.NewTextHandler(s, options))
	}
	return logging.NewLimit(slog.NewJSONHandler(s, options))
}
