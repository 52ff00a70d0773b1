package sim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// measured are costs as a calibration leaves them.
func measured() Costs {
	c := DefaultCosts()
	c.Hosts = Hosts{Cores: 2, Shared: true}
	c.Redis.Call, c.Kafka.Request, c.Worker.Idle = 12_345, 310*time.Microsecond, 5*time.Millisecond
	c.Together = Together{1.07, 1, 1.3, 0.8, 1.1}
	c.Calibration = &Calibration{
		Date: "2026-11-28T14:00:00Z", Redis: "7.0.15", Kafka: "v4.1", Shapes: "20 spans of 500 B",
		Yardstick: SpreadOf([]time.Duration{30, 50, 40}),
		Measured:  []Measured{{"redis.call", 3, 12_345, 12_000, 13_000}},
		Factors:   []Factor{{"redis", 3, 1.07, 1, 1.2}},
		NotMeasured: []NotMeasured{{"kafka.record", "the broker is on another machine"},
			{"network.bandwidth", "it would disturb others"}, {"redis.empty", "it hangs on the engine"}},
		Steps: []Step{{Step: "attach", Client: 1500, Redis: 6000}, // as files had it once
			StepOf("claim", []StepTimes{{1500, 6000, 0}, {1700, 5000, 0}, {1600, 9000, 0}})},
		Throughput: []Throughput{{"produce", "MB", 3, 51.5, 48, 60.25}},
	}
	return c
}

// TestCostsReadWhatTheyWrite: a file of a calibration is one of costs.
func TestCostsReadWhatTheyWrite(t *testing.T) {
	for _, want := range []Costs{DefaultCosts(), measured()} {
		got, err := ReadCosts("costs.yaml", []byte(want.String()))
		if err != nil {
			t.Fatalf("%v in\n%s", err, want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// TestStepOf: each of the three has its own median, and its own least and greatest.
func TestStepOf(t *testing.T) {
	got := StepOf("claim", []StepTimes{{1500, 6000, 3}, {1700, 5000, 1}, {1600, 9000, 2}})
	want := Step{"claim", 1600, 6000, 2, 3, StepTimes{1500, 5000, 1}, StepTimes{1700, 9000, 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestReadCostsNamesThePlace of what is wrong in a file.
func TestReadCostsNamesThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"hosts: {cores: 0}":            "costs.yaml:1:16: hosts.cores: is 0, want at least 1",
		"hosts: {redis_nodes: -1}":     "costs.yaml:1:22: hosts.redis_nodes: is -1, want 1 to 1000",
		"hosts: {cores: 2, others: 2}": "costs.yaml:1:27: hosts.others: is 2, want at least 0 and less than the 2",
		"redis: {call: -1us}":          `is negative`,
		"together: {worker: 0}":        "costs.yaml:1:20: together.worker: is 0, want more than 0",
		"calibration: {date: noon}":    `costs.yaml:1:21: calibration.date: is "noon", want a time such as`,
		"calibration:\n  measured:\n  - {cost: redis.cal, n: 1}": `costs.yaml:3:5: calibration.measured[0]: ` +
			`names the cost "redis.cal", which there is not`,
		"calibration:\n  measured:\n  - {cost: redis.call, n: 0}": "is of 0 measurements",
		"calibration:\n  measured:\n  - {cost: redis.call, n: 2, median: 5us, least: 6us, greatest: 7us}": "has a " +
			"median of 5µs, which is not from 6µs to 7µs",
		"calibration:\n  measured:\n  - {cost: redis.call, n: 1}\n  not_measured:\n  - {cost: redis.call}": "a " +
			"second time",
		"calibration:\n  factors:\n  - {of: java, n: 1}":       `is of "java"`,
		"calibration: {yardstick: {n: 5}}":                     "calibration.yardstick: is 0s of 5",
		"calibration: {steps: [{step: a, client: 1us, x: 1}]}": `unknown key "x"`,
		"calibration:\n  measured:\n  - {cost: redis.empty, n: 1}": `costs.yaml:3:5: calibration.measured[0]: ` +
			`names the cost "redis.empty", which is no time`,
		"calibration:\n  not_measured:\n  - {cost: redis.emty}": `names the cost "redis.emty", which there is not`,
		"calibration:\n  steps:\n  - {step: a, n: 2, redis: 9us, greatest: {redis: 8us}}": "costs.yaml:3:5: " +
			"calibration.steps[0]: has a median of 9µs, which is not from 0s to 8µs",
		"calibration:\n  throughput:\n  - {of: produce, n: 2, median: 9, least: 9.5, greatest: 10}": "costs.yaml:3:5: " +
			"calibration.throughput[0]: has a median of 9 of 2, which is not from 9.5 to 10",
	} {
		if _, err := ReadCosts("costs.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestTogetherTakesLonger what is computed, and not what is waited for.
func TestTogetherTakesLonger(t *testing.T) {
	c := DefaultCosts()
	c.Together = Together{2, 3, 4, 5, 6}
	c.Worker.Idle, c.Kafka.Start, c.Kafka.WarmUp = time.Second, time.Second, time.Second
	e := c.effective()
	for name, want := range map[string]time.Duration{
		"redis.call": 2 * c.Redis.Call, "kafka.kb": 3 * c.Kafka.KB, "program.read": 4 * c.Program.Read,
		"worker.call": 5 * c.Worker.Call, "harness.send": 6 * c.Harness.Send,
		"kafka.acknowledge": c.Kafka.Acknowledge, "kafka.session": c.Kafka.Session,
		"redis.start": c.Redis.Start, "redis.load_kb": 2 * c.Redis.LoadKB, "kafka.start": c.Kafka.Start,
		"kafka.warm_up": c.Kafka.WarmUp,
		"program.start": c.Program.Start, "network.hop": c.Network.Hop, "worker.idle": time.Second,
	} {
		if got := *e.Cost(name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if e.effective() != e {
		t.Error("the factors count twice")
	}
}

func TestSpreadOf(t *testing.T) {
	for _, c := range []struct {
		of   []time.Duration
		want Spread
	}{{nil, Spread{}}, {[]time.Duration{3, 1, 2}, Spread{3, 2, 1, 3}}, {[]time.Duration{4, 1}, Spread{2, 2, 1, 4}}} {
		if got := SpreadOf(c.of); got != c.want {
			t.Errorf("%v: %+v", c.of, got)
		}
	}
}
