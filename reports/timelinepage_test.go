package reports

import (
	"encoding/json"
	"fmt"
	"html"
	"slices"
	"strings"
	"testing"

	"sluice/internal/load"
	"sluice/scenarios"
)

// driver frames a page, presses keys and chooses filters in it, and writes down after each what the
// timeline says.
const driver = `<!doctype html><body>
<iframe style="width:%dpx;height:900px;border:0" srcdoc="%s"></iframe>
<pre id="said"></pre><script>
const acts = %s
onload = () => {
  const frame = document.querySelector("iframe"), page = frame.contentDocument
  const at = id => page.getElementById("tl-" + id)
  const look = () => ({
    Now: at("now").textContent, Bad: at("now").className == "violated",
    Lanes: [...page.querySelectorAll("#tl-svg text")].map(t => t.textContent),
    State: [...at("state").children].map(e => e.textContent.trim()),
    Open: at("step").hidden ? [] : [...at("open").children].map(e => (e.className == "taken" ? "* " : "") + e.textContent),
    Changed: at("step").hidden ? [] : [...at("changed").children].map(e => [...e.children].map(c => c.textContent).join(": ")),
    Unknown: at("unknown").hidden ? "" : at("unknown").textContent,
    Journey: at("journey").hidden ? [] : [...at("journey").children].map(e => e.textContent),
  })
  const said = [look()]
  for (const [what, value] of acts) {
    const e = at(what)
    if (what == "key" || what == "shift") page.dispatchEvent(new frame.contentWindow.KeyboardEvent("keydown",
      {key: value, shiftKey: what == "shift", bubbles: true, cancelable: true}))
    else if (what == "click") at(value).click()
    else if (what == "span") { e.value = value; at("find").requestSubmit() }
    else { e.value = value; e.dispatchEvent(new Event("change", {bubbles: true})) }
    said.push(look())
  }
  document.getElementById("said").textContent = JSON.stringify(said)
}</script>`

// said is what the timeline shows.
type said struct {
	Now     string
	Bad     bool
	Lanes   []string
	State   []string
	Open    []string
	Changed []string
	Unknown string
	Journey []string
}

// act is a key that is pressed, a button that is clicked, or a filter that is chosen.
type act struct{ what, value string }

// drive does things to the timeline of a page; the first that is said is how it begins.
func drive(t *testing.T, page string, width int, acts ...act) []said {
	t.Helper()
	list := [][2]string{}
	for _, a := range acts {
		list = append(list, [2]string{a.what, a.value})
	}
	text, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	path := saved(t, "frame.html", fmt.Sprintf(driver, width, html.EscapeString(page), text))
	dom, log := chromium(t, path, "--dump-dom")
	if complained := complaints(log); len(complained) > 0 {
		t.Errorf("the page complains: %q", complained)
	}
	_, out, _ := strings.Cut(dom, `<pre id="said">`)
	out, _, _ = strings.Cut(out, "</pre>")
	var all []said
	if err := json.Unmarshal([]byte(html.UnescapeString(out)), &all); err != nil {
		t.Fatalf("%v in %q\n%s", err, out, log)
	}
	if len(all) != len(acts)+1 {
		t.Fatalf("%d answers to %d acts", len(all), len(acts))
	}
	return all
}

