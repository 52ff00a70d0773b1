package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	keep   = flag.String("keep", "", "directory in which to keep charts and page, to look at them")
)

// recorded is a run of 14 s in which worker 1 hangs at 4 s and is replaced at 7 s, and worker 2 is
// killed at 8 s.
func recorded() ([]Event, []Sample) {
	events := []Event{{T: -1, Kind: EventPhase, Worker: NoWorker, Text: "start"}}
	worker := func(t float64, worker int, state State) {
		events = append(events, Event{T: t, Kind: EventWorker, Worker: worker, State: state})
	}
	for w := range 4 {
		worker(-1, w, StateStarting)
		worker(-0.4-float64(w)/20, w, StateHealthy)
	}
	worker(3, 3, StateBackpressure)
	worker(3.6, 3, StateHealthy)
	events = append(events,
		Event{T: 4, Kind: EventFaultBegin, Worker: 1, Fault: "at 4s hang worker 1"})
	worker(4, 1, StateHung)
	worker(6.2, 1, StateDead)
	worker(6.3, 1, StateRestarting)
	worker(7, 1, StateHealthy)
	events = append(events,
		Event{T: 7, Kind: EventFaultEnd, Worker: 1, Fault: "at 4s hang worker 1"},
		Event{T: 8, Kind: EventFaultBegin, Worker: 2, Fault: "at 8s crash worker 2"})
	worker(8, 2, StateDead)
	worker(8.1, 2, StateRestarting)
	worker(8.7, 2, StateHealthy)
	events = append(events,
		Event{T: 8.7, Kind: EventFaultEnd, Worker: 2, Fault: "at 8s crash worker 2"},
		Event{T: 11, Kind: EventPhase, Worker: NoWorker, Text: PhaseDrain})
	for w := range 4 {
		worker(13.5, w, StateStopped)
	}
	var samples []Sample
	sent, flushed := 0.0, 0.0
	for i := range 141 {
		t := float64(i) / 10
		if t < 11 {
			sent += 250
		}
		if t > 2 {
			rate := 250.0
			if t > 4 && t < 7 || t > 8 && t < 8.7 {
				rate *= 0.75
			} else {
				rate *= 1.15 + 0.2*math.Sin(t*3)
			}
			flushed = min(flushed+rate, sent)
		}
		s := Sample{T: t, Sent: int64(sent), Flushed: int64(flushed), WorkersLive: 4}
		if t > 5.8 && t < 7 {
			s.Paused = 2
		}
		s.Backlog, s.RedisBytes, s.RedisBytesMax = int64(i%7), 2e6+100*s.Buffered(), 64<<20
		if t > 2 {
			s.FreshP50, s.FreshP90, s.FreshP99 = 0.05, 0.125, 0.5
		}
		s.CPURedis, s.CPUWorkers, s.CPUHarness = t/4, t/2, t
		if t > 5 {
			s.CPUKafka = t - 5
		}
		samples = append(samples, s)
	}
	return events, samples
}

