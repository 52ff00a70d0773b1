package judge

import (
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/reports"
)

// TestAShardWithoutAWorkerBesideAFault: it is excused as long as the fault lasts if that can keep shards from
// workers, and not if it only makes workers fail, or calls a little slow.
func TestAShardWithoutAWorkerBesideAFault(t *testing.T) {
	for fault, want := range map[string]reports.Verdict{
		"at 1s slow redis by 20ms":                  reports.Violated,
		"at 1s slow kafka answers by 20ms":          reports.Violated,
		"at 1s crash-loop all workers for 1h":       reports.Violated,
		"at 1s slow-start all workers by 1s for 1h": reports.Violated,
		"at 1s jump clock by 1h":                    reports.Violated,
		"at 1s fill redis for 1h":                   reports.Violated,
		"lose store.ack every 10":                   reports.Violated,
		"refuse spawner.start every 2":              reports.Violated,
		"lose store.fence every 2":                  reports.Violated,
		"slow store.attach by 20ms":                 reports.Violated,
		"at 1s slow redis by 1s":                    reports.Passed,
		"at 1s throttle redis to 20KiB/s":           reports.Passed,
		"at 1s stop redis for 1h":                   reports.Passed,
		"at 1s black-hole kafka for 1h":             reports.Passed,
		"at 1s hang host for 1h":                    reports.Passed,
		"at 1s crash consumer for 1h":               reports.Passed,
		"at 1s rebalance for 1h":                    reports.Passed,
		"slow source.poll by 1s":                    reports.Passed,
		"refuse source.poll every 2":                reports.Passed,
	} {
		e := clean()
		e.Slacks.Uncovered = 2
		e.Events = []reports.Event{
			{T: 1, Kind: reports.EventFaultBegin, Worker: reports.NoWorker, Fault: fault},
			{T: 12, Kind: reports.EventFaultEnd, Worker: reports.NoWorker, Fault: fault},
		}
		theFirst(3, 12, func(c *ConsumerLook) { c.States[0].Shards = []buffer.Shard{0} })(e)
		verdict, reason := shardCoverage.judge(e)
		if verdict != want ||
			want == reports.Violated && !strings.Contains(reason, "shard 2 belonged to no worker, since 3.000s") {
			t.Errorf("%s: %s: %s", fault, verdict, reason)
		}
	}
}