// told is a page of a short run with one violation.
func told() Page {
	events := []Event{
		{T: -0.1, Kind: EventWorker, Worker: 0, State: StateStarting},
		{T: -0.1, Kind: EventWorker, Worker: 1, State: StateStarting},
		{T: 0, Kind: EventPhase, Worker: NoWorker, Text: PhaseLoad},
		{T: 0, Kind: EventWorker, Worker: 0, State: StateHealthy},
		{T: 0, Kind: EventWorker, Worker: 1, State: StateHealthy},
		{T: 2, Kind: EventFaultBegin, Worker: 1, Fault: "at 2s hang worker 1"},
		{T: 4, Kind: EventWorker, Worker: 1, State: StateHung, Text: "no sign of life"},
		{T: 4, Kind: EventGateClosed, Worker: 1, Shards: []int{1, 3}, Text: "worker 1 is down"},
		{T: 6, Kind: EventGateOpened, Worker: 1, Shards: []int{1, 3}},
		{T: 7, Kind: EventFaultBegin, Worker: NoWorker, Fault: "at 7s pause redis for 1s"},
		{T: 10, Kind: EventPhase, Worker: NoWorker, Text: PhaseDrain},
	}
	var samples []Sample
	var glances []Glance
	for i := range 101 {
		at := float64(i) / 10
		samples = append(samples, Sample{T: at, Sent: int64(100 * i), Flushed: int64(90 * i)})
		stage := "idle"
		if i == 50 {
			stage = "ack"
		}
		glances = append(glances, Glance{T: at, Workers: []WorkerGlance{
			{Worker: 0, Stage: stage, Up: true, Shards: []int{0, 2}},
			{Worker: 1, Stage: "idle", Up: i < 40 || i > 60, Shards: []int{1, 3}},
		}})
	}
	at := 5.0
	result := Result{Scenario: "told", Verdict: "safety violated", Invariants: []Judgement{
		{Name: "process limit", Verdict: Violated, Detail: "at 5.0s there were 3", At: &at}}}
	timeline := NewTimeline(events, samples)
	return Page{Result: result, Timeline: timeline, Events: events, Decisive: result.Invariants[0],
		Story: NewStory(timeline, events, Watched{Glances: glances}, result)}
}

// TestTimelineKeys: the page begins at the violation, and steps from it in both directions.
func TestTimelineKeys(t *testing.T) {
	all := drive(t, written(t, told()), 1200,
		act{"key", "ArrowRight"}, act{"key", "ArrowLeft"}, act{"key", "p"}, act{"key", "Home"},
		act{"key", "v"}, act{"key", "End"}, act{"click", "bad-prev"}, act{"shift", "ArrowRight"})
	for i, want := range []string{
		"5.0 s (9 of 12): process limit is violated: at 5.0s there were 3",
		"6.0 s (10 of 12): input of shards [1 3] resumed",
		"5.0 s (9 of 12): process limit",
		"4.0 s (8 of 12): input of shards [1 3] paused: worker 1 is down",
		"-0.1 s (1 of 12): worker 0 is starting",
		"5.0 s (9 of 12): process limit",
		"10.0 s (12 of 12): phase: drain",
		"5.0 s (9 of 12): process limit",
		"5.101 s (between events)",
	} {
		if !strings.HasPrefix(all[i].Now, want) {
			t.Errorf("after %d acts it says %q, want %q", i, all[i].Now, want)
		}
		if all[i].Bad != strings.Contains(want, ": process limit") {
			t.Errorf("after %d acts: violated is %v", i, all[i].Bad)
		}
	}
	for _, want := range []string{"worker 0 healthy, ack", "worker 1 hung", "shard 0 worker 0",
		"shard 3 worker 1, down, input paused: worker 1 is down", "spans buffered 500"} {
		if !strings.Contains(strings.Join(all[0].State, "\n"), want) {
			t.Errorf("at 5 s %q is missing in %q", want, all[0].State)
		}
	}
}

// TestTimelineFilters: a worker's lanes are its own and those of its shards; events of others go, and
// what concerns all stays.
func TestTimelineFilters(t *testing.T) {
	all := drive(t, written(t, told()), 420, act{"worker", "0:0"}, act{"key", "Escape"},
		act{"shard", "3"}, act{"key", "n"})
	for i, want := range []struct {
		in, out []string
		now     string
	}{
		{[]string{"worker 0", "worker 1", "shard 0", "shard 3"}, nil, "5.0 s (9 of 12): process"},
		{[]string{"worker 0", "shard 0", "shard 2"}, []string{"worker 1", "shard 1", "shard 3"},
			"5.0 s (4 of 6): process"},
		{[]string{"worker 0", "worker 1", "shard 0", "shard 3"}, nil, "5.0 s (9 of 12): process"},
		{[]string{"worker 1", "shard 3"}, []string{"worker 0", "shard 0", "shard 1"}, "5.0 s (7 of 10): process"},
		{[]string{"worker 1", "shard 3"}, []string{"worker 0"}, "6.0 s (8 of 10): input of shards [1 3] resumed"},
	} {
		lanes := "\n" + strings.Join(all[i].Lanes, "\n") + "\n"
		for _, name := range want.in {
			if !strings.Contains(lanes, "\n"+name+"\n") {
				t.Errorf("after %d acts there is no lane %s", i, name)
			}
		}
		for _, name := range want.out {
			if strings.Contains(lanes, "\n"+name+"\n") {
				t.Errorf("after %d acts there is a lane %s", i, name)
			}
		}
		if !strings.HasPrefix(all[i].Now, want.now) {
			t.Errorf("after %d acts it says %q, want %q", i, all[i].Now, want.now)
		}
	}
}

