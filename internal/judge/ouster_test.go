package judge

import (
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/reports"
)

// TestOusters: where a consumer may not get to its heartbeats, one that lost its partitions though nothing
// happened to it is no fault of the pipeline.
func TestOusters(t *testing.T) {
	e := clean()
	e.Events = nil
	e.Slacks.Uncovered = 5
	for i := range e.Looks { // it has no partitions for a second
		if t := e.Looks[i].T; t >= 3 && t < 4 {
			e.Looks[i].Consumers[0].States = nil
		}
	}
	again := ledger.Incident{Kind: ledger.Duplicated, Shard: 1, Spans: 1, From: 2900 * time.Millisecond,
		To: 4 * time.Second, First: "output record 0@1"}
	e.Balance.Findings[ledger.Duplicated] = ledger.Found{Count: 1, First: "output record 0@1"}
	e.Balance.Incidents = []ledger.Incident{again}
	e.Moves = append(e.Moves, moveOf(4, flusher.EventAssigned, 1, buffer.Shard(1), buffer.Shard(3)))
	for _, c := range []struct {
		name                 string
		rereads              bool
		ousters              []Ouster
		coverage, duplicates reports.Verdict
	}{
		{"in virtual time", false, []Ouster{{T: 3}}, reports.Violated, reports.Violated},
		{"on the wall clock", true, []Ouster{{T: 3}}, reports.Passed, reports.Unknown},
		{"without", true, nil, reports.Violated, reports.Violated},
	} {
		e.Slacks.Rereads, e.Ousters = c.rereads, c.ousters
		if verdict, reason := shardCoverage.judge(e); verdict != c.coverage {
			t.Errorf("%s: coverage %s: %s", c.name, verdict, reason)
		}
		verdict, reason := duplicates.judge(e)
		if verdict != c.duplicates {
			t.Errorf("%s: duplicates %s: %s", c.name, verdict, reason)
		}
		if c.duplicates == reports.Unknown && !strings.Contains(reason, "at 3.0s the consumer lost its partitions") {
			t.Errorf("%s: %q does not say why", c.name, reason)
		}
	}
}
