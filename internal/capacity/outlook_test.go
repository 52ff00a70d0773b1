package capacity

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// outage is a trial of 5 s at 1,000 spans/s, of which 3,000 wait; and its outcome, if the backlog then
// falls by so many a second.
func outage(falls float64) (TrialPlan, *judge.Outcome) {
	s := scenarios.Default()
	s.Pipeline.Timeout, s.Pipeline.RootTimeout = 6*time.Second, 3*time.Second
	p := Outage(s, 2, 1000, 2000, 5*time.Second)
	o := &judge.Outcome{}
	o.Scenario, _ = p.Scenario(s)
	from, waiting := trialAt(s).Seconds(), 3000.0
	redis := 0.0
	for i := range int(o.Scenario.Duration.Seconds() * 10) {
		at := float64(i) / 10
		switch {
		case at > from && at <= from+5:
			waiting += 100
		case at > from+5:
			waiting = max(3000, waiting-falls/10)
		}
		sent := int64(1000 * at)
		redis += 0.05
		o.Samples = append(o.Samples, reports.Sample{T: at, Sent: sent, Flushed: sent - int64(waiting),
			CPURedis: redis, Repeated: int64(at), RedisBytes: 1})
	}
	return p, o
}

// TestRecoveryOf knows it of what Trial makes of the same run, and of no fault whose end is open.
func TestRecoveryOf(t *testing.T) {
	_, o := outage(1000)
	if took, ok := RecoveryOf(o); !ok || math.Abs(took-5) > 1 {
		t.Errorf("%v s, %v, want 5 s", took, ok)
	}
	for name, change := range map[string]func(*scenarios.Scenario){
		"no fault":     func(s *scenarios.Scenario) { s.Faults = nil },
		"for good":     func(s *scenarios.Scenario) { s.Faults[0].For = scenarios.ForGood },
		"at its start": func(s *scenarios.Scenario) { s.Faults[0].When.At = time.Second },
		"a condition":  func(s *scenarios.Scenario) { s.Faults[0].When.Kind = scenarios.MomentSent },
		"a ramp":       func(s *scenarios.Scenario) { s.Workload.Rate.Shape = scenarios.ShapeRamp },
	} {
		_, o := outage(1000)
		change(&o.Scenario)
		if took, ok := RecoveryOf(o); ok {
			t.Errorf("%s: %v s", name, took)
		}
	}
	_, stuck := outage(0)
	if took, ok := RecoveryOf(stuck); ok {
		t.Errorf("it never recovers, and took %v s", took)
	}
}

func TestTrial(t *testing.T) {
	for _, c := range []struct{ falls, took float64 }{{1000, 5}, {2500, 2}, {500, 10}, {0, math.Inf(1)}} {
		p, o := outage(c.falls)
		got := p.Trial(o)
		if took := float64(got.RecoverySeconds); !(math.Abs(took-c.took) <= 1.2) && took != c.took {
			t.Errorf("it falls by %v/s: recovered after %v s, want %v", c.falls, took, c.took)
		}
		if math.Abs(float64(got.PredictedSeconds)-5) > 1e-9 || math.Abs(got.Waiting-3000) > 10 || got.Most < 7900 {
			t.Errorf("it falls by %v/s: %+v", c.falls, got)
		}
		w, over := p.Watch(o.Scenario), math.Inf(1)
		for _, s := range o.Samples {
			if w.Over(s) {
				over = s.T
				break
			}
		}
		if end := trialAt(o.Scenario).Seconds() + 5 + c.took; !(over >= end+1 && over <= end+4) && !math.IsInf(end, 1) {
			t.Errorf("it falls by %v/s: the run ends at %v, recovered at %v", c.falls, over, end)
		}
	}
	p, o := outage(0)
	stuck := p.Trial(o)
	stuck.Why = "liveness: stuck"
	for trial, wants := range map[*Trial][]string{&stuck: {"it does not recover in 15 s; ", "spans came out again",
		". That violated liveness: stuck."}, {Rate: 1000}: {"as few spans wait as before less than 1 s later; no amplifier"}} {
		text := strings.Join((&Outlook{Trials: []Trial{*trial}}).words(), "\n")
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("no %q in\n%s", want, text)
			}
		}
	}
}

