package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sluice/internal/config"
	"sluice/internal/httpapi"
	"sluice/internal/kafkaio"
	"sluice/internal/logging"
	"sluice/internal/pipeline"
	"sluice/internal/statusline"
)

// closeMax bounds how long closing the connections may take: a server that is down must not keep
// the program from exiting.
const closeMax = 3 * time.Second

// program is one run.
type program struct {
	cfg     config.Run
	log     *slog.Logger
	out     *logging.Output
	screen  *statusline.Line
	signals <-chan os.Signal
}

// notify returns the signals that end the program, and those that would if nobody heard them. The
// channel is made before anything else starts, so that none is missed.
func notify() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM,
		syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	// A reader of the log that goes away is an error of a write, and not the end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return signals
}

// run returns when everything has ended. The exit code counts if there is no error.
func (p *program) run() (int, error) {
	ctx, atOnce := context.WithCancel(context.Background())
	defer atOnce()
	stop, drain := context.WithCancel(ctx)
	defer drain()
	done := make(chan struct{})
	var err error // written before done is closed
	go func() {
		defer close(done)
		err = p.live(ctx, stop, drain)
	}()
	if p.obey(done, drain, atOnce) {
		// Do not wait for what is stuck on a server. The workers end with this process.
		select {
		case <-done:
		case <-time.After(closeMax):
		}
		return codeAtOnce, nil
	}
	return codeDone, err
}

// obey follows the signals until done: the first one drains, the second ends at once.
func (p *program) obey(done <-chan struct{}, drain, atOnce func()) (forced bool) {
	for draining := false; ; {
		select {
		case <-done:
			return false
		case s := <-p.signals:
			if !p.ends(s) {
				continue
			}
			if draining {
				p.log.Warn("exiting at once", "signal", s.String())
				atOnce()
				return true
			}
			draining = true
			p.log.Info("finishing what is in flight; a second signal exits at once", "signal", s.String(),
				"at_most", p.patience())
			drain()
		}
	}
}

// ends tells whether a signal asks the program to end.
func (p *program) ends(s os.Signal) bool {
	switch s {
	case syscall.SIGINT, syscall.SIGTERM:
		return true
	case syscall.SIGHUP:
		if p.cfg.KillSwitchFile != "" {
			return false // watch reloads it
		}
		if p.screen.Terminal {
			return true
		}
		p.log.Info("nothing to reload: there is no --kill-switch", "signal", s.String())
	default:
		p.log.Info("a signal without a meaning, ignored", "signal", s.String())
	}
	return false
}

// patience says how long draining may take.
func (p *program) patience() string {
	if d := p.cfg.Pipeline.Flusher.ShutdownTimeout; d >= 0 {
		return d.String()
	}
	return "as long as it takes"
}

// live is the run itself.
func (p *program) live(ctx, stop context.Context, drain func()) error {
	listener, err := p.listen() // first of all: a start by mistake must not join the group as the one that runs
	if err != nil {
		return err
	}
	if listener != nil {
		defer func() { _ = listener.Close() }()
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "sluice_log_lines_dropped_total",
			Help: "Lines of the log that were dropped because nobody reads it, or it is not read fast enough.",
		}, func() float64 { return float64(p.out.Dropped()) }))
	c := p.cfg.Pipeline
	c.Log, c.Hooks = p.log, httpapi.KafkaHooks(registry)
	if p.cfg.KillSwitchFile != "" {
		k, err := config.OpenKillSwitch(p.cfg.KillSwitchFile, p.log)
		if err != nil {
			return err
		}
		c.KillSwitch = k.Rules
		defer p.watch(ctx, k)()
	}
	var demo *demo
	if p.cfg.Embedded {
		if demo, err = newDemo(&c, p.cfg); err != nil {
			return fmt.Errorf("embedded servers: %w", err)
		}
		defer demo.close()
	}
	line, err := pipeline.Open(stop, c)
	if err != nil {
		if errors.Is(err, context.Canceled) && stop.Err() != nil {
			return nil // asked to stop before it had started
		}
		if _, missing := errors.AsType[*kafkaio.MissingTopicsError](err); missing {
			err = fmt.Errorf("%w (--create-topics does that)", err)
		}
		return err
	}
	registry.MustRegister(httpapi.NewCollector(line))
	if listener != nil {
		server := httpapi.Serve(listener, line, registry, p.log)
		defer server.Close()
		p.log.Info("serving http", "address", "http://"+server.Addr())
	}
	return p.move(ctx, stop, drain, line, demo)
}

// move runs the pipeline until it is asked to stop.
func (p *program) move(
	ctx, stop context.Context, drain func(), line *pipeline.Pipeline, demo *demo,
) error {
	p.log.Info("reading spans", "input", p.cfg.Pipeline.InputTopic,
		"output", p.cfg.Pipeline.OutputTopic, "group", p.cfg.Pipeline.Group)
	if demo != nil {
		defer demo.start(stop, drain, p, line)()
	} else if p.cfg.Duration > 0 {
		defer time.AfterFunc(p.cfg.Duration, drain).Stop()
	}
	err := line.Run(ctx, stop)
	p.close(line)
	if err == nil {
		p.log.Info("ended")
	}
	return err
}

// close closes the connections, but waits only closeMax for a server that does not answer.
func (p *program) close(line *pipeline.Pipeline) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		line.Close()
	}()
	select {
	case <-done:
	case <-time.After(closeMax):
		p.log.Warn("gave up closing connections: a server does not answer", "after", closeMax)
	}
}

// listen takes the address of the HTTP server; nil if none is wanted.
func (p *program) listen() (net.Listener, error) {
	if p.cfg.HTTP == "" {
		return nil, nil
	}
	listener, err := httpapi.Listen(p.cfg.HTTP)
	if err != nil {
		return nil, fmt.Errorf("--http: %w (another address, or off)", err)
	}
	return listener, nil
}

// watch follows the kill switch's file, and SIGHUP, until the returned function is called.
func (p *program) watch(ctx context.Context, k *config.KillSwitch) func() {
	ctx, cancel := context.WithCancel(ctx)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	var watching sync.WaitGroup
	watching.Go(func() { k.Watch(ctx, hup) })
	return func() {
		signal.Stop(hup)
		cancel()
		watching.Wait()
	}
}
