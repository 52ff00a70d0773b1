package spawn

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

	"sluice/flusher"
	"sluice/internal/child"
)

// MaybeWorker runs the worker and never returns if this process was started as one. It is to be
// called before anything else in main, and in TestMain of tests that start worker processes.
func MaybeWorker() {
	if len(os.Args) < 3 || os.Args[1] != marker {
		return
	}
	os.Exit(workerMain(os.Args[2]))
}

// workerMain is main of a worker process; it returns the exit code.
func workerMain(name string) int {
	// The parent alone ends its workers. (SIGHUP: it means "reload" to the parent, and the kernel
	// sends it to a group that is orphaned while it is frozen; the end of stdin comes with that.)
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	reports, err := child.Reports()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is how this program starts itself; it is not for the command "+
			"line: %v\n", marker, err)
		return codeMisused
	}
	// What process lists show; the kernel's own choice would be "exe". Elsewhere than on Linux it
	// stays as it is.
	_ = os.WriteFile("/proc/self/comm", []byte("sluice-worker"), 0)
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))
	first, err := begun(orders)
	if err != nil {
		return codeOrphan
	}
	out := newOutbox(reports)
	err = work(name, first, orders, out)
	out.close(err)
	if err != nil {
		return codeFailed
	}
	return codeFinished
}

// begun waits for the first order.
func begun(orders *json.Decoder) (*begin, error) {
	var o order
	if err := orders.Decode(&o); err != nil {
		return nil, err
	}
	if o.Begin == nil {
		return nil, errors.New("the first order does not begin")
	}
	return o.Begin, nil
}

// work runs the registered function until it returns, and follows the parent's orders beside it.
func work(name string, first *begin, orders *json.Decoder, reporter flusher.Reporter) error {
	run, err := lookUp(name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop, stopNow := context.WithCancel(ctx)
	defer stopNow()
	go follow(orders, stopNow)
	level := slog.HandlerOptions{Level: first.LogLevel}
	return run(ctx, stop, Job{
		Spec:     first.Spec,
		Settings: first.Settings,
		Reporter: reporter,
		Log:      slog.New(slog.NewJSONHandler(os.Stderr, &level)),
	})
}

// follow obeys the parent, and ends the process without a word when there is none any more: what
// is in flight then is the next owner's.
func follow(orders *json.Decoder, stop context.CancelFunc) {
	for {
		var o order
		switch err := orders.Decode(&o); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			os.Exit(codeOrphan)
		case err != nil:
			fmt.Fprintln(os.Stderr, "the parent's order cannot be read:", err)
			os.Exit(codeOrphan)
		case o.Stop:
			stop()
		}
	}
}
