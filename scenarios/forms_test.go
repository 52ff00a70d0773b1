package scenarios

import (
	"encoding"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestFormsParseBack reads one-line forms and expects them to print as they were.
func TestFormsParseBack(t *testing.T) {
	forms := map[string]func() encoding.TextUnmarshaler{}
	add := func(make func() encoding.TextUnmarshaler, texts ...string) {
		for _, text := range texts {
			forms[text] = make
		}
	}
	add(func() encoding.TextUnmarshaler { return new(Rate) },
		"constant 2000/s", "ramp 1000/s to 20000/s", "step 1000/s, 5000/s at 5s, 0/s at 8s",
		"sine 5000/s +- 2000/s every 10s", "burst 1000/s to 20000/s for 1s every 5s", "constant 0.5/s")
	add(func() encoding.TextUnmarshaler { return new(Spread) },
		"20", "uniform 5..40", "geometric mean 20.5 max 500", "mix 50% 1, 7% 2..10, 43% 11..100")
	add(func() encoding.TextUnmarshaler { return new(Fault) },
		"at 5s hang worker 1", "at 5s hang worker 1 for 3s", "at 0s crash worker 0",
		"when 20000 spans flushed crash worker 2", "when 1 spans sent crash worker 2",
		"when worker 1 restarted hang worker 3 for 100ms", "every 10s from 5s crash any worker",
		"every 10s crash all workers", "randomly every 8s hang any worker for 2s",
		"randomly every 8s from 20s slow redis node 2 answers by 20ms for 3s",
		"at 5s throttle kafka requests to 200KiB/s for 3s", "at 5s throttle redis to 1500B/s",
		"at 5s rebalance for 5s", "at 5s crash consumer", "at 5s crash consumer for 1s",
		"at 5s jump clock by -30s for 5s", "at 5s jump partition 3 by 1m0s", "at 5s wipe redis",
		"at 5s black-hole kafka for 2s", "at 5s fail partition 3 for 2s", "at 1s cut redis",
		"at 5s slow-start worker 1 by 2s for 10s", "at 5s crash-loop worker 1 for 5s",
		"when 20000 spans sent resume worker 1", "when worker 1 is producing crash worker 1",
		"when worker 0 is acknowledging from 5s hang worker 0 for 1s",
		"when consumer is committing crash consumer")
	for _, use := range Uses() {
		add(func() encoding.TextUnmarshaler { return new(Fault) }, use.Example)
	}
	add(func() encoding.TextUnmarshaler { return new(Limit) }, "ledger.lost = 0",
		"freshness_seconds.p99 <= 2.5s", "workers.1.restarts >= 1", "ledger.dropped.wiped < 100",
		"throughput.bytes_per_second > 1MiB/s")
	add(func() encoding.TextUnmarshaler { return new(Late) }, "never", "0.01 by 300ms")
	add(func() encoding.TextUnmarshaler { return new(Processes) }, "3", "per-shard")
	add(func() encoding.TextUnmarshaler { return new(Count) }, "unlimited", "0", "12")
	for text, make := range forms {
		value := make()
		if err := value.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got, err := value.(encoding.TextMarshaler).MarshalText()
		if err != nil || string(got) != text {
			t.Errorf("%q prints as %q, %v", text, got, err)
		}
	}
}

func TestFaultFields(t *testing.T) {
	var got Fault
	const text = "when worker 1 restarted hang worker 3 for 100ms"
	if err := got.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	want := Fault{When: Moment{Kind: MomentRestarted, Worker: 1}, Verb: VerbHang,
		Target: Target{TargetWorker, 3}, For: 100 * time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMomentReached(t *testing.T) {
	for _, c := range []struct {
		moment        Moment
		elapsed       time.Duration
		sent, flushed int64
		restarts      []int
		want          bool
	}{
		{Moment{Kind: MomentAt, At: 2 * time.Second}, 1999 * time.Millisecond, 9, 9, nil, false},
		{Moment{Kind: MomentAt, At: 2 * time.Second}, 2 * time.Second, 0, 0, nil, true},
		{Moment{Kind: MomentSent, Spans: 10}, 0, 9, 10, nil, false},
		{Moment{Kind: MomentSent, Spans: 10}, 0, 10, 0, nil, true},
		{Moment{Kind: MomentFlushed, Spans: 10}, 0, 10, 9, nil, false},
		{Moment{Kind: MomentFlushed, Spans: 10}, 0, 0, 10, nil, true},
		{Moment{Kind: MomentRestarted, Worker: 1}, 0, 0, 0, []int{1, 0}, false},
		{Moment{Kind: MomentRestarted, Worker: 1}, 0, 0, 0, []int{0, 1}, true},
		{Moment{Kind: MomentRestarted, Worker: 1}, 0, 0, 0, nil, false},
	} {
		if got := c.moment.Reached(c.elapsed, c.sent, c.flushed, c.restarts); got != c.want {
			t.Errorf("%v at %v, %d sent, %d flushed, restarts %v: %v, want %v",
				c.moment, c.elapsed, c.sent, c.flushed, c.restarts, got, c.want)
		}
	}
}

func TestSpreadStaysInBoundsAndKeepsItsMean(t *testing.T) {
	for _, text := range []string{"7", "uniform 5..40", "geometric mean 20 max 500",
		"mix 50% 1, 30% 2..10, 17% 11..100, 2.9% 101..1000, 0.1% 10000"} {
		var s Spread
		if err := s.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		const draws = 100_000
		sum, least, greatest := 0, 1<<30, 0
		for i := range draws {
			n := s.At((float64(i) + 0.5) / draws)
			sum, least, greatest = sum+n, min(least, n), max(greatest, n)
		}
		if least < s.Low || greatest > s.High {
			t.Errorf("%s: sizes from %d to %d", text, least, greatest)
		}
		if mean := float64(sum) / draws; mean < s.Mean*0.99 || mean > s.Mean*1.01 {
			t.Errorf("%s: mean is %v, want %v", text, mean, s.Mean)
		}
	}
}

func TestSharesOfAMix(t *testing.T) {
	var s Spread
	if err := s.UnmarshalText([]byte("mix 50% 1, 30% 2..10, 20% 11..100")); err != nil {
		t.Fatal(err)
	}
	const draws = 1000
	counts := map[int]int{} // by the least size of the part
	for i := range draws {
		n := s.At((float64(i) + 0.5) / draws)
		for _, p := range s.Parts {
			if n >= p.Low && n <= p.High {
				counts[p.Low]++
			}
		}
	}
	if want := map[int]int{1: 500, 2: 300, 11: 200}; !maps.Equal(counts, want) {
		t.Errorf("of %d draws these are in the parts: %v, want %v", draws, counts, want)
	}
	if low, high := s.At(0.5), s.At(math.Nextafter(1, 0)); low != 2 || high != 100 {
		t.Errorf("the second part begins with %d, the last ends with %d", low, high)
	}
}

func TestABadMixSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"mix 50% 1, 49% 2..10":     "add up to 99%",
		"mix 50% 1, 51% 2..10":     "add up to 101%",
		"mix 50% 1":                "add up to 50%",
		"mix 100% 1, 0% 2":         `share "0%"`,
		"mix 150% 1":               `share "150%"`,
		"mix half 1, 50% 2":        `share "half"`,
		"mix 50% 1, 50% 10..2":     `size "10..2"`,
		"mix 50% 1, 50% 0":         `size "0"`,
		"mix 50% 1, 50%":           `part "50%"`,
		"mix 50% 1 50% 2":          `part "50% 1 50% 2"`,
		"mix 50% 1,, 50% 2":        `part ""`,
		"mix":                      "is not a spread of sizes",
		"uniform 5":                "is not a spread of sizes",
		"geometric mean 9 max 5":   "is not a spread of sizes",
		"mix 50% 1, 50% 2..3 more": `part "50% 2..3 more"`,
	} {
		if err := new(Spread).UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
}

func TestWorkers(t *testing.T) {
	for _, c := range []struct {
		processes        Processes
		partitions, want int
	}{{1, 8, 1}, {4, 8, 4}, {9, 8, 8}, {PerShard, 8, 8}} {
		topology := Topology{Partitions: c.partitions, FlusherProcesses: c.processes}
		if got := topology.Workers(); got != c.want {
			t.Errorf("%+v: %d workers, want %d", topology, got, c.want)
		}
	}
}

// TestLimitsOfFaults: without faults, only what they alone bring about cannot be asked for.
func TestLimitsOfFaults(t *testing.T) {
	for text, want := range map[string]bool{
		"pauses >= 1": true, "pauses <= 1": false, "ledger.dropped.deleted > 0": true, "ledger.dropped.deleted = 0": false,
		"workers.3.restarts = 2": true, "ledger.findings.split_span >= 1": false, "freshness_seconds.p99 >= 1s": false,
		"ledger.dropped.dead_lettered >= 1": false,
	} {
		var l Limit
		if err := l.UnmarshalText([]byte(text)); err != nil || l.OfFaults() != want {
			t.Errorf("%s: %v, %v, want %v", text, l.OfFaults(), err, want)
		}
	}
	for _, figure := range byFaults {
		if !slices.Contains(figures, figure) {
			t.Errorf("there is no figure %s", figure)
		}
	}
}
