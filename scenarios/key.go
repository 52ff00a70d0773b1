package scenarios

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/internal/options"
)

// Key is what a user must know of a key of the file. The documentation, the JSON Schema and
// Validate all have it from here.
type Key struct {
	// Path is the key with those above it: "pipeline.timeout".
	Path string
	// Unit is what its value counts in, or what kind of value it is. "" for a name, a word, a number
	// of what the key is called after, and for a section.
	Unit string
	// Example is a value that is right, and another than the default. "" for a section.
	Example string
	// Means says what it is.
	Means string
	// Zero says what 0, or its like, means; "" where that is not right, or is no special value.
	Zero string

	// low and high bound the value, in its own type; nil: there is no such bound. over means that low
	// itself is too little. besides is a value beyond them that is right all the same.
	low, high any
	over      bool
	besides   any
	// why says where the bounds come from, if that does not go without saying.
	why string
}

const (
	// nameMax leaves room for what a world adds in the name of a topic, which has 249 characters at
	// most.
	nameMax = 200
	// durationMax is a little less than what the ledger's times reach.
	durationMax = 11 * time.Hour
	// timeMax bounds all other times: with it, none of what is added up from them overflows.
	timeMax = 1000 * time.Hour
	// partitionsMax and processesMax bound the input topic and the workers of a run on one machine.
	partitionsMax, processesMax = 1024, 256
	// producersMax bounds the clients that send the load of a run on one machine.
	producersMax = 16
	// spanBytesMin is the size of a span's message without any padding, with room to spare.
	spanBytesMin = 400
	// spanBytesMax is what fits into a batch of the input topic, which Kafka and its clients take up to
	// 1000012 bytes of, with the key and the frame of a message.
	spanBytesMax = 999_000
	// spansMax bounds the account of a run, which is kept in memory.
	spansMax = 200_000_000
	// sizeMax bounds the sizes that a spread can have.
	sizeMax = 1_000_000
	// recordMin and recordMax are what Kafka's clients take as the limit of a batch.
	recordMin, recordMax buffer.Bytes = 512, 96 << 20
	// heldMax bounds what ingest and a worker take at a time.
	heldMax = buffer.HeldMax
	// countMax bounds what is counted by hand.
	countMax = 1_000_000
)

