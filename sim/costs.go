package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/internal/yamlfile"
)

// Costs are what steps take. What is computed takes the time of a core of the host that it runs on,
// and a duration of 0 means that the step takes none.
type Costs struct {
	Hosts   Hosts   `yaml:"hosts"`
	Network Network `yaml:"network"`
	Redis   Redis   `yaml:"redis"`
	Kafka   Kafka   `yaml:"kafka"`
	Program Program `yaml:"program"`
	Worker  Worker  `yaml:"worker"`
	Harness Harness `yaml:"harness"`
	// Together is by how much everything takes longer when all goes on at once than one step at a time.
	Together Together `yaml:"together"`
	// Calibration says where the values come from; nil if nobody measured them. The model does not
	// look at it.
	Calibration *Calibration `yaml:"calibration,omitempty"`
}

// Hosts are the machines.
type Hosts struct {
	// Cores is how many a host has.
	Cores int `yaml:"cores"`
	// Shared puts everything on one host: consumers and workers, Redis, Kafka, and the load. Otherwise
	// all consumers and workers are on one, the servers on one each, and the load costs nobody
	// anything.
	Shared bool `yaml:"shared"`
	// Others is how many cores' time goes to what has nothing to do with the run, on the host of the
	// consumers and workers. 0: none.
	Others float64 `yaml:"others"`
	// RedisNodes is how many nodes Redis has, each with a thread of its own; more than one are a
	// cluster. 0: one, and three if a fault names one of them.
	RedisNodes int `yaml:"redis_nodes"`
}

// redisNodesMax is more nodes than a cluster of Redis is recommended to have.
const redisNodesMax = 1000

// Network is the way to a server.
type Network struct {
	// Hop is how long a request or an answer travels.
	Hop time.Duration `yaml:"hop"`
	// Jitter is how much longer it travels at most, by chance; none overtakes the one before it on its
	// connection. 0: each travels equally long.
	Jitter time.Duration `yaml:"jitter"`
	// Bandwidth is how many bytes per second the host of the consumers and workers can send, and how many
	// it can receive, if it is one of its own. 0: as many as there are.
	Bandwidth int64 `yaml:"bandwidth"`
}

// Redis is what its one thread takes.
type Redis struct {
	// Call is per call. Trace and Span are what each trace and each span of an Attach add, Known what a
	// trace adds beside Trace if something of it is stored already, and Repeat what a span does beside
	// Span if it is itself, and Merge what a segment adds that becomes part of another one. Segment is
	// what each segment adds to each of Claim, Load and Ack, and Flush each span to each of Load and
	// Ack; what comes along with a Claim counts as loaded.
	// Queue is what each generation adds to each of Enqueue, Lease and Release, and KB what every
	// 1,000 bytes of spans add to Attach and Load.
	Call    time.Duration `yaml:"call"`
	Trace   time.Duration `yaml:"trace"`
	Known   time.Duration `yaml:"known"`
	Span    time.Duration `yaml:"span"`
	Repeat  time.Duration `yaml:"repeat"`
	Merge   time.Duration `yaml:"merge"`
	Segment time.Duration `yaml:"segment"`
	Flush   time.Duration `yaml:"flush"`
	Queue   time.Duration `yaml:"queue"`
	KB      time.Duration `yaml:"kb"`
	// Stop is how long a server without data takes to end that is asked to, and Start from when it is
	// started until it answers. SaveTrace and SaveKB are what every trace and every 1,000 bytes of
	// memory add to the former, LoadTrace and LoadKB to the latter, in which it reads what it saved. It
	// answers nobody meanwhile.
	Stop      time.Duration `yaml:"stop"`
	SaveTrace time.Duration `yaml:"save_trace"`
	SaveKB    time.Duration `yaml:"save_kb"`
	Start     time.Duration `yaml:"start"`
	LoadTrace time.Duration `yaml:"load_trace"`
	LoadKB    time.Duration `yaml:"load_kb"`
	// Empty is the memory that it uses without any spans, Overhead what a span takes beside its payload.
	Empty    buffer.Bytes `yaml:"empty"`
	Overhead buffer.Bytes `yaml:"overhead"`
}

