package compare

import (
	"fmt"
	"slices"
	"strings"

	"sluice/reports"
)

// Sequence is what happened in a run, in its order: faults, restarts, states of workers and consumers,
// gates.
type Sequence []Happening

// Happening is one of them.
type Happening struct {
	// T is when, in seconds since the start of the load.
	T float64 `json:"t"`
	// What it was, in words that have no figures of the run.
	What string `json:"what"`
}

// sequenceOf takes from the events of a run what another world must show too. Backpressure is left out,
// which comes and goes with every batch, and so is the end of the run.
func sequenceOf(events []reports.Event) Sequence {
	var s Sequence
	for _, e := range events {
		if e.Kind == reports.EventPhase && e.Text == reports.PhaseStop {
			break
		}
		if what := inWords(e); what != "" {
			s = append(s, Happening{e.T, what})
		}
	}
	return s.gathered()
}

// inWords returns what an event says without the figures of its run; "" if it does not count.
func inWords(e reports.Event) string {
	who := fmt.Sprintf("worker %d", e.Worker)
	switch e.Kind {
	case reports.EventFaultBegin:
		return "begin: " + e.Fault
	case reports.EventFaultEnd:
		return "end: " + e.Fault
	case reports.EventRestart:
		return "restart of " + who
	case reports.EventGateClosed:
		return "input paused"
	case reports.EventGateOpened:
		return "input resumed"
	case reports.EventWorker:
		if e.T > 0 && slices.Contains([]reports.State{reports.StateHung, reports.StateDead,
			reports.StateHealthy}, e.State) {
			return who + " is " + string(e.State)
		}
	case reports.EventConsumer:
		if e.T > 0 {
			return fmt.Sprintf("consumer %d is %s", e.Consumer, e.State)
		}
	}
	return ""
}

// gathered makes one of the same that follow each other, such as pauses of several shards, and leaves
// out that a worker is healthy which was so before.
func (s Sequence) gathered() Sequence {
	var kept Sequence
	was := map[string]string{}
	for _, h := range s {
		who, state, isState := strings.Cut(h.What, " is ")
		if isState {
			before, known := was[who]
			if was[who] = state; before == state || !known && state == string(reports.StateHealthy) {
				continue
			}
		}
		if n := len(kept); n > 0 && kept[n-1].What == h.What {
			continue
		}
		kept = append(kept, h)
	}
	return kept
}

// near is how close two things may be to have happened at once: then their order says nothing.
const near = 0.25

// Differ returns the first of what two runs do not have in common, in words; "" if the same happened
// in the same order. What happened within a quarter of a second is one moment.
func (s Sequence) Differ(other Sequence) string {
	for len(s) > 0 && len(other) > 0 {
		at := slices.IndexFunc(other, func(h Happening) bool { return h.What == s[0].What })
		switch {
		case at == 0:
		case at > 0 && other[at].T-other[0].T <= near: // it comes first in the other's moment, too
		case at < 0 || !movable(s, other[0].What):
			return fmt.Sprintf("%q at %.1f s, and in the other %q at %.1f s", s[0].What, s[0].T,
				other[0].What, other[0].T)
		default:
			// The other's first comes later here, but in the same moment.
			i := slices.IndexFunc(s, func(h Happening) bool { return h.What == other[0].What })
			s = slices.Delete(slices.Clone(s), i, i+1)
			other = other[1:]
			continue
		}
		s, other = s[1:], slices.Delete(slices.Clone(other), at, at+1)
	}
	switch {
	case len(s) > 0:
		return fmt.Sprintf("%q at %.1f s, and in the other nothing", s[0].What, s[0].T)
	case len(other) > 0:
		return fmt.Sprintf("nothing, and in the other %q at %.1f s", other[0].What, other[0].T)
	}
	return ""
}

// movable tells whether something happened in the first moment of a sequence.
func movable(s Sequence, what string) bool {
	return slices.ContainsFunc(s, func(h Happening) bool { return h.What == what && h.T-s[0].T <= near })
}
