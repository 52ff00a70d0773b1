package main

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"sluice/internal/harness"
	"sluice/internal/statusline"
	"sluice/reports"
	"sluice/scenarios"
)

// progress shows a run as it happens: on a terminal in one line that is overwritten again and
// again, elsewhere by its events only.
type progress struct {
	line    *statusline.Line
	name    string
	seconds float64

	mu   sync.Mutex
	last reports.Sample
	rate [2]float64
	over bool
}

func newProgress(to io.Writer, s scenarios.Scenario) *progress {
	return &progress{line: statusline.New(to), name: s.Name, seconds: s.Duration.Seconds()}
}

// letters stand for the states of workers.
var letters = map[reports.State]string{
	reports.StateStarting: "s", reports.StateHealthy: "+", reports.StateBackpressure: "B",
	reports.StateHung: "H", reports.StateDead: "D", reports.StateRestarting: "R",
	reports.StateStopped: ".",
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
	text := fmt.Sprintf("%s %-5s %5.1f of %.0f s  in %6.0f/s  out %6.0f/s  backlog %6d  "+
		"buffered %7d  workers ", p.name, now.Phase, now.Sample.T, p.seconds, p.rate[0], p.rate[1],
		now.Sample.Backlog, now.Sample.Buffered())
	for _, state := range now.States {
		text += letters[state]
	}
	if len(now.Faults) > 0 {
		text += "  fault: " + strings.Join(now.Faults, ", ")
	}
	p.line.Show(text)
}

// event prints the events that a reader wants to know about.
func (p *progress) event(e reports.Event) {
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