// Kafka is what the broker takes.
type Kafka struct {
	// Linger is how long a producer gathers records, Acknowledge how long the broker takes until it
	// acknowledges them, Fetch until it answers a fetch that has something: they wait, and compute
	// nothing. Session is how long the group waits for a member that fell silent.
	Linger      time.Duration `yaml:"linger"`
	Acknowledge time.Duration `yaml:"acknowledge"`
	Fetch       time.Duration `yaml:"fetch"`
	Session     time.Duration `yaml:"session"`
	// Stop is how long a broker takes to end that is asked to, and Start from when it is started until
	// it answers: both are beside what a fault says. 0: it is gone and there at once.
	Stop  time.Duration `yaml:"stop"`
	Start time.Duration `yaml:"start"`
	// WarmUp is what a broker that has been started computes in all beside what the same takes later:
	// three times as much at first, and less from then on. 0: it is warm at once. (It is warm when a
	// run begins.)
	WarmUp time.Duration `yaml:"warm_up"`
	// Message is what it computes for a message that comes in and is fetched, Record for one that comes
	// out, KB for every 1,000 bytes of either, Request for every request: to produce, to fetch, to
	// commit. Idle is what it computes in a second in which nobody asks for anything.
	Message time.Duration `yaml:"message"`
	Record  time.Duration `yaml:"record"`
	KB      time.Duration `yaml:"kb"`
	Request time.Duration `yaml:"request"`
	Idle    time.Duration `yaml:"idle"`
}

// Program is what a consumer computes.
type Program struct {
	// Start is how long a process waits until it does something, also a worker.
	Start time.Duration `yaml:"start"`
	// Poll is to take what a request to fetch brings. Read is to take a span of it, decode and group it,
	// ReadKB for every 1,000 bytes of it; Attach is to hand it to Redis, and Call is for every call to
	// Redis.
	Poll   time.Duration `yaml:"poll"`
	Read   time.Duration `yaml:"read"`
	ReadKB time.Duration `yaml:"read_kb"`
	Attach time.Duration `yaml:"attach"`
	Call   time.Duration `yaml:"call"`
	// Idle is what the process computes in a second beside all that: beats, reports, time-outs.
	Idle time.Duration `yaml:"idle"`
}

// Worker is what a worker computes.
type Worker struct {
	// Flush is to load a span from Redis and put it into its segment, FlushKB for every 1,000 bytes of
	// it; Record is to produce a record, and Call is for every call to Redis.
	Flush   time.Duration `yaml:"flush"`
	FlushKB time.Duration `yaml:"flush_kb"`
	Record  time.Duration `yaml:"record"`
	Call    time.Duration `yaml:"call"`
	// Idle is what each worker computes in a second beside all that.
	Idle time.Duration `yaml:"idle"`
}

// Harness is what the load takes on a host that it shares.
type Harness struct {
	// Request is for every request to send or to fetch. Send is to send a span, CheckKB to check every
	// 1,000 bytes that come out.
	Request time.Duration `yaml:"request"`
	Send    time.Duration `yaml:"send"`
	CheckKB time.Duration `yaml:"check_kb"`
	// Idle is what it computes in a second beside all that: it looks at every process.
	Idle time.Duration `yaml:"idle"`
}

// Together are factors for what each computes; 1 changes nothing. Caches, switches between threads and
// the collector make them greater.
type Together struct {
	Redis   float64 `yaml:"redis"`
	Kafka   float64 `yaml:"kafka"`
	Program float64 `yaml:"program"`
	Worker  float64 `yaml:"worker"`
	Harness float64 `yaml:"harness"`
}

// DefaultCosts are the built-in ones, for cores of a virtual machine of 2026. Those of Redis were
// calibrated on 29 November 2026 with 2 virtual cores (AMD EPYC), and rounded; the others are that
// day's medians, of docs/performance.md, of which half of what a span takes in the program and in the
// workers is put on its bytes: scanning and copying.
func DefaultCosts() Costs {
	return Costs{
		Hosts:   Hosts{Cores: 8},
		Network: Network{Hop: 50 * time.Microsecond},
		Redis: Redis{
			Call: 30 * time.Microsecond, Trace: 250 * time.Nanosecond, Known: 12 * time.Microsecond,
			Span: 1400 * time.Nanosecond, Repeat: 4500 * time.Nanosecond, Merge: 100 * time.Microsecond,
			Segment: 3 * time.Microsecond, Flush: 250 * time.Nanosecond, Queue: time.Microsecond,
			KB: 800 * time.Nanosecond, Stop: 2 * time.Millisecond, SaveTrace: time.Microsecond,
			SaveKB: 4800 * time.Nanosecond, Start: 12 * time.Millisecond, LoadTrace: 800 * time.Nanosecond,
			LoadKB: 1900 * time.Nanosecond,
			Empty:  1_500_000, Overhead: 93,
		},
		Kafka: Kafka{
			Linger: 2 * time.Millisecond, Acknowledge: 2 * time.Millisecond, Fetch: time.Millisecond,
			Session: 6 * time.Second, Message: 2500 * time.Nanosecond, Record: 20 * time.Microsecond,
			KB: 800 * time.Nanosecond,
		},
		Program: Program{
			Start: 100 * time.Millisecond, Read: 1500 * time.Nanosecond, ReadKB: 3 * time.Microsecond,
			Attach: 600 * time.Nanosecond, Call: 20 * time.Microsecond,
		},
		Worker: Worker{
			Flush: 1300 * time.Nanosecond, FlushKB: 4 * time.Microsecond, Record: 10 * time.Microsecond,
			Call: 20 * time.Microsecond,
		},
		Harness:  Harness{Send: 2500 * time.Nanosecond, CheckKB: 3600 * time.Nanosecond},
		Together: Together{1, 1, 1, 1, 1},
	}
}

