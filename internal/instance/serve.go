package instance

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"sluice/flusher"
	"sluice/internal/child"
	"sluice/internal/pipeline"
)

// MaybeRun runs the pipeline and never returns if this process was started as an instance. It is to
// be called before anything else in main, beside spawn.MaybeWorker, and in TestMain of tests that
// start instances.
func MaybeRun() {
	if len(os.Args) < 2 || os.Args[1] != marker {
		return
	}
	os.Exit(childMain())
}

// childMain is main of the child; it returns the exit code.
func childMain() int {
	// The harness alone ends its children. (SIGHUP: the kernel sends it to a group that is orphaned
	// while it is frozen; the end of stdin comes with that.)
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	reports, err := child.Reports()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s is how this program starts itself; it is not for the command "+
			"line: %v\n", marker, err)
		return codeMisused
	}
	// What process lists show; the kernel's own choice would be "exe". Elsewhere than on Linux it
	// stays as it is.
	_ = os.WriteFile("/proc/self/comm", []byte("sluice-consumer"), 0)
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))
	var first order
	if err := orders.Decode(&first); err != nil || first.Begin == nil {
		return codeOrphan
	}
	out := newOutbox(reports)
	err = serve(first.Begin, orders, out)
	out.close(err)
	if err != nil {
		return codeFailed
	}
	return codeFinished
}

// serve is the life of the pipeline.
func serve(first *begin, orders *json.Decoder, out *outbox) error {
	cfg, err := pipeline.Decode(first.Config)
	if err != nil {
		return err
	}
	level := slog.HandlerOptions{Level: first.LogLevel}
	cfg.Log = slog.New(slog.NewJSONHandler(os.Stderr, &level))
	cfg.Events, cfg.IngestEvents, cfg.Fresh = out.event, out.ingest, out.addFresh
	stop, stopNow := context.WithCancel(context.Background())
	defer stopNow()
	go follow(orders, stopNow)
	p, err := pipeline.Open(stop, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	out.opened(func() state {
		return state{
			Workers:  p.Workers(),
			Pids:     p.Pids(),
			Closed:   flusher.SortedShards(p.Closed()),
			Ready:    p.Ready(),
			Counters: p.Counters(),
		}
	})
	return p.Run(context.Background(), stop)
}

// follow obeys the harness, and ends the process without a word when there is none any more; its
// workers end with it.
func follow(orders *json.Decoder, stop context.CancelFunc) {
	for {
		var o order
		if err := orders.Decode(&o); err != nil {
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				fmt.Fprintln(os.Stderr, "the harness's order cannot be read:", err)
			}
			os.Exit(codeOrphan)
		}
		if o.Stop {
			stop()
		}
	}
}
