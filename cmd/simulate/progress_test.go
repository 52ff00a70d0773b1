package main

import (
	"strings"
	"testing"
	"time"

	"sluice/internal/harness"
	"sluice/internal/statusline"
	"sluice/reports"
	"sluice/scenarios"
)

// TestProgress: what the line says is true in each phase, and the whole of it fits 80 columns as
// long as nothing is wrong.
func TestProgress(t *testing.T) {
	s := scenarios.Default()
	s.Duration, s.Expectations.DrainMax = 15*time.Second, 6*time.Second
	var screen strings.Builder
	p := newProgress(&screen, s)
	p.line.Terminal = true
	healthy := []reports.State{"healthy", "healthy", "healthy", "healthy"}
	enter := func(phase string, at float64) {
		p.show(harness.Progress{Event: &reports.Event{Kind: reports.EventPhase, Text: phase, T: at}})
	}
	shows := func(want string, states []reports.State, faults []string, sample reports.Sample) {
		t.Helper()
		screen.Reset()
		p.show(harness.Progress{Sample: sample, States: states, Faults: faults})
		if got := strings.TrimPrefix(screen.String(), statusline.Erase); got != want {
			t.Errorf("shows\n%s, want\n%s", got, want)
		}
	}
	enter(reports.PhaseLoad, 0)
	shows("load 10.0 of 15 s  in  2500/s  out  2400/s  buffered  1000  workers 4 healthy", healthy, nil,
		reports.Sample{T: 10, Sent: 25000, Flushed: 24000})
	shows("load 10.1 of 15 s  in  2500/s  out  2400/s  buffered  1000  workers 1 hung, 1 …",
		[]reports.State{"healthy", "hung"}, []string{"hang worker 1"},
		reports.Sample{T: 10.1, Sent: 25000, Flushed: 24000})
	enter(reports.PhaseDrain, 15)
	shows("drain 5.9 of at most 6 s  out  1000/s  buffered     0  workers 4 healthy", healthy, nil,
		reports.Sample{T: 20.9, Sent: 34900, Flushed: 34900})
	shows("drain 6.4 s, longer than the 6 s allowed  out     0/s  buffered     0  workers…", healthy,
		nil, reports.Sample{T: 21.4, Sent: 34900, Flushed: 34900})
	enter(reports.PhaseStop, 22)
	shows("stop 0.5 s  out     0/s  buffered     0  workers 4 stopped  backlog 7",
		[]reports.State{"stopped", "stopped", "stopped", "stopped"}, nil,
		reports.Sample{T: 22.5, Sent: 34900, Flushed: 34900, Backlog: 7})
}