// ReadCosts reads a calibration file: what it leaves out keeps its built-in value. The error is
// yamlfile.Problems.
func ReadCosts(file string, text []byte) (Costs, error) {
	c := DefaultCosts()
	places, err := yamlfile.Read(file, text, &c)
	if err != nil {
		return c, err
	}
	return c, places.Of(c.Validate())
}

// Set changes the costs by one "section.key=value", such as redis.call=60us, written as in their file, and
// makes that the place of the key. Nobody validates the whole. The error is yamlfile.Problems.
func (c *Costs) Set(places yamlfile.Places, text string) error {
	fault := func(format string, args ...any) error {
		return yamlfile.Problems{{Place: yamlfile.Place{File: "--set " + text}, Message: fmt.Sprintf(format, args...)}}
	}
	key, _, ok := strings.Cut(text, "=")
	switch {
	case !ok || key == "":
		return fault("write section.key=value, such as redis.call=60us")
	case strings.HasPrefix(key, "calibration"): // of which the model knows nothing
		return fault("how the costs were measured changes nothing; write section.key=value, such as redis.call=60us")
	}
	if err := places.Set(c, text); err != nil || c.Calibration == nil {
		return err
	}
	known := *c.Calibration
	known.Changed = append(slices.Clone(known.Changed), text)
	c.Calibration = &known
	return nil
}

// Validate returns everything that is wrong with the costs, as yamlfile.Problems, or nil.
func (c Costs) Validate() error {
	var problems yamlfile.Problems
	if c.Hosts.Cores < 1 {
		problems = append(problems, yamlfile.Problem{Path: "hosts.cores",
			Message: fmt.Sprintf("is %d, want at least 1", c.Hosts.Cores)})
	}
	if o := c.Hosts.Others; !(o >= 0) || o >= float64(max(1, c.Hosts.Cores)) {
		problems = append(problems, yamlfile.Problem{Path: "hosts.others",
			Message: fmt.Sprintf("is %v, want at least 0 and less than the %d cores", o, c.Hosts.Cores)})
	}
	if b := c.Network.Bandwidth; b < 0 {
		problems = append(problems, yamlfile.Problem{Path: "network.bandwidth",
			Message: fmt.Sprintf("is %d, want bytes per second, or 0 for no bound", b)})
	}
	if n := c.Hosts.RedisNodes; n < 0 || n > redisNodesMax {
		problems = append(problems, yamlfile.Problem{Path: "hosts.redis_nodes",
			Message: fmt.Sprintf("is %d, want 1 to %d, or 0: one, and three if a fault names one", n,
				redisNodesMax)})
	}
	for _, name := range []string{"redis", "kafka", "program", "worker", "harness"} {
		if f := *c.Together.of(name); !(f > 0) || f > factorMax {
			problems = append(problems, yamlfile.Problem{Path: "together." + name,
				Message: fmt.Sprintf("is %v, want more than 0 and at most %d; 1 changes nothing", f, factorMax)})
		}
	}
	if c.Calibration != nil {
		problems = append(problems, c.Calibration.validate(&c)...)
	}
	return problems.Err()
}

// factorMax is far beyond any factor that is no mistake.
const factorMax = 100

// of returns the factor of a section of the costs, nil if it has none.
func (t *Together) of(section string) *float64 {
	return map[string]*float64{"redis": &t.Redis, "kafka": &t.Kafka, "program": &t.Program,
		"worker": &t.Worker, "harness": &t.Harness}[section]
}

// waited are costs for which nobody computes.
var waited = map[string]bool{"kafka.linger": true, "kafka.acknowledge": true, "kafka.fetch": true,
	"kafka.session": true, "kafka.stop": true, "kafka.start": true, "program.start": true,
	"redis.stop": true, "redis.start": true}

// multiplied tells whether Together multiplies a cost: what is computed for what somebody asks, with a
// broker that is warm.
func multiplied(cost string) bool {
	_, key, _ := strings.Cut(cost, ".")
	return key != "idle" && key != "warm_up" && !waited[cost]
}

// effective are the costs with the factors of Together in them.
func (c Costs) effective() Costs {
	for name, cost := range c.Each() {
		section, _, _ := strings.Cut(name, ".")
		if f := c.Together.of(section); f != nil && *f != 1 && multiplied(name) {
			*cost = time.Duration(float64(*cost) * *f)
		}
	}
	c.Together = Together{1, 1, 1, 1, 1}
	return c
}
