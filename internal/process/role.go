package process

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sluice/internal/logging"
)

// Exit codes of a child. A panic of the Go runtime is 2.
const (
	CodeFinished = 0
	CodeFailed   = 1
	CodeMisused  = 64
	CodeOrphan   = 65
)

// Role is a part that this program plays in a process of its own. S are the settings that it is
// started with, and R is what it reports; both cross as JSON.
type Role[S, R any] struct {
	// Name is what process lists show, after "sluice-", and the hidden argument, after "__".
	Name string
	// Rhythm is when it reports.
	Rhythm Rhythm
	// Run is the life of the child. It returns nil after it was asked to stop, by the end of the
	// context, and finished what was in flight; or early with an error.
	Run func(stop context.Context, settings S, parent *Parent[R]) error
}

// Rhythm is when a child writes to its parent.
type Rhythm struct {
	// Pause is the least time between two writes. 0: news are told at once.
	Pause time.Duration
	// Beat is how often to write without news. 0: never.
	Beat time.Duration
	// Farewell bounds how long an ending child waits for a parent that does not read. 0: what it
	// has not written yet is lost.
	Farewell time.Duration
}

// roles are the main functions of the roles, by hidden argument.
var roles = make(map[string]func() int)

// Register makes a role known to this program and to the children that it starts. It is called
// while packages are initialised, before MaybeChild. A name that is taken is a panic.
func Register[S, R any](r Role[S, R]) *Role[S, R] {
	if roles[r.marker()] != nil {
		panic(fmt.Sprintf("process: role %q is registered twice", r.Name))
	}
	roles[r.marker()] = r.main
	return &r
}

// MaybeChild runs the role that this process was started for, and never returns then; without one
// it does nothing. It is to be called before anything else in main, and in TestMain of tests that
// start children.
func MaybeChild() {
	if len(os.Args) < 2 {
		return
	}
	if main, is := roles[os.Args[1]]; is {
		os.Exit(main())
	}
}

// marker is the hidden first argument.
func (r *Role[S, R]) marker() string { return "__" + r.Name }

// order is a line from parent to child. The first one begins, a later one stops.
type order[S any] struct {
	Begin *begin[S] `json:"begin,omitempty"`
	Stop  bool      `json:"stop,omitempty"`
}

type begin[S any] struct {
	Settings S          `json:"settings"`
	LogLevel slog.Level `json:"log_level"`
}

// line is what a child writes: a report or its last word.
type line[R any] struct {
	Report *R `json:"report,omitempty"`
	// LastWord is the error that the child ends with.
	LastWord string `json:"last_word,omitempty"`
}

// main is main of the child; it returns the exit code.
func (r *Role[S, R]) main() int {
	// The parent alone ends its children. (SIGHUP: it means "reload" to a parent, and the kernel
	// sends it to a group that is orphaned while it is frozen; the end of stdin comes with that.)
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	pipe, err := reportPipe()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is how this program starts itself; it is not for the command "+
			"line: %v\n", r.marker(), err)
		return CodeMisused
	}
	// What process lists show; the kernel's own choice would be "exe". Elsewhere than on Linux it
	// stays as it is.
	_ = os.WriteFile("/proc/self/comm", []byte("sluice-"+r.Name), 0)
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))
	var first order[S]
	if err := orders.Decode(&first); err != nil || first.Begin == nil {
		return CodeOrphan
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, logging.Options(first.Begin.LogLevel)))
	parent := newParent[R](pipe, r.Rhythm, log)
	stop, stopNow := context.WithCancel(context.Background())
	go follow(orders, stopNow)
	err = r.Run(stop, first.Begin.Settings, parent)
	stopNow()
	parent.close(err)
	if err != nil {
		return CodeFailed
	}
	return CodeFinished
}

// follow obeys the parent, and ends the process silently when the parent is gone: what
// is in flight then is the next owner's, and its own children end with it.
func follow(orders *json.Decoder, stop context.CancelFunc) {
	for {
		var o order[json.RawMessage]
		switch err := orders.Decode(&o); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			os.Exit(CodeOrphan)
		case err != nil:
			fmt.Fprintln(os.Stderr, "the parent's order cannot be read:", err)
			os.Exit(CodeOrphan)
		case o.Stop:
			stop()
		}
	}
}