// charts are one of each kind, with data that shows all there is.
func charts() map[string]Chart {
	timeline := NewTimeline(recorded())
	timeline.Title = "hang: passed"
	timeline.Subtitle = "world fakes, seed 1, 27500 spans, 4 workers; a subtitle of some length"
	var runs []SweepRun
	for i, rate := range []float64{4100, 4300, 3900, 7600, 8000, 7900, 12100, 13000, 11200} {
		processes := []int{1, 2, 4}[i/3]
		run := SweepRun{Processes: processes, Value: strconv.Itoa(processes), Repeat: i % 3, Verdict: "passed",
			SpansPerSecond: rate, FreshnessP99: 0.1 * float64(i), FlushersKeptUp: i == 4, OfferedPerSecond: 12500}
		run.Cores = Cores{Workers: rate / 1e4, Consumer: 0.2, Redis: rate / 3e4, Harness: 0.4}
		if i == 8 {
			run.Verdict = "expectation"
		}
		runs = append(runs, run)
	}
	var wide []SweepRun
	for i, shards := range []string{"8", "64", "256", "1000"} {
		cores := Cores{Workers: 0.3, Consumer: 0.4 + float64(i)*0.03, Redis: 0.3, Kafka: 0.2}
		wide = append(wide, SweepRun{Processes: 4, Value: shards, Verdict: "passed", FlushersKeptUp: i < 3,
			SpansPerSecond: 9000, OfferedPerSecond: 9000, Cores: cores,
			SpanCosts: costsOf(cores, 20, 180_000)})
	}
	sweepOver := NewSweep("steady", "real", "topology.partitions", wide)
	costs, _ := sweepOver.CostChart()
	list := map[string]Chart{
		"sweep-over": sweepOver.Chart(),
		"cost":       costs,
		"timeline":   timeline.Chart(),
		"sweep":      NewSweep("steady", "fakes", "", runs).Chart(),
		"empty":      NewTimeline(nil, nil).Chart(),
		"one":        NewSweep("steady", "fakes", "", runs[:1]).Chart(),
	}
	mix := NewTimeline(mixed())
	mix.Title, mix.Subtitle = "mix: passed", "world real, seed 7, 7500000 spans, 2 consumers"
	list["mix-timeline"] = mix.Chart()
	for _, chart := range timeline.Charts() {
		list[chart.Name] = chart.Chart
	}
	for _, chart := range mix.Charts() {
		if *keep != "" || chart.Name == ChartBacklog { // all are slow to draw; the page has them as SVG
			list["mix-"+chart.Name+"-narrow"] = chart.Narrow
		}
		if *keep != "" {
			list["mix-"+chart.Name] = chart.Chart
		}
	}
	return list
}

func TestChartsRender(t *testing.T) {
	for name, chart := range charts() {
		var picture bytes.Buffer
		if err := chart.WritePNG(&picture); err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(picture.Bytes()))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		colors := map[any]bool{}
		for x := decoded.Bounds().Min.X; x < decoded.Bounds().Max.X; x += 9 {
			for y := decoded.Bounds().Min.Y; y < decoded.Bounds().Max.Y; y += 5 {
				colors[decoded.At(x, y)] = true
			}
		}
		if len(colors) < 10 {
			t.Errorf("%s has only %d colours", name, len(colors))
		}
		var vector bytes.Buffer
		if err := chart.WriteSVG(&vector); err != nil {
			t.Fatal(err)
		}
		for decoder := xml.NewDecoder(&vector); ; {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s is not XML: %v", name, err)
			}
		}
		if *keep != "" {
			if err := chart.Save(*keep, name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestViews compares what is derived from a recorded run with golden files.
func TestViews(t *testing.T) {
	timeline := NewTimeline(recorded())
	// A part is enough: from the fault on, and from the first second on.
	timeline.Rates, timeline.CPU = timeline.Rates[38:80:80], timeline.CPU[:60:60]
	timeline.Samples = nil // which are not derived
	var runs []SweepRun
	for i, rate := range []float64{7600, 4100, 4300, 3900, 8000} {
		processes := []int{2, 1, 1, 1, 2}[i]
		cores := Cores{Workers: float64(i), Kafka: 0.5}
		runs = append(runs, SweepRun{Processes: processes, Value: strconv.Itoa(processes), Repeat: i,
			Verdict: "passed", SpansPerSecond: rate, FreshnessP99: float64(i), OfferedPerSecond: 9000,
			Cores: cores, SpanCosts: costsOf(cores, 2, 10_000)})
	}
	sweep := NewSweep("steady", "fakes", "", runs)
	for name, view := range map[string]any{"timeline.json": timeline, "sweep.json": sweep} {
		got, err := json.MarshalIndent(view, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, name, append(got, '\n'))
	}
	var table bytes.Buffer
	if err := WriteCSV(&table, sweep.Rows); err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "sweep.csv", table.Bytes())
}

func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
}

