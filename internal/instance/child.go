package instance

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

	"sluice/flusher"
	"sluice/internal/ingest"
	"sluice/internal/pipeline"
)

// MaybeRun runs a consumer and never returns if this process was started as one. It is to be called
// before anything else in main, and in TestMain of tests that start consumers, as is
// spawn.MaybeWorker: a consumer's workers are this program, too.
func MaybeRun() {
	if len(os.Args) < 2 || os.Args[1] != marker {
		return
	}
	os.Exit(childMain())
}

// childMain is main of a consumer process; it returns the exit code.
func childMain() int {
	// The harness alone ends its consumers.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	reports := os.NewFile(3, "reports")
	if err := errors.Join(wantPipe(os.Stdin), wantPipe(reports)); err != nil {
		fmt.Fprintf(os.Stderr, "%s is how this program starts itself; it is not for the command "+
			"line: %v\n", marker, err)
		return codeMisused
	}
	_ = os.WriteFile("/proc/self/comm", []byte("sluice-consumer"), 0) // what process lists show
	orders := json.NewDecoder(bufio.NewReader(os.Stdin))
	var first order
	if err := orders.Decode(&first); err != nil {
		return codeOrphan
	}
	out := newOutbox(reports)
	err := consume(first, orders, out)
	word := report{}
	if err != nil {
		word.LastWord = err.Error()
	}
	out.close(word)
	if err != nil {
		return codeFailed
	}
	return codeFinished
}

// wantPipe refuses anything but a pipe.
func wantPipe(f *os.File) error {
	if f == nil {
		return errors.New("no report pipe")
	}
	info, err := f.Stat()
	if err == nil && info.Mode()&os.ModeNamedPipe == 0 {
		err = fmt.Errorf("%s is no pipe", f.Name())
	}
	return err
}

// consume runs the pipeline until it is told to stop, or ends by itself.
func consume(first order, orders *json.Decoder, out *outbox) error {
	cfg, err := pipeline.ReadPortable(first.Begin)
	if err != nil {
		return err
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	if first.Log {
		cfg.Log = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	cfg.Events = func(e flusher.Event) { out.send(report{Event: &e}) }
	cfg.IngestEvents = func(e ingest.Event) { out.send(report{Ingest: portable(e)}) }
	cfg.Fresh = func(worker int, samples []time.Duration) {
		out.send(report{Fresh: &fresh{worker, samples}})
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop, stopNow := context.WithCancel(ctx)
	defer stopNow()
	go follow(orders, stopNow)
	p, err := pipeline.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.Close()
	out.send(report{Open: true})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(stop, p, out)
	}()
	err = p.Run(ctx, stop)
	stopNow()
	<-watched
	out.send(report{Look: look(p)})
	return err
}

// follow obeys the harness, and ends the process without a word when there is none any more.
func follow(orders *json.Decoder, stop context.CancelFunc) {
	for {
		var o order
		switch err := orders.Decode(&o); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			os.Exit(codeOrphan)
		case err != nil:
			fmt.Fprintln(os.Stderr, "the harness's order cannot be read:", err)
			os.Exit(codeOrphan)
		case o.Stop:
			stop()
		}
	}
}

// lookEvery is how often the harness hears how things stand.
const lookEvery = 50 * time.Millisecond

// watch tells how things stand until ctx is done.
func watch(ctx context.Context, p *pipeline.Pipeline, out *outbox) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			out.send(report{Look: look(p)})
		}
	}
}

func look(p *pipeline.Pipeline) *Look {
	return &Look{
		Workers:  p.Workers(),
		Pids:     p.Pids(),
		Closed:   flusher.SortedShards(p.Supervisor().Closed()),
		Ready:    p.Ready(),
		Counters: p.Counters(),
	}
}