// TestSearchPage: each step has the choices that were open and what it changed, forwards and back.
func TestSearchPage(t *testing.T) {
	lane := func(name string, values ...string) StoryLane {
		l := StoryLane{Name: name, Worker: NoWorker, Shard: NoShard}
		for i, value := range values {
			l.Bars = append(l.Bars, StoryBar{float64(i) - 0.5, float64(i) + 0.5, "down", value})
		}
		return l
	}
	page := SearchPage{Title: "explore protocol " + foreign, Wrong: "lost: a0", System: "1 worker", Command: "again",
		Story: &Story{Unit: UnitSteps, To: 2,
			Lanes: []StoryLane{lane("reader 0", "idle", "about to attach", "idle"), lane("span a0", "input", "input", "nowhere")},
			Moments: []StoryMoment{
				{T: 0, Text: "the beginning", Worker: NoWorker, Taken: -1, Open: []string{}},
				{T: 1, Text: "reader 0: read a0", Worker: NoWorker, Open: []string{"reader 0: read a0", "reader 0 crashes"},
					Changed: []StoryChange{{"reader 0", "idle", "about to attach " + foreign}}},
				{T: 2, Text: "reader 0 crashes", Worker: NoWorker, Bad: true, Taken: 1,
					Open:    []string{"reader 0: attach a0", "reader 0 crashes"},
					Changed: []StoryChange{{"span a0", "input", "nowhere"}}},
			}}}
	var out strings.Builder
	if err := page.Write(&out); err != nil {
		t.Fatal(err)
	}
	const shortest, perhaps = "No way to it is shorter in this system.", "Perhaps there is a shorter way to it"
	if text := out.String(); strings.Contains(text, shortest) || !strings.Contains(text, perhaps) {
		t.Errorf("the page of a way that is perhaps not the shortest does not say %q", perhaps)
	}
	page.Shortest = true
	out.Reset()
	if err := page.Write(&out); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, shortest) || strings.Contains(text, perhaps) {
		t.Errorf("the page of the shortest way does not say %q", shortest)
	}
	all := drive(t, out.String(), 1000, act{"key", "ArrowRight"}, act{"key", "n"}, act{"key", "ArrowLeft"},
		act{"key", "Home"}, act{"key", "v"})
	for i, want := range []struct{ now, open, changed, state string }{
		{"step 0 of 2: the beginning", "", "", "span a0 input"},
		{"step 1 of 2: reader 0: read a0", "* reader 0: read a0|reader 0 crashes", "reader 0: idle: about to attach " + foreign,
			"reader 0 about to attach"},
		{"step 2 of 2: reader 0 crashes", "reader 0: attach a0|* reader 0 crashes", "span a0: input: nowhere", "span a0 nowhere"},
		{"step 1 of 2: ", "* reader 0: read a0|reader 0 crashes", "reader 0: idle: about to attach " + foreign, "span a0 input"},
		{"step 0 of 2: ", "", "", "reader 0 idle"},
		{"step 2 of 2: ", "reader 0: attach a0|* reader 0 crashes", "span a0: input: nowhere", "reader 0 idle"},
	} {
		got := all[i]
		if !strings.HasPrefix(got.Now, want.now) || strings.Join(got.Open, "|") != want.open ||
			strings.Join(got.Changed, "|") != want.changed || !strings.Contains(strings.Join(got.State, "|"), want.state) {
			t.Errorf("after %d acts: %+v, want %+v", i, got, want)
		}
	}
}

