package reports

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is said of counts with these spreads, in spans per second; the flushers kept up with 0.
func TestSweepNotes(t *testing.T) {
	for name, c := range map[string]struct {
		rates map[int][]float64
		want  []string
	}{
		"nothing in common": {map[int][]float64{1: {10, 12}, 2: {13, 20}}, nil},
		"two overlap": {map[int][]float64{1: {10, 11}, 4: {20, 30}, 8: {28, 32}},
			[]string{"4 and 8 processes cannot be told apart: their spreads overlap"}},
		"they touch": {map[int][]float64{1: {10, 11}, 2: {11, 12}},
			[]string{"1 and 2 processes cannot be told apart: their spreads overlap"}},
		"each with the next, the ends not": {map[int][]float64{1: {10, 20}, 2: {18, 30}, 4: {28, 40}},
			[]string{"1 and 2 processes cannot be told apart: their spreads overlap",
				"2 and 4 processes cannot be told apart: their spreads overlap"}},
		"one in all others": {map[int][]float64{1: {10, 40}, 2: {18, 22}, 4: {20, 30}},
			[]string{"1, 2 and 4 processes cannot be told apart: their spreads overlap"}},
		"one begins below a group": {map[int][]float64{1: {20, 30}, 2: {10, 40}, 4: {18, 25}},
			[]string{"1, 2 and 4 processes cannot be told apart: their spreads overlap"}},
		"more is worse": {map[int][]float64{1: {10, 14}, 2: {20, 22}, 8: {12, 13}},
			[]string{"1 and 8 processes cannot be told apart: their spreads overlap"}},
		"one kept up": {map[int][]float64{1: {0, 0}, 2: {18, 22}},
			[]string{"the load was the limit with 1 process, which may do more"}},
		"all kept up": {map[int][]float64{1: {0, 0}, 2: {0, 0}},
			[]string{"the load was the limit with 1 and 2 processes, which may do more"}},
		"one repeat kept up": {map[int][]float64{1: {0, 20}, 2: {18, 22}},
			[]string{"1 and 2 processes cannot be told apart: their spreads overlap"}},
	} {
		var runs []SweepRun
		for processes, rates := range c.rates {
			for _, rate := range rates {
				runs = append(runs, SweepRun{Processes: processes, Value: strconv.Itoa(processes),
					SpansPerSecond: rate, FlushersKeptUp: rate == 0})
			}
		}
		notes := NewSweep("steady", "fakes", OverProcesses, runs).Notes()
		slices.Sort(notes)
		if diff := cmp.Diff(c.want, notes); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// Of another key than the process count, rows keep the order of the values, and are called by them.
func TestSweepOver(t *testing.T) {
	var runs []SweepRun
	for _, value := range []string{"256", "8", "256", "8"} {
		cores := Cores{Redis: 0.5, Workers: 1}
		runs = append(runs, SweepRun{Processes: 4, Value: value, SpansPerSecond: 100, FlushersKeptUp: true,
			Cores: cores, SpanCosts: costsOf(cores, 10, 1_000_000)})
	}
	s := NewSweep("steady", "real", "topology.partitions", runs)
	if len(s.Rows) != 2 || s.Rows[0].Value != "256" || s.Rows[1].Repeats != 2 || s.Rows[0].Sum() != 15 {
		t.Errorf("rows are %+v", s.Rows)
	}
	if got, want := s.Group(runs[0]), "topology.partitions 256"; got != want {
		t.Errorf("a run is of %q, want %q", got, want)
	}
	var text strings.Builder
	if err := s.WriteTables(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"topology.partitions  offered/s", "us per span: workers  Redis  together  of the first",
		"8                 10.00   5.00     15.00          1.00",
		"the load was the limit with topology.partitions 256 and 8, which may do more",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	if _, ok := s.CostChart(); !ok {
		t.Error("there is no chart of costs")
	}
	s.Rows[0].SpanCosts, s.Rows[1].SpanCosts = SpanCosts{}, SpanCosts{}
	if _, ok := s.CostChart(); ok {
		t.Error("there is a chart of costs that nobody knows")
	}
}

// costsOf are the costs of some spans, of cores that were used for so many seconds.
func costsOf(c Cores, seconds float64, spans int64) SpanCosts {
	return CostsBetween(Sample{}, Sample{CPURedis: c.Redis * seconds, CPUKafka: c.Kafka * seconds, CPUWorkers: c.Workers * seconds,
		CPUConsumer: c.Consumer * seconds}, spans)
}

// What a span took is what was used from the first sample until the last one was out, of who is known.
func TestCostsOf(t *testing.T) {
	samples := []Sample{{T: 0.1, CPURedis: 5, CPUWorkers: 2}, {T: 1, Flushed: 10, CPURedis: 6, CPUWorkers: 1},
		{T: 2, Flushed: 20, CPURedis: 7, CPUWorkers: 1}, {T: 9, Flushed: 20, CPURedis: 90}}
	if got, want := CostsOf(samples, 20), (SpanCosts{RedisTime: 1e5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for _, got := range []SpanCosts{CostsOf(nil, 20), CostsOf(samples, 0), CostsOf(samples[:1], 20)} {
		if got != (SpanCosts{}) {
			t.Errorf("of nothing: %+v", got)
		}
	}
}

// Cores count from the first sample to the last of the time asked for, and nothing without two.
func TestCoresDuring(t *testing.T) {
	samples := []Sample{{T: -1, CPUWorkers: 1}, {T: 0, CPUWorkers: 5}, {T: 1, CPUWorkers: 9},
		{T: 4, CPUWorkers: 11, CPUHarness: 2}, {T: 9, CPUWorkers: 90}}
	if got, want := CoresDuring(samples, 0, 5), (Cores{Workers: 1.5, Harness: 0.5}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := CoresDuring(samples, 0, 0.5); got != (Cores{}) {
		t.Errorf("of one sample: %+v", got)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 4}, 4}, {[]float64{8, 1, 5, 2}, 3.5},
	} {
		before := slices.Clone(c.values)
		if got := Median(c.values); got != c.want {
			t.Errorf("of %v it is %v, want %v", before, got, c.want)
		}
		if !slices.Equal(c.values, before) {
			t.Errorf("%v was put into another order: %v", before, c.values)
		}
	}
}
