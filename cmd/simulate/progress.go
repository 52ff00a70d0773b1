package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"sluice/internal/harness"
	"sluice/internal/statusline"
	"sluice/reports"
	"sluice/scenarios"
)

// progress shows a run as it happens: on a terminal in one line that is overwritten again and
// again, elsewhere by its events only.
type progress struct {
	line *statusline.Line
	load time.Duration // how long it takes
	// drainMax is how long the drain may take.
	drainMax time.Duration

	mu    sync.Mutex
	phase string
	since float64 // when the phase began, in seconds since the load did
	last  reports.Sample
	rate  [2]float64
	over  bool
}

func newProgress(to io.Writer, s scenarios.Scenario) *progress {
	p := &progress{line: statusline.New(to), load: s.Duration, drainMax: s.Expectations.DrainMax}
	if p.line.Terminal {
		p.line.Show("starting servers and workers")
	}
	return p
}

func (p *progress) show(now harness.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if now.Event != nil {
		p.event(*now.Event)
		return
	}
	if !p.line.Terminal {
		return
	}
	if dt := now.Sample.T - p.last.T; dt > 0.45 {
		p.rate = [2]float64{float64(now.Sample.Sent-p.last.Sent) / dt,
			float64(now.Sample.Flushed-p.last.Flushed) / dt}
		p.last = now.Sample
	}
	p.line.Show(p.text(now))
}

// text is the line: what a narrow terminal cuts off at its end is what matters least.
func (p *progress) text(now harness.Progress) string {
	text := p.stage(now.Sample.T)
	if p.phase == reports.PhaseLoad {
		text += fmt.Sprintf("  in %5.0f/s", p.rate[0])
	}
	text += fmt.Sprintf("  out %5.0f/s  buffered %5d  %s", p.rate[1], now.Sample.Buffered(),
		workers(now.States))
	if now.Sample.Backlog > 0 {
		text += fmt.Sprintf("  backlog %d", now.Sample.Backlog)
	}
	if len(now.Faults) > 0 {
		text += "  fault: " + strings.Join(now.Faults, ", ")
	}
	return text
}

// stage says how far the run is, in seconds since the load began.
func (p *progress) stage(t float64) string {
	lasted := t - p.since
	switch bound := p.drainMax.Seconds(); {
	case p.phase == reports.PhaseLoad:
		return fmt.Sprintf("load %4.1f of %g s", t, p.load.Seconds())
	case p.phase == reports.PhaseDrain && lasted > bound:
		return fmt.Sprintf("drain %.1f s, longer than the %g s allowed", lasted, bound)
	case p.phase == reports.PhaseDrain:
		return fmt.Sprintf("drain %.1f of at most %g s", lasted, bound)
	}
	return fmt.Sprintf("%s %.1f s", p.phase, lasted)
}

// workers counts workers by state, those first that are not well.
func workers(states []reports.State) string {
	count := map[reports.State]int{}
	for _, s := range states {
		count[s]++
	}
	var words []string
	for _, s := range unwellFirst {
		if count[s] > 0 {
			words = append(words, fmt.Sprintf("%d %s", count[s], s))
		}
	}
	return "workers " + strings.Join(words, ", ")
}

// unwellFirst are the states of workers, in the order in which a reader wants to see them.
var unwellFirst = []reports.State{
	reports.StateHung, reports.StateDead, reports.StateRestarting, reports.StateBackpressure,
	reports.StateStarting, reports.StateStopped, reports.StateHealthy,
}

// event prints the events that a reader wants to know about.
func (p *progress) event(e reports.Event) {
	if e.Kind == reports.EventPhase {
		p.phase, p.since = e.Text, e.T
	}
	if text := e.Says(); text != "" {
		fmt.Fprintf(p.line, "%6.1f s  %s\n", e.T, text)
	}
}

// end removes the line; nothing is shown afterwards.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.Clear()
	p.over = true
}
