package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// foreign is what a scenario may bring along, to be shown and never to be run.
const foreign = `<script>document.title="taken"</script><img src=x onerror="alert(1)">`

// violated is a page of a run that did not pass, with all that a page can show.
func violated() Page {
	events, samples := mixed()
	events = append(events, Event{T: 306, Kind: EventNote, Worker: 1, Shards: []int{1, 5},
		Text: "<b>no beat</b> " + foreign})
	return Page{
		Result: Result{
			Scenario: "mix", World: "real", Seed: 7, Verdict: "safety violated", Digest: "5a0b77c1e2f3d401",
			Replay: "go run ./cmd/simulate run mix --world real --servers start --seed 7 --out runs/mix-7",
			Invariants: []Judgement{
				{Name: "drains", Verdict: Violated, Detail: "12 spans are still buffered"},
				{Name: "conservation", Verdict: Violated, Detail: "3 spans lost, the first is 18223"},
				{Name: "process limit", Verdict: Passed, Detail: "at most 8 processes at once"},
				{Name: "memory bound", Verdict: NotMeasured, Detail: "workers are goroutines"},
			},
			Expectations: []Judgement{{Name: "freshness_p99_max", Verdict: Unknown,
				Detail: "nothing was flushed in the last minute"}},
			Ledger: Ledger{Sent: 7500111, Flushed: 7500089, Buffered: 12, Lost: 3, Duplicates: 250,
				Dropped: map[string]int64{"dead_lettered": 7}, Messages: 7500120, Records: 380112,
				Findings: map[string]int64{"malformed": 2}},
			Workers: []WorkerSummary{
				{Worker: 0, Shards: []int{0, 4}},
				{Worker: 1, Shards: []int{1, 5}, Restarts: 2,
					Causes: []string{"hang: no beat for 2s", "signal: killed (SIGKILL)"}},
			},
			Throughput: Throughput{SpansPerSecond: 24881.4, BytesPerSecond: 12.5e6},
			Freshness:  Quantiles{P50: 0.061, P90: 0.7, P99: 3.21, Max: 8.4, Count: 380112},
			Faults: append(FaultsOf(events),
				FaultSummary{Fault: "when 9000000 spans sent crash worker 0 " + foreign}),
			Harness: HarnessSummary{BehindSeconds: 0.412, CPUSeconds: 98,
				Limit: "it handed messages over up to 412 ms late, with 1.9 of 2 cores in use"},
			Run: RunSummary{WallSeconds: 312.4, DrainSeconds: 6.3},
		},
		Decisive: Judgement{Name: "conservation", Verdict: Violated,
			Detail: "3 spans lost, the first is 18223"},
		Description: "Everything at once, drawn from the seed. " + foreign,
		Timeline:    NewTimeline(events, samples), Events: events,
		Scenario: "name: mix\nduration: 5m\n# " + foreign + "\n",
	}
}

func written(t *testing.T, p Page) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestPageHead has what was planted, if anything was, and how long the run was in the time of its world.
func TestPageHead(t *testing.T) {
	p := violated()
	p.Result.Run.VirtualSeconds, p.Planted = 21.24, "defect kill-skipped"
	bare := violated()
	bare.Description = ""
	for want, page := range map[string]string{
		", 21.2 virtual s in 312.4 s, digest <code>":        written(t, p),
		"</code>, <strong>defect kill-skipped</strong></p>": written(t, p),
		"seed 7, 312.4 s, digest <code>":                    written(t, violated()),
		"</code></p>\n</header>":                            written(t, violated()),
		"<strong>mix</strong></p>":                          written(t, bare),
		"<strong>mix</strong>: Everything at once":          written(t, violated()),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// The page says everything, and what comes from outside cannot become markup.
func TestPage(t *testing.T) {
	page := written(t, violated())
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "report.html"), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`class="violated">safety violated</h1>`, "<strong>conservation</strong> is",
		"3 spans lost, the first is 18223", "process limit", "freshness_p99_max",
		"7\u202f500\u202f111 sent = 7\u202f500\u202f089 flushed &#43; 7 dropped (dead-lettered)",
		"2 malformed", "24\u202f881", "3.21 s", "<td>1, 5", "signal: killed (SIGKILL)",
		"&lt;b&gt;no beat&lt;/b&gt;", "--servers start", "name: mix", "<td class=\"number\">never",
		"harness was the limit", "412 ms late", "c1 worker 0", "(shards 1 5)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, bad := range []string{
		"<b>", "<?xml", "<script>document", "<img", "<no value>", "ZgotmplZ", "fill:#", "stroke:#",
	} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("the page has %d scripts, want the timeline and what it shows", n)
	}
	if h1, first := strings.Index(page, "<h1"), strings.Index(page, "is <span"); h1 > first {
		t.Error("the verdict is not first")
	}
	for _, svg := range strings.Split(page, "<svg")[1:] {
		element := "<svg" + svg[:strings.Index(svg, "</svg>")+len("</svg>")]
		for decoder := xml.NewDecoder(strings.NewReader(element)); ; {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("a picture is not XML: %v", err)
			}
		}
	}
}

// TestPageStylesEachVerdict: a verdict of two words is one class, and the style knows each.
func TestPageStylesEachVerdict(t *testing.T) {
	page := written(t, violated())
	for _, v := range []Verdict{Passed, Violated, Unknown, NotMeasured} {
		class := strings.ReplaceAll(string(v), " ", "-")
		cell := fmt.Sprintf(`<td class="verdict %s">%s<`, class, v)
		if !strings.Contains(page, cell) || !strings.Contains(page, "."+class+" {") {
			t.Errorf("verdict %q has no cell %s, or no style", v, cell)
		}
	}
}

// What decided comes from the judgements if the page is not told, and only where there is something
// to explain.
func TestPageNamesWhatDecided(t *testing.T) {
	p := violated()
	if page := written(t, p); !strings.Contains(page, "<strong>conservation</strong> is") {
		t.Error("the decisive judgement is not named")
	}
	p.Decisive, p.Result.Verdict = Judgement{}, string(Passed)
	if page := written(t, p); strings.Contains(page, `id="decisive"`) {
		t.Error("a page that passed names what decided")
	}
	p.Result.Verdict, p.Result.Cause = string(Unknown), "interrupted after 3.1 s"
	p.Result.Invariants, p.Result.Expectations = nil, nil
	page := written(t, p)
	if strings.Contains(page, `id="decisive"`) || !strings.Contains(page, "interrupted after 3.1 s") {
		t.Error("a page without judgements does not say its cause, or names a judgement")
	}
}

// A run of which nothing is known has a page that says so.
func TestPageOfNothing(t *testing.T) {
	page := written(t, Page{Result: Result{Verdict: "unknown"}})
	for _, want := range []string{"not known in this world", "none came in or out", "0 sent = "} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestNumbersForReaders(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1\u202f000",
		-1234567: "-1\u202f234\u202f567", -123: "-123"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) is %q, want %q", n, got, want)
		}
	}
	for v, want := range map[float64]string{
		0: "0 ms", 0.0612: "61 ms", 3.214: "3.21 s", 125: "125 s",
	} {
		if got := seconds(v); got != want {
			t.Errorf("seconds(%v) is %q, want %q", v, got, want)
		}
	}
}