var keys = []Key{
	{Path: "name", Example: "my-run",
		Means: "what the run, its directory and its topics are called: lower-case letters, digits, single dashes"},
	{Path: "description", Example: "Shows a hang.", Means: "what the scenario shows"},
	{Path: "seed", Example: "42", Means: "root of all random choices", Zero: "a seed like any other"},
	{Path: "duration", Unit: "time", Example: "2m30s",
		Means: "how long load arrives; what is buffered then is flushed afterwards",
		low:   time.Millisecond, high: durationMax, why: "the ledger keeps times up to that"},

	{Path: "topology", Means: "what the system looks like"},
	{Path: "topology.partitions", Example: "16", low: 1, high: partitionsMax,
		Means: "partitions of the input topic, and so the number of shards"},
	{Path: "topology.flusher_processes", Example: "per-shard", low: Processes(1),
		high: Processes(processesMax), besides: PerShard, Means: "workers; never more than shards"},
	{Path: "topology.flusher_mode", Example: "goroutine",
		Means: "what a worker is to the operating system: `process` or `goroutine`"},
	{Path: "topology.output_record_max", Unit: "size", Example: "64KiB", Zero: "the broker's default, 1 MiB",
		low: recordMin, high: recordMax, besides: buffer.Bytes(0),
		why: "what Kafka's clients send", Means: "the largest record that the output topic takes"},

	{Path: "pipeline", Means: "options of the pipeline, in the words of cmd/run"},
	{Path: "pipeline.timeout", Unit: "time", Example: "4s", low: time.Millisecond, high: timeMax,
		Means: "how long after its last span a segment without a root is due"},
	{Path: "pipeline.root_timeout", Unit: "time", Example: "2s", low: time.Millisecond, high: timeMax,
		Means: "the same for a segment with its root"},
	{Path: "pipeline.max_segment_age", Unit: "time", Example: "30s", Zero: "never for its age; so does `off`",
		low: time.Duration(0), high: timeMax,
		Means: "how long after its first span a segment is due at the latest"},
	{Path: "pipeline.max_segment_bytes", Unit: "size", Example: "512KB", Zero: "never; so does `off`",
		low: buffer.Bytes(0), Means: "payload over which further spans are cut off"},
	{Path: "pipeline.max_flush_segments", Unit: "segments", Example: "50", low: 1, high: heldMax,
		Means: "segments that a worker takes per cycle, shared evenly by its shards; one of each at the least"},
	{Path: "pipeline.max_unhealthy", Unit: "time", Example: "3s", low: 100 * time.Millisecond,
		high: timeMax, why: "workers are looked at every 100ms",
		Means: "how long a worker may be silent; twice that while it starts"},
	{Path: "pipeline.backpressure_after", Unit: "time", Example: "1s", Zero: "at once",
		low: time.Duration(0), high: timeMax, Means: "how long a worker may lag before its partitions pause"},
	{Path: "pipeline.restart_budget", Example: "3", Zero: "its first failure ends the consumer",
		low: 0, high: countMax, Means: "restarts that each worker has"},
	{Path: "pipeline.max_memory", Unit: "share", Example: "80%", low: 0.0, over: true, high: 1.0,
		Means: "share of a Redis node's memory over which input pauses; 1 or `off`: never"},
	{Path: "pipeline.max_batch", Unit: "spans", Example: "5000", low: 1, high: heldMax,
		Means: "spans that ingest takes at a time per partition; up to four times as many while it lags"},
	{Path: "pipeline.max_batch_wait", Unit: "time", Example: "100ms", Zero: "a batch waits for nothing",
		low: time.Duration(0), high: timeMax, Means: "how long ingest " +
			"waits for a batch to fill; never more than a twentieth of the shortest time-out"},

	{Path: "workload", Means: "what arrives, in an open loop: a slow system does not slow it down"},
	{Path: "workload.rate", Unit: "spans/s", Example: "ramp 500/s to 8000/s", Means: "spans that are sent: constant, ramp, step, sine or burst, see the load shapes"},
	{Path: "workload.traces_at_once", Unit: "traces", Example: "200", low: 1, high: countMax,
		Means: "traces that are interleaved"},
	{Path: "workload.spans_per_trace", Unit: "spans", Example: "uniform 5..40",
		Means: "size of a trace: a number, uniform, geometric or a mix, see the spreads"},
	{Path: "workload.depth", Unit: "levels", Example: "3", low: 1, high: countMax,
		Means: "levels of a trace below its root, at most"},
	{Path: "workload.span_bytes", Unit: "bytes", Example: "geometric mean 600 max 9000",
		why: "what a message takes, and what Kafka takes", Means: "size of a span's message, a spread as well; smaller ones are filled up"},
	{Path: "workload.projects", Example: "100", low: 1, high: countMax,
		Means: "projects that the traces are spread over"},
	{Path: "workload.disorder", Unit: "share", Example: "10%", Zero: "every parent comes before its children",
		low: 0.0, high: 1.0, Means: "share of traces whose spans arrive in random order"},
	{Path: "workload.late", Unit: "share, time", Example: "0.01 by 300ms",
		Means: "share of spans that are held back, and for how long; or `never`"},
	{Path: "workload.duplicates", Unit: "share", Example: "0.05", Zero: "none do",
		low: 0.0, high: 1.0, Means: "share of spans that arrive twice"},
	{Path: "workload.headless", Unit: "share", Example: "0.1", Zero: "every root arrives",
		low: 0.0, high: 1.0, Means: "share of traces whose root never arrives"},
	{Path: "workload.bad", Unit: "share", Example: "0.02", Zero: "there are none",
		low: 0.0, high: 1.0, Means: "messages that are not spans, as a share of the spans"},
	{Path: "workload.skew", Unit: "share, time", Example: "0.1 by 720h", Means: "share of traces whose " +
		"messages have wrong timestamps, and by how much at most; some are 0 or -1; or `never`"},
	{Path: "workload.producers", Example: "4", low: 1, high: producersMax,
		Means: "clients that share the sending"},
	{Path: "workload.key_skew", Example: "1.5", Zero: "even", low: 0.0, high: 10.0,
		Means: "Zipf exponent of traces over partitions"},

	{Path: "faults", Example: "[at 5s crash worker 0]",
		Means: "what is broken during the run, one fault per line"},
	{Path: "port_faults", Example: "[lose store.ack every 10]",
		Means: "calls of the pipeline that fail, one per line, in the words of `--port-fault`"},

	{Path: "expectations", Means: "what the run must reach beyond the invariants that hold in every run"},
	{Path: "expectations.restarts_min", Example: "2", Zero: "there need be none", low: 0,
		Means: "restarts that must happen: a fault that did nothing proves nothing"},
	{Path: "expectations.worker_restarts_max", Example: "1", Zero: "none", low: Count(0), besides: Unlimited,
		Means: "restarts that each worker may have, or `unlimited`"},
	{Path: "expectations.throughput_min", Unit: "spans/s", Example: "1500/s", Zero: "any rate will do",
		low: PerSecond(0), high: PerSecond(rateMax),
		Means: "flushed spans per second, over the load or from first to last record if that is longer"},
	{Path: "expectations.freshness_p99_max", Unit: "time", Example: "2s", Zero: "any; so does `off`",
		low: time.Duration(0), high: timeMax,
		Means: "how long after its deadline 99 % of the segments must be out"},
	{Path: "expectations.repeated_spans_max", Unit: "spans", Example: "0", Zero: "none",
		low: Count(0), besides: Unlimited, Means: "spans that may come out again in a repeated record, or `unlimited`"},
	{Path: "expectations.split_spans_max", Unit: "spans", Example: "unlimited", Zero: "none",
		low: Count(0), besides: Unlimited, Means: "spans that may come out under an ancestor other than their root, or `unlimited`"},
	{Path: "expectations.duplicated_spans_max", Unit: "spans", Example: "unlimited", Zero: "none",
		low: Count(0), besides: Unlimited,
		Means: "spans sent once that may come out again under another `flush_id`, because their messages " +
			"were delivered again after their segment was flushed; or `unlimited`"},
	{Path: "expectations.drain_max", Unit: "time", Example: "1m", low: time.Millisecond, high: timeMax,
		Means: "how long after the load everything must be out"},
	{Path: "expectations.end", Example: "budget",
		Means: "`drained`, or `budget`: the consumer must give up by itself, because a worker's restart " +
			"budget is used up; it is started again when the faults are over"},
	{Path: "expectations.figures", Example: "[ledger.lost = 0]",
		Means: "limits on figures of `result.json`, one per line: path, one of `< <= = >= >`, value"},
	{Path: "expectations.worker_memory_max", Unit: "size", Example: "256MiB", low: buffer.Bytes(1e6),
		high: buffer.Bytes(1 << 40), Means: "memory that a worker process may use"},
}