// TestWhereIsASpan: ids are those of the load, a span's way is told from its sending to its record, and
// what the page does not know it says.
func TestWhereIsASpan(t *testing.T) {
	recipe := load.NewRecipe(scenarios.Default().Workload, 4, 7)
	id, trace := recipe.Keys()
	page := told()
	page.Story.Spans = &StorySpans{
		IDKey: fmt.Sprintf("%016x", id), TraceKey: fmt.Sprintf("%016x", trace), Exact: true, Total: 2, Beyond: 5,
		Look: []string{recipe.ID(21).String()},
		Traces: []StoryTrace{
			{Root: 0, Partition: 2, Sent: []int{500, NotSent, 100}, Offsets: []int64{7, NotSent, 2}, Generations: []string{"2-17", "2-18"},
				Entries: []SpanEntry{
					{At: 700, Step: SpanStored, Worker: NoWorker, Spans: "0"},
					{At: 800, Step: SpanStored, Worker: NoWorker, Generation: 1, Spans: "2"},
					{At: 2000, Step: SpanLeased, Worker: 1}, {At: 2001, Step: SpanLoaded, Worker: 1, Spans: "0"},
					{At: 2002, Step: SpanOut, Generation: -1, Spans: "0", Place: "1@99"},
					{At: 2003, Step: SpanAcked, Worker: 1},
					{At: 3000, Step: SpanAcked, Worker: 0, Generation: 1},
				}},
			{Root: 20, Partition: 3, Sent: []int{1000, 10}, Offsets: []int64{NotSent, NotSent}, Entries: []SpanEntry{
				{At: 4000, Step: SpanOut, Generation: -1, Spans: "0-1", Place: "3@1"},
				{At: 5000, Step: SpanOut, Generation: -1, Spans: "0-1", Place: "3@2"}}},
		}}
	all := drive(t, written(t, page), 1000, act{"span", recipe.ID(0).String()}, act{"key", "n"},
		act{"span", recipe.ID(2).String()}, act{"span", "1"}, act{"span", recipe.ID(21).String()},
		act{"span", recipe.Trace(20).String()}, act{"span", "123456789"}, act{"span", "xyz"}, act{"key", "Escape"})
	for i, want := range []struct {
		unknown string
		journey []string
		now     string
	}{
		{},
		{"place 1 of its trace, partition 2: came out.", []string{"0.5 s sent to 2@7 of the input",
			"0.7 s stored by consumer 0, in generation 2-17", "2.0 s generation 2-17 is leased by worker 1",
			"2.001 s generation 2-17 is loaded by worker 1", "2.002 s out: output record 1@99",
			"2.003 s generation 2-17 is acknowledged by worker 1, and deleted"}, "0.5 s (4 of"},
		{"place 1 of its trace", nil, "0.7 s (5 of"},
		{"place 3 of its trace, partition 2: never came out.", []string{"0.6 s sent to 2@9 of the input",
			"0.8 s stored by consumer 0, in generation 2-18",
			"3.0 s generation 2-18 is acknowledged by worker 0, and deleted"}, "0.6 s"},
		{"number 1, at place 2 of its trace, partition 2: never sent.", []string{}, ""},
		{"place 2 of its trace, partition 3: came out 2 times.", []string{"1.01 s sent to partition 3 of the input",
			"4.0 s out: output record 3@1", "5.0 s again out: output record 3@2"}, "1.01 s"},
		{"Trace with 2 spans, the first of which is number 20", []string{"1.0 s its first span is sent",
			"1.01 s its last span is sent", "4.0 s out: output record 3@1 (spans 0-1)",
			"5.0 s out: output record 3@2 (spans 0-1)"}, "1.0 s"},
		{"It is number 123456789, which was not followed, or not sent.", []string{}, ""},
		{"That is no id", []string{}, ""},
		{},
	} {
		got := all[i]
		if !strings.Contains(got.Unknown, want.unknown) || want.unknown == "" && got.Unknown != "" ||
			!strings.HasPrefix(got.Now, want.now) ||
			want.journey != nil && strings.Join(got.Journey, "|") != strings.Join(want.journey, "|") {
			t.Errorf("after %d acts: %q, %q, %q; want %+v", i, got.Unknown, got.Journey, got.Now, want)
		}
	}
	if lanes := strings.Join(all[1].Lanes, "|"); !strings.Contains(lanes, "shard 2") || strings.Contains(lanes, "shard 3") {
		t.Errorf("of the span's shard and others there are lanes %q", lanes)
	}
}

