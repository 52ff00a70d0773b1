package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"sluice/internal/harness"
	"sluice/reports"
	"sluice/scenarios"
)

// progress shows a run as it happens: on a terminal in one line that is overwritten again and
// again, elsewhere by its events only.
type progress struct {
	to       io.Writer
	terminal bool
	name     string
	seconds  float64

	mu   sync.Mutex
	last reports.Sample
	rate [2]float64
	line bool // there is a line to overwrite
	over bool
}

func newProgress(to io.Writer, s scenarios.Scenario) *progress {
	p := &progress{to: to, name: s.Name, seconds: s.Duration.Seconds()}
	if file, ok := to.(*os.File); ok {
		info, err := file.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// clearLine moves the cursor to the start of the line and clears it.
const clearLine = "\r\x1b[K"

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
	if !p.terminal {
		return
	}
	if dt := now.Sample.T - p.last.T; dt > 0.45 {
		p.rate = [2]float64{float64(now.Sample.Sent-p.last.Sent) / dt,
			float64(now.Sample.Flushed-p.last.Flushed) / dt}
		p.last = now.Sample
	}
	var states strings.Builder
	for _, state := range now.States {
		states.WriteString(letters[state])
	}
	fmt.Fprintf(p.to, "%s%s %-5s %5.1f of %.0f s  in %6.0f/s  out %6.0f/s  backlog %6d  "+
		"buffered %7d  workers %s", clearLine, p.name, now.Phase, now.Sample.T, p.seconds, p.rate[0],
		p.rate[1], now.Sample.Backlog, now.Sample.Buffered(), states.String())
	if len(now.Faults) > 0 {
		fmt.Fprintf(p.to, "  fault: %s", strings.Join(now.Faults, ", "))
	}
	p.line = true
}

// event prints the events that a reader wants to know about.
func (p *progress) event(e reports.Event) {
	text := ""
	switch e.Kind {
	case reports.EventFaultBegin:
		text = "fault: " + e.Fault
	case reports.EventFaultEnd:
		text = "fault ended: " + e.Fault
	case reports.EventRestart:
		text = fmt.Sprintf("replacing worker %d: %s", e.Worker, e.Text)
	case reports.EventGateClosed:
		text = fmt.Sprintf("input of shards %v paused: %s", e.Shards, e.Text)
	case reports.EventGateOpened:
		text = fmt.Sprintf("input of shards %v resumed", e.Shards)
	case reports.EventConsumer:
		text = strings.TrimSuffix(fmt.Sprintf("consumer %d is %s: %s", e.Consumer, e.State, e.Text), ": ")
	case reports.EventNote:
		text = e.Text
	default:
		return
	}
	p.clear()
	// A reason may be several errors, one per line.
	fmt.Fprintf(p.to, "%6.1f s  %s\n", e.T, strings.ReplaceAll(text, "\n", "; "))
}

func (p *progress) clear() {
	if p.line {
		fmt.Fprint(p.to, clearLine)
		p.line = false
	}
}

// end removes the line; nothing is shown afterwards.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.over = true
}