// Keys returns every key of the file, in the order of the file.
func Keys() []Key { return append([]Key(nil), keys...) }

// IsSection tells whether the key holds further keys.
func (k *Key) IsSection() bool { return k.Example == "" }

// Limits says what the value must be within, or "".
func (k *Key) Limits() string {
	switch k.Path {
	case "name":
		return fmt.Sprintf("1 to %d characters", nameMax)
	case "workload.rate":
		return fmt.Sprintf("to %v, and %d spans in all", PerSecond(rateMax), spansMax)
	case "workload.spans_per_trace":
		return fmt.Sprintf("1 to %d", sizeMax)
	case "workload.span_bytes":
		return fmt.Sprintf("%d to %d", spanBytesMin, spanBytesMax)
	case "workload.late":
		return "shorter than `duration`"
	}
	switch {
	case k.low == nil:
		return ""
	case k.high == nil:
		return fmt.Sprintf("%s or more", written(k.low))
	case k.over:
		return fmt.Sprintf("over %s, up to %s", written(k.low), written(k.high))
	}
	return fmt.Sprintf("%s to %s", written(k.low), written(k.high))
}

// Default is the value of a key that is left out, as it is written; "" for a section and for what
// holds nothing then.
func (k *Key) Default() string {
	if k.Path == "expectations.repeated_spans_max" {
		return "unlimited with faults, else 0"
	}
	s := Default()
	switch v := s.at(k.Path); {
	case k.IsSection() || v.Kind() == reflect.String && v.Len() == 0:
		return ""
	case v.Kind() == reflect.Slice:
		return "none"
	default:
		return written(v.Interface())
	}
}

// Describe says all that a user must know of the key in one line: what it is, what it counts in, what
// it must be within, what 0 means, and what it is if it is left out.
func (k *Key) Describe() string {
	text := strings.ToUpper(k.Means[:1]) + k.Means[1:] + "."
	for _, part := range []struct{ form, value string }{
		{" Unit: %s.", k.Unit}, {" Limits: %s.", k.Limits()}, {" 0: %s.", k.Zero},
		{" Default: %s.", k.Default()},
	} {
		if part.value != "" {
			text += fmt.Sprintf(part.form, part.value)
		}
	}
	return text
}

// at returns the value of a key.
func (s *Scenario) at(path string) reflect.Value {
	v := reflect.ValueOf(s).Elem()
	for key := range strings.SplitSeq(path, ".") {
		v = v.FieldByIndex(field(v.Type(), key).Index)
	}
	return v
}

// field is that of a key.
func field(t reflect.Type, key string) reflect.StructField {
	for f := range t.Fields() {
		if f.Tag.Get("yaml") == key {
			return f
		}
	}
	panic("a scenario has no key " + key)
}

// zeroes takes off what a duration ends with beyond its last unit: "11h0m0s " is 11h.
var zeroes = strings.NewReplacer("h0m0s ", "h", "m0s ", "m", " ", "")

// written returns a value as it is written in a file.
func written(value any) string {
	switch v := value.(type) {
	case buffer.Bytes:
		return options.FormatSize(v)
	case float64:
		return options.FormatNumber(v)
	case time.Duration:
		return zeroes.Replace(v.String() + " ")
	case interface{ MarshalText() ([]byte, error) }:
		text, _ := v.MarshalText() // these never fail
		return string(text)
	}
	return fmt.Sprint(value)
}

// bound checks a value against the limits of its key.
func (k *Key) bound(c *checker, value reflect.Value) {
	if k.low == nil || k.besides != nil && value.Equal(reflect.ValueOf(k.besides)) {
		return
	}
	n, low := number(value), number(reflect.ValueOf(k.low))
	ok := n > low || n == low && !k.over
	if k.high != nil {
		ok = ok && n <= number(reflect.ValueOf(k.high))
	}
	why := ""
	if k.why != "" {
		why = ": " + k.why
	}
	if k.besides != nil {
		why = ", or " + written(k.besides) + why
	}
	c.expect(ok, k.Path, "%s must be %s%s", written(value.Interface()), k.Limits(), why)
}

// number is what a value counts.
func number(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	}
	return v.Float()
}