func TestRecordsReadBack(t *testing.T) {
	events, samples := recorded()
	events[0].Shards = []int{1, 4}
	var text bytes.Buffer
	if err := WriteEvents(&text, events); err != nil {
		t.Fatal(err)
	}
	gotEvents, err := ReadEvents(&text)
	if diff := cmp.Diff(events, gotEvents); err != nil || diff != "" {
		t.Errorf("events: %v\n%s", err, diff)
	}
	text.Reset()
	if err := WriteCSV(&text, samples); err != nil {
		t.Fatal(err)
	}
	gotSamples, err := ReadCSV[Sample](&text)
	if diff := cmp.Diff(samples, gotSamples); err != nil || diff != "" {
		t.Errorf("samples: %v\n%s", err, diff)
	}
	runs := []SweepRun{{Processes: 2, Value: "2", Seed: 7, Verdict: "passed", Reason: "a, \"b\"", FlushersKeptUp: true,
		SpansPerSecond: 1.5, Cores: Cores{Redis: 0.25}, SpanCosts: SpanCosts{RedisTime: 3.5}}}
	text.Reset()
	if err := WriteCSV(&text, runs); err != nil {
		t.Fatal(err)
	}
	gotRuns, err := ReadCSV[SweepRun](&text)
	if diff := cmp.Diff(runs, gotRuns); err != nil || diff != "" {
		t.Errorf("runs: %v\n%s", err, diff)
	}
	// Another version's columns.
	gotSamples, err = ReadCSV[Sample](strings.NewReader("new,sent,t\nx,5,0.1\n"))
	if diff := cmp.Diff([]Sample{{T: 0.1, Sent: 5}}, gotSamples); err != nil || diff != "" {
		t.Errorf("samples of another version: %v\n%s", err, diff)
	}
	for bad, want := range map[string]string{
		"":                  "columns",
		"t,sent\n1\n":       "line 2",
		"t,sent\n1,2\n3,4x": `line 3, column 3: "4x" is not a value of sent`,
		"t,sent\n1,2.5\n":   `line 2, column 3: "2.5" is not a value of sent`,
	} {
		if _, err := ReadCSV[Sample](strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("samples %q: error is %v, want %q", bad, err, want)
		}
	}
	if _, err := ReadEvents(strings.NewReader("{\"t\":1}\n{\"x\":1}\n")); err == nil ||
		!strings.Contains(err.Error(), "line 2") {
		t.Errorf("error for a bad event: %v", err)
	}
}

func TestRoundStep(t *testing.T) {
	for _, c := range []struct {
		reach float64
		steps int
		want  float64
	}{{10, 10, 1}, {14, 10, 2}, {3000, 4, 1000}, {0.4, 4, 0.1}, {100, 4, 50}} {
		if got := roundStep(c.reach, c.steps); math.Abs(got-c.want) > c.want/1e9 {
			t.Errorf("roundStep(%v, %d) is %v, want %v", c.reach, c.steps, got, c.want)
		}
	}
	for v, want := range map[float64]string{
		0: "0", 2500: "2.5k", 12000: "12k", 1.5e6: "1.5M", 0.5: "0.5", 4e9: "4G",
	} {
		if got := short(v); got != want {
			t.Errorf("short(%v) is %s, want %s", v, got, want)
		}
	}
}

// TestWorkersSayWhoseTheyAre: with another consumer than the first, as events do; its absence means the first.
func TestWorkersSayWhoseTheyAre(t *testing.T) {
	for consumer, want := range map[int]string{
		0: `{"worker":2,"shards":null,"restarts":0,"causes":null}`,
		1: `{"worker":2,"consumer":1,"shards":null,"restarts":0,"causes":null}`,
	} {
		text, err := json.Marshal(WorkerSummary{Worker: 2, Consumer: consumer})
		if err != nil || string(text) != want {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
		var event struct {
			Worker, Consumer int
		}
		if err := json.Unmarshal(text, &event); err != nil || event.Consumer != consumer {
			t.Errorf("read as of consumer %d, %v; want %d", event.Consumer, err, consumer)
		}
	}
}
