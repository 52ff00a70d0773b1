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
		"at 4s crash all workers": reports.Violated, "at 4s hang all workers": reports.Violated,
		"at 4s crash-loop all workers for 1s": reports.Violated,
		"crash after store.ack 50":            reports.Violated, "lose store.lease every 2": reports.Violated,
		"refuse store.claim 3": reports.Violated, "refuse store.load all": reports.Violated,
		"lose store.release 2": reports.Violated, "lose producer.produce every 10": reports.Violated,
		"lose store.fence every 2": reports.Violated,
		"refuse store.enqueue 3":   reports.Passed, "lose source.commit 2": reports.Passed,
		"refuse source.poll 2": reports.Passed, "lose dead-letters.produce 1": reports.Passed,
		"crash before store.ack 2, lose store.attach 2": reports.Passed,
		"at 4s hang host for 1s":                        reports.Passed, "at 4s fail partition 3 for 1s": reports.Passed,
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
