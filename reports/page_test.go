package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

// The page says everything, and what comes from outside cannot become markup.
func TestPage(t *testing.T) {
	events := []Event{{T: 1.5, Kind: EventWorker, Worker: 1, State: "hung", Text: "<b>no beat</b>"}}
	var out bytes.Buffer
	err := Page{
		Result: Result{
			Scenario: "hang", Verdict: "safety violated", Replay: "go run ./cmd/simulate run hang",
			Invariants: []Judgement{{Name: "conservation", Verdict: Violated, Detail: "3 spans lost"}},
			Ledger:     Ledger{Sent: 30111, Dropped: map[string]int64{"dead_lettered": 7}},
			Workers:    []WorkerSummary{{Worker: 1, Shards: []int{1, 5}, Restarts: 2}},
		},
		Description: "What it shows.", Events: events,
		Chart: NewTimeline(events, nil).Chart(), Scenario: "name: hang\n",
	}.Write(&out)
	if err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, want := range []string{
		`class="failed">safety violated`, `class="violated">violated<td>3 spans lost`, ">30111<",
		"7 dead_lettered", "1, 5", "&lt;b&gt;no beat&lt;/b&gt;", "go run ./cmd/simulate run hang",
		"name: hang", "<svg",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "<b>") || strings.Contains(page, "<?xml") {
		t.Error("the page has foreign markup")
	}
	svg := page[strings.Index(page, "<svg") : strings.Index(page, "</svg>")+len("</svg>")]
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
	}
}
