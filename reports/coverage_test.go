package reports

import (
	"bytes"
	"strings"
	"testing"
)

var stages = []CoverageStages{
	{PartWorker, []string{"starting", "idle", "lease", "claim", "load", "produce", "wait", "ack", "release",
		"down"}},
	{PartConsumer, []string{"poll", "commit"}},
}

func TestCoverage(t *testing.T) {
	var c Coverage
	c.Add(CoverageCell{Fault: "slow-start worker", Part: PartWorker, Stage: "produce", Count: 1_234_567})
	c.Add(CoverageCell{Fault: "slow-start worker", Part: PartWorker, Stage: "idle", Count: 12_345})
	c.Add(CoverageCell{Fault: "black-hole kafka", Part: PartConsumer, Stage: "poll", Count: 2})
	c.AddAll(Coverage{{Fault: "black-hole kafka", Part: PartConsumer, Stage: "poll", Count: 3},
		{Fault: "slow-start worker", Part: PartWorker, Stage: "ack", Waived: "it cannot be"},
		{Fault: "slow-start worker", Part: PartWorker, Stage: "load"}})
	var text bytes.Buffer
	if err := c.WriteText(&text, stages); err != nil {
		t.Fatal(err)
	}
	const want = ` worker            start idle lease claim load prod wait ack rel down
 slow-start worker     0  12k     0     0    0   1M    0   .   0    0
 consumer          poll commt
 black-hole kafka     5     0
`
	if text.String() != want {
		t.Errorf("the table is\n%s", &text)
	}
	for line := range strings.Lines(text.String()) {
		if len(line) > 80 {
			t.Errorf("a line has %d columns: %s", len(line), line)
		}
	}
	if empty := c.Empty(); len(empty) != 1 || empty[0].Stage != "load" {
		t.Errorf("empty cells: %+v", empty)
	}
	var picture bytes.Buffer
	if err := c.Chart(stages).WriteSVG(&picture); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"slow-start worker", "12k", "1M", hex(faultSet), hex(heat[len(heat)-1])} {
		if !strings.Contains(picture.String(), word) {
			t.Errorf("the picture lacks %q", word)
		}
	}
}