// TestAmplifiers: each is named with its gain, and the strongest is the one with the greatest, whichever it is. What
// came out again after an outage of Redis may have been sent again for another reason than a lease.
func TestAmplifiers(t *testing.T) {
	p, o := outage(1000)
	o.Result.Workers = []reports.WorkerSummary{{Restarts: 1}, {Restarts: 2}}
	stopped := p.Trial(o)
	// In the 11 s until a second after the recovery, 11,000 came out, and one again each second.
	if g := float64(stopped.RepeatGain); math.Abs(g-1.001) > 1e-4 || stopped.RestartsEach != 1.5 {
		t.Errorf("each came out %v times, and %v restarts of each", g, stopped.RestartsEach)
	}
	if o.Batches, o.Refused = 200, 50; p.Trial(o).Refused != 50 || p.Trial(o).BatchGain != 1.25 {
		t.Errorf("of 200 batches, 50 tries were refused: %+v", p.Trial(o))
	}
	killed := Storm(scenarios.Default(), 2, 1000, 2000)
	for _, c := range []struct {
		trial Trial
		words string
		name  string
		gain  float64
	}{
		{stopped, "3 restarts (1.5 of each worker), 26 spans came out again, so that each came out 1.001 times on average", "", 1.05},
		{Trial{Fault: killed.Faults, Repeated: 3100, RepeatGain: 1.31, Gain: 1.2, Pauses: 2}, "each span took 1.20 times the Redis time, 3,100 " +
			"spans came out again (lease redelivery), so that each came out 1.31 times on average, 2 pauses of a shard's input",
			"that spans come out again", 1.31},
		{Trial{Refused: 1200, BatchGain: 1.4, RepeatGain: 1.31, Pauses: 1}, "1,200 tries of a batch were refused, so that each was tried " +
			"1.4 times on average, 1 pause of a shard's input", "that batches are refused", 1.4},
		{Trial{Gain: 2.5, RepeatGain: 1.31}, "each span took 2.50 times the Redis time", "the Redis time of a span", 2.5},
		{Trial{Gain: Number(math.NaN()), RepeatGain: Number(math.NaN())}, "no amplifier was seen", "", 1.05},
	} {
		c.trial.What = "it happens"
		if got := c.trial.amplifiers(); got != c.words {
			t.Errorf("%q, want %q", got, c.words)
		}
		if name, gain := c.trial.strongest(); name != c.name || gain != c.gain {
			t.Errorf("the strongest is %q, %v, want %q, %v", name, gain, c.name, c.gain)
		}
		none := Trial{What: "nothing", Gain: Number(math.NaN()), RepeatGain: 1}
		want := "What a span took of Redis is not known; hardly any came out again, so no amplifier was seen."
		if c.trial.Restarts > 0 {
			want = "No work of a span became more by more than 5 %: no amplifier was seen; there were 3 restarts and 0 pauses at the most."
		}
		if c.name != "" {
			want = "The strongest amplifier is " + c.name + ", by a factor of "
		}
		m := &Stability{Cells: []Cell{{0.5, none}, {0.5, c.trial}, {0.7, none}}}
		if got := m.words()[1]; !strings.HasPrefix(got, want) || c.name != "" && !strings.Contains(got, "when it happens, "+c.words) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestNoAmplifier: what is not known is not taken for none.
func TestNoAmplifier(t *testing.T) {
	nan := Number(math.NaN())
	for want, trial := range map[string]Trial{
		"No work of a span became more by more than 5 %: no amplifier was seen.":                          {Gain: 1, RepeatGain: nan},
		"What a span took of Redis, and how many came out again, is not known, so no amplifier was seen.": {Gain: nan, RepeatGain: nan},
	} {
		m := &Stability{Cells: []Cell{{0.5, Trial{Gain: nan, RepeatGain: nan}}, {0.7, trial}}}
		if got := m.words()[1]; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestTrialThatWasInterrupted was not watched for as long as was planned.
func TestTrialThatWasInterrupted(t *testing.T) {
	p, o := outage(0)
	o.Interrupted = true
	until := trialAt(o.Scenario).Seconds() + 5
	for _, watched := range []float64{2, 0} {
		o.Samples = reports.Between(o.Samples, 0, until+watched)
		if got := p.Trial(o); math.Abs(got.WatchedSeconds-watched) > 1e-6 || got.Recovered() {
			t.Errorf("watched for %v s, want %v", got.WatchedSeconds, watched)
		}
	}
}

// TestTrialScenario: the faults parse, happen while it is steady, and what they cost is no failure.
func TestTrialScenario(t *testing.T) {
	s := scenarios.Default()
	s.Name = "trial"
	s.Expectations.WorkerRestartsMax, s.Expectations.FreshnessP99Max = 0, time.Second
	for _, p := range []TrialPlan{Outage(s, 4, 1000, 1500, time.Minute), Storm(s, 4, 1000, 1500)} {
		got, err := p.Scenario(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Validate(); err != nil || len(got.Faults) != 1 || got.Topology.FlusherProcesses != 4 ||
			got.Expectations.FreshnessP99Max != 0 || got.Expectations.WorkerRestartsMax != scenarios.Unlimited {
			t.Errorf("%v: %s", err, got)
		}
		if steady := trialAt(s).Seconds() - Warmup(s); steady < 2 {
			t.Errorf("only %v s before the fault", steady)
		}
	}
}

func TestOutlook(t *testing.T) {
	list := points(WorkerCPU, 20000, 39000, 75000, 140000)
	for i := range list {
		list[i].Probes = []Probe{{Rate: list[i].Throughput, Sustained: true, Waiting: 3 * list[i].Throughput}}
	}
	b := Bounds{RedisMemory: 8 << 30, MaxMemory: 0.5, RetentionSeconds: 160 * 60, Partitions: 8, SpanBytes: 500,
		RedisPerSpan: 700}
	r := NewReport("steady", "virtual", 54000, 0.3, list)
	r.Look(b, nil)
	o := r.Outlook
	if o.Lost.Processes != 3 || finite(o.Lost.Sustained) {
		t.Errorf("one lost: %+v", o.Lost) // 3 were not measured
	}
	// 4 processes sustain 71,250 and 78,750 spans/s.
	if o.WaitingRate != list[4].Throughput || o.Waiting != 3*o.WaitingRate || math.Abs(float64(o.RedisFullSeconds)-
		(4*(1<<30)-o.Waiting*700)/(54000*700)) > 1e-6 || o.UnreadExpireSeconds != 9600 {
		t.Errorf("%+v", o)
	}
	// A minute brings 3,240,000 spans, and 4 processes do 21,000 a second beside the target.
	if d := o.Drains[0]; d.Backlog != 3240000 || math.Abs(float64(d.Seconds)-3240000/21000.) > 1e-6 {
		t.Errorf("%+v", d)
	}
	text := strings.Join(o.words(), "\n")
	for _, want := range []string{"the rate of 3 processes is not measured", "Redis has reached 50 % of 8GiB in 110 s",
		"In the steady state, as counted at 71,250 spans/s, 213,750 spans wait in Redis", "the first unread span expires in 2 h 40 min; if Kafka takes nothing from the workers, 110 s later: the topic keeps " +
			"messages for 2 h 40 min."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	// After 2 h 40 min of an outage as much expires as comes in.
	b.RetentionSeconds = 4 * 60
	r.Look(b, nil)
	if d := r.Outlook.Drains[1]; d.Backlog != 54000*240 || d.Expired != 54000*360 ||
		math.Abs(float64(d.Seconds)-54000*240/21000.) > 1e-6 {
		t.Errorf("%+v", d)
	}
	row := r.Outlook.section().Table.Rows[2]
	if want := []string{"60 min", "12,960,000", "181,440,000", "10 min"}; !slices.Equal(row, want) {
		t.Errorf("%q, want %q", row, want)
	}
	b.RetentionSeconds = 9600
	b.RetentionBytes = 1 << 30
	r.Look(b, nil)
	if got := float64(r.Outlook.UnreadExpireSeconds); math.Abs(got-8*(1<<30)/(54000*500.)) > 1e-6 {
		t.Errorf("by its bytes, unread spans expire in %v s", got)
	}
	two := NewReport("steady", "virtual", 30000, 0.25, list)
	two.Look(Bounds{RedisPerSpan: 700}, nil)
	text = strings.Join(two.Outlook.words(), "\n")
	for _, want := range []string{"the target is not carried: 20,000 spans/s are sustained by the other 1 process",
		"give its limit by --redis-memory", "give the input topic's --retention"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestInputPauses: a worker that can flush nothing lags from its last full lease on, and its input pauses long
// before Redis is full; where leases are not full, only that pauses it.
func TestInputPauses(t *testing.T) {
	s := scenarios.Default() // 8 shards, traces of 20 spans, 500 segments at a time
	for _, c := range []struct {
		target    float64
		processes int
		skew      float64
		memory    buffer.Bytes
		pauses    float64
		full      bool
		words     string
	}{
		{60000, 1, 0, 40 << 30, 10, true, "input pauses after about 10 s (pipeline.backpressure_after) and waits in Kafka: about " +
			"378 segments of a shard fall due in a second, of which a worker takes 63 at a time"},
		{9000, 1, 0, 40 << 30, 10, true, "about 57 segments of a shard"}, // now and then more than 63
		{5000, 1, 0, 40 << 30, 12271, false, "If Kafka takes nothing from the workers, Redis has reached 40GiB in 3 h 25 min; input pauses"},
		{9000, 1, 1, 40 << 30, 10, true, "167 segments of a shard"},                                       // of 9,000 / 20, one in 2.7
		{9000, 8, 1, 40 << 30, 6817, false, "If Kafka takes nothing from the workers, Redis has reached"}, // a worker takes 500 of its one
		{60000, 1, 0, 200 << 20, 4.99, true, "Redis has reached 200MiB in 5.0 s; input pauses then"},
		{60000, 1, 0, 0, 10, true, "When Redis would be full is not known"},
		{5000, 1, 0, 0, math.Inf(1), false, "When Redis would be full is not known"},
	} {
		s.Workload.KeySkew = c.skew
		r := NewReport("steady", "virtual", c.target, 0, []Point{{Processes: c.processes, Throughput: c.target, Failed: 1.1 * c.target}})
		b := BoundsOf(s, r.Points, c.processes, c.target)
		b.RedisMemory, b.RetentionSeconds = c.memory, 3600
		r.Look(b, nil)
		o := r.Outlook
		pauses := float64(o.InputPausesSeconds)
		if o.leasesFull() != c.full || pauses != c.pauses && !(math.Abs(pauses/c.pauses-1) < 0.01) {
			t.Errorf("%+v: input pauses after %v s (%v due, %d taken)", c, pauses, o.Due, o.TakenAtOnce)
		}
		if late := float64(o.UnflushedExpireSeconds); late != 3600+pauses || o.UnreadExpireSeconds != 3600 {
			t.Errorf("%+v: unread spans expire in %v s", c, late)
		}
		text := strings.Join(o.words(), "\n")
		if !strings.Contains(text, c.words) || !strings.Contains(text, ": the topic keeps messages for 60 min.") {
			t.Errorf("no %q in\n%s", c.words, text)
		}
		if !strings.Contains(jsonOf(t, o), `"retention_seconds":3600`) {
			t.Errorf("no retention in %s", jsonOf(t, o))
		}
	}
}

// TestWaiting is counted in a trial at the target with the recommended count, and otherwise at the least
// sustained rate from the target on: of those that wait, the ones of open traces do not go by the rate.
func TestWaiting(t *testing.T) {
	const open = 30000
	list := points(WorkerCPU, 20000, 39000, 75000, 140000)
	for i := range list {
		for _, rate := range []float64{1.2, 0.9, 1, 0.5} {
			rate *= list[i].Throughput
			list[i].Probes = append(list[i].Probes, Probe{Rate: rate, Sustained: rate <= list[i].Throughput,
				Waiting: open + 2*rate})
		}
	}
	trial := Trial{Processes: 4, Rate: 54000, Waiting: open + 2*54000}
	none, other, fewer := trial, trial, trial
	none.Waiting, other.Rate, fewer.Processes = 0, 60000, 2
	for _, c := range []struct {
		trials []Trial
		rate   float64
		words  string
	}{
		{[]Trial{none, other, fewer, trial}, 54000, "In the steady state 138,000 spans wait in Redis"},
		{[]Trial{none, other, fewer}, 0.9 * 71250, "In the steady state, as counted at 64,125 spans/s, 158,250 spans wait"},
	} {
		r := NewReport("steady", "virtual", 54000, 0.3, list)
		r.Look(Bounds{RedisPerSpan: 700}, c.trials)
		o := r.Outlook
		if math.Abs(o.WaitingRate-c.rate) > 1e-6 || math.Abs(o.Waiting-open-2*c.rate) > 1e-6 || o.RedisBytes != 700*o.Waiting ||
			!strings.Contains(strings.Join(o.words(), "\n"), c.words) {
			t.Errorf("%v at %v: %q", o.Waiting, o.WaitingRate, o.words())
		}
	}
}

func TestDuration(t *testing.T) {
	for seconds, want := range map[float64]string{1.25: "1.2 s", 35: "35 s", 660: "11 min", 9600: "2 h 40 min",
		10800: "3 h", 259200: "3.0 days"} {
		if got := duration(seconds); got != want {
			t.Errorf("%v s is %q, want %q", seconds, got, want)
		}
	}
}

// TestUnreadOfAHotPartition: by their bytes its spans expire first, and as long as those of the others are
// kept, only its own are lost; by their age all expire at once.
func TestUnreadOfAHotPartition(t *testing.T) {
	const target, second = 1000, 500 * 1000 // bytes
	r := NewReport("steady", "virtual", target, 0.3, []Point{{Processes: 2, Throughput: 2000}})
	s := scenarios.Default()
	s.Topology.Partitions, s.Workload.KeySkew = 4, 1 // shares 12, 6, 4 and 3 of 25
	s.Workload.SpanBytes = scenarios.Spread{}
	if err := s.Workload.SpanBytes.UnmarshalText([]byte("500")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		bytes        buffer.Bytes // of a partition
		age          time.Duration
		first        float64
		lost, minute float64 // of ten minutes, and of one, in seconds of the load
	}{
		{second * 120, 0, 250, 12./25*350 + 6./25*100, 0},
		{second * 12, 0, 25, 600 - 48, (28.8 - 12) + (14.4 - 12)},
		{0, 200 * time.Second, 200, 400, 0},
		{second * 120, 200 * time.Second, 200, 400, 0},
		{second * 1000, 0, 1000 * 25. / 12, 0, 0},
		{0, 0, math.Inf(1), 0, 0},
	} {
		b := BoundsOf(s, r.Points, 2, target)
		b.RetentionBytes, b.RetentionSeconds = c.bytes, c.age.Seconds()
		r.Look(b, nil)
		near := func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-6*max(a, b) }
		minute, ten := r.Outlook.Drains[0], r.Outlook.Drains[1]
		if got := float64(r.Outlook.UnreadExpireSeconds); !near(got, c.first) {
			t.Errorf("%+v: the first expires after %v s", c, got)
		}
		if math.IsInf(c.first, 1) {
			if finite(ten.Expired) || finite(minute.Expired) || !strings.Contains(jsonOf(t, ten), `"expired":null`) {
				t.Errorf("what expires is not known, and said to be %v: %s", ten.Expired, jsonOf(t, ten))
			}
		} else if !near(float64(ten.Expired), target*c.lost) || !near(float64(minute.Expired), target*c.minute) {
			t.Errorf("%+v: %v and %v expire", c, ten.Expired, minute.Expired)
		}
		if !near(ten.Backlog, target*(600-c.lost)) {
			t.Errorf("%+v: %+v, %+v", c, minute, ten)
		}
	}
}

// TestRedisPerSpan is measured beyond empty servers, by the spans that were read, over all nodes; a limit
// is that of one of them.
func TestRedisPerSpan(t *testing.T) {
	for nodes, want := range map[int64]Probe{1: {RedisPerSpan: 700, RedisFullest: 1},
		3: {RedisPerSpan: 700, RedisFullest: 0.4}} {
		o := ran(judge.ExitPassed, 0)
		for i := range o.Samples {
			s := &o.Samples[i]
			used := 700 * (s.Buffered() - s.Backlog)
			s.RedisBytesMax, s.RedisBytesAll = 8e6, nodes*1e6+used
			s.RedisBytes = 1e6 + int64(want.RedisFullest*float64(used))
		}
		got := ProbeOf(o, 1000, judge.Host{}, false)
		if math.Abs(got.RedisPerSpan-want.RedisPerSpan) > 0.1 || math.Abs(got.RedisFullest-want.RedisFullest) > 0.001 {
			t.Errorf("%d nodes: %+v, want %+v", nodes, got, want)
		}
		r := NewReport("steady", "virtual", 700, 0.3, []Point{{Processes: 2, Throughput: 1000, Probes: []Probe{got}}})
		b := BoundsOf(o.Scenario, r.Points, 2, 700)
		b.MaxMemory = 0.5
		r.Look(b, nil)
		perSecond := 700 * want.RedisPerSpan * want.RedisFullest
		full := (4e6 - r.Outlook.Waiting*want.RedisPerSpan*want.RedisFullest) / perSecond
		if math.Abs(float64(r.Outlook.RedisFullSeconds)-full) > 0.01 ||
			math.Abs(r.Outlook.RedisBytes-r.Outlook.Waiting*700) > 1 {
			t.Errorf("%d nodes: %+v, want it to be full in %v s", nodes, r.Outlook, full)
		}
	}
	if p := ProbeOf(ran(judge.ExitPassed, 0), 1000, judge.Host{}, false); p.RedisPerSpan != 0 || p.RedisFullest != 0 {
		t.Errorf("not measured: %+v", p)
	}
}

// TestUnsafe: a violation of safety is in the report whether the run was ended early or not, of whatever run
// it is; one of liveness only if the run was not ended early.
func TestUnsafe(t *testing.T) {
	p, o := outage(1000)
	o.Interrupted = true
	o.Result.Invariants = []reports.Judgement{{Name: "backpressure", Verdict: reports.Violated, Detail: "no pause"},
		{Name: "store contract", Verdict: reports.Violated, Detail: "claimed twice"}}
	for code, want := range map[int]string{judge.ExitSafety: "store contract: claimed twice", judge.ExitLiveness: ""} {
		o.Code = code
		if got := p.Trial(o); got.Unsafe != want || got.Why != want {
			t.Errorf("code %d: a trial that was ended early is unsafe by %q, why %q, want %q", code, got.Unsafe, got.Why, want)
		}
		probed := ran(code, 500)
		probed.Interrupted, probed.Result.Invariants = true, o.Result.Invariants
		if got := ProbeOf(probed, 1000, judge.Host{}, false); got.Unsafe != want || got.Sustained || want != "" && got.Why != want {
			t.Errorf("code %d: a probe that was ended early is unsafe by %q, want %q", code, got.Unsafe, want)
		}
	}
	o.Interrupted, o.Code = false, judge.ExitLiveness
	if got := p.Trial(o); got.Why != "backpressure: no pause" || got.Unsafe != "" {
		t.Errorf("a whole trial: why %q, unsafe %q", got.Why, got.Unsafe)
	}
	bad := Trial{What: "Redis is stopped", Processes: 4, Rate: 54000, Unsafe: "it", Why: "it"}
	list := points(WorkerCPU, 20000, 39000, 75000, 140000)
	for name, change := range map[string]func(*Report){
		"probe": func(r *Report) { r.Points[len(r.Points)/2].Probes = []Probe{{Rate: 54000, Unsafe: "it"}} },
		"trial": func(r *Report) { r.Look(Bounds{}, []Trial{bad}) },
		"cell":  func(r *Report) { r.Map(r.Count(4), []Trial{bad}, 1) },
	} {
		r := NewReport("steady", "virtual", 54000, 0.3, slices.Clone(list))
		if len(r.Unsafe) > 0 || strings.Contains(r.Headline, "Safety") {
			t.Fatalf("safe: %q", r.Headline)
		}
		change(r)
		r.say()
		var text strings.Builder
		if err := r.WriteText(&text); err != nil {
			t.Fatal(err)
		}
		if len(r.Unsafe) != 1 || !strings.HasPrefix(text.String(), "Safety was violated in 1 run. 4 processes carry") ||
			!strings.Contains(text.String(), "with 4 processes at 54,000 spans/s") {
			t.Errorf("%s: %q\n%s", name, r.Unsafe, text.String())
		}
		if r.Document("").Class != string(reports.Violated) {
			t.Errorf("%s: the page is %s", name, r.Document("").Class)
		}
		if want := "when Redis is stopped, it violated it."; r.Stability != nil && !strings.Contains(text.String(), want) {
			t.Errorf("%s: no %q in\n%s", name, want, text.String())
		}
	}
}
