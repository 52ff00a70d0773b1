package judge

import (
	"strings"
	"testing"
)

// TestThroughputStandsBesideTheLoad: where the last record comes long after the load, a system that kept up
// has a throughput below it, and a reader sees of which two rates and times.
func TestThroughputStandsBesideTheLoad(t *testing.T) {
	e := clean()
	e.FirstSeconds, e.LastSeconds, e.Balance.Records = 0, 2*e.LoadSeconds, 1
	var text strings.Builder
	if err := Judge(e).WriteText(&text, ""); err != nil {
		t.Fatal(err)
	}
	const want = "50 spans/s, 0.00 MB/s from the first record to the last, which came 10.0 s after the load of 100 spans/s\n"
	if !strings.Contains(text.String(), want) {
		t.Errorf("want %q in\n%s", want, &text)
	}
}