// TestTimelineBeginsAtItsFragment: a link leads to a moment, a worker, a span.
func TestTimelineBeginsAtItsFragment(t *testing.T) {
	path := saved(t, "report.html", written(t, told()))
	dom, log := chromium(t, path+"#worker=0:1&t=6.000", "--dump-dom")
	if said := complaints(log); len(said) > 0 {
		t.Errorf("the page complains: %q", said)
	}
	_, now, _ := strings.Cut(dom, `<p id="tl-now"`)
	now, _, _ = strings.Cut(now, "</p>")
	if !strings.Contains(now, "<strong>6.0 s</strong> (8 of 10): input of shards [1 3] resumed") {
		t.Errorf("it begins with %q", now)
	}
	for _, want := range []string{`href="#t=5.000">show</a>`, `href="#t=7.000">7.00</a>`, `href="#t=2.000">2.00 s</a>`} {
		if !strings.Contains(dom, want) {
			t.Errorf("there is no link %s", want)
		}
	}
}

// TestPageOfALongRunIsBounded: it is thinned, and says so; what is wrong stays.
func TestPageOfALongRunIsBounded(t *testing.T) {
	page := told()
	var events []Event
	var samples []Sample
	watched := Watched{}
	for i := range 20_000 {
		at := float64(i) / 10
		samples = append(samples, Sample{T: at, Sent: int64(i), Flushed: int64(i / 2)})
		watched.Glances = append(watched.Glances, Glance{T: at, Workers: []WorkerGlance{
			{Stage: []string{"idle", "lease"}[i%2], Up: true, Shards: []int{i % 4}}}})
		events = append(events, Event{T: at, Kind: EventWorker, Worker: i % 2, State: States()[i%7]},
			Event{T: at, Kind: EventNote, Worker: NoWorker, Text: "something"})
	}
	page.Timeline, page.Events = NewTimeline(events, samples), nil
	page.Story = NewStory(page.Timeline, events, watched, page.Result)
	text := written(t, page)
	if len(page.Story.Moments) > momentsMax+1 {
		t.Errorf("%d moments", len(page.Story.Moments))
	}
	if !slices.ContainsFunc(page.Story.Moments, func(m StoryMoment) bool { return m.Bad }) {
		t.Error("the violation is lost")
	}
	for _, want := range []string{"every 17th of 20000 looks", "Curves: every 25th of 20000 samples",
		"Events: ", "Of 20000 samples every 14th is drawn here"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q: %q", want, page.Story.Notes)
		}
	}
	for _, c := range page.Story.Curves {
		if len(c.Xs) > pointsMax {
			t.Errorf("%s has %d points", c.Name, len(c.Xs))
		}
	}
	for _, l := range page.Story.Lanes {
		if n := len(l.Bars) + len(l.Under); n > 3*barsMax {
			t.Errorf("%s has %d bars", l.Name, n)
		}
	}
}

// TestWhoseRecordItWas: where the world does not see the worker, the owner of the shard stands in.
func TestWhoseRecordItWas(t *testing.T) {
	page := told()
	page.Story.Spans = &StorySpans{IDKey: "0", TraceKey: "0", Total: 1, Traces: []StoryTrace{{
		Partition: 3, Sent: []int{1000}, Offsets: []int64{5},
		Entries: []SpanEntry{{At: 2000, Step: SpanOut, Generation: -1, Spans: "0", Place: "1@9"}}}}}
	got := drive(t, written(t, page), 1000, act{"span", "0"})[1].Journey
	want := "1.0 s sent to 3@5 of the input|2.0 s out: output record 1@9; the owner of shard 3 is worker 1 then"
	if strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", got, want)
	}
}
