package judge

import (
	"strings"
	"testing"

	"sluice/reports"
)

// TestMessagesAreReadAgain for a reason: something that hits who reads, or what is not seen.
func TestMessagesAreReadAgain(t *testing.T) {
	for fault, want := range map[string]reports.Verdict{
		"at 4s crash worker 1": reports.Violated, "at 4s rebalance for 1s": reports.Violated,
		"at 4s stop consumer for 1s": reports.Violated, "at 4s jump clock by 1s": reports.Violated,
		"slow source.commit by 1s": reports.Violated,
		"refuse spawner.start 1":   reports.Violated, "lose store.adopt every 2": reports.Violated,
		"refuse store.memory 2..4": reports.Violated, "lose store.beat 3": reports.Violated,
		"at 4s crash consumer": reports.Passed, "at 4s cut redis for 1s": reports.Passed,
		"at 4s stop kafka for 1s": reports.Passed, "lose store.attach every 2": reports.Passed,
	} {
		e := clean()
		e.Lives[1].Messages++
		worker := reports.NoWorker
		if strings.HasSuffix(fault, "worker 1") {
			worker = 1
		}
		e.Events = []reports.Event{{T: 4, Kind: reports.EventFaultBegin, Worker: worker, Fault: fault}}
		if verdict, reason := reading.judge(e); verdict != want {
			t.Errorf("%s: %s: %s", fault, verdict, reason)
		}
		e.Slacks.Rereads = true
		if verdict, reason := reading.judge(e); verdict != reports.Passed {
			t.Errorf("%s, on the wall clock: %s: %s", fault, verdict, reason)
		}
		e.Lives[0].Messages -= 2
		if verdict, reason := reading.judge(e); verdict != reports.Violated {
			t.Errorf("%s, not all: %s: %s", fault, verdict, reason)
		}
		e.Lives[0].Drained = false
		if verdict, reason := reading.judge(e); verdict != reports.Passed {
			t.Errorf("%s, a consumer fell: %s: %s", fault, verdict, reason)
		}
	}
}
