package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/buffer/redisstore"
	"sluice/internal/judge"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/process"
	"sluice/internal/wallclock"
	"sluice/scenarios"
	"sluice/sim"
)

// Place is what a calibration has on the servers, which nobody else has: the topics are there, with
// Partitions each. The caller removes them afterwards, with the group and the keys of the namespace.
type Place struct {
	Namespace, Group       string
	Input, Output, Letters string
}

// Config says what is measured.
type Config struct {
	// Redis and Kafka are the servers, and what they want of a client. The namespace is that of Place.
	Redis pipeline.Redis
	Kafka pipeline.Kafka
	Place Place
	// Repeats is how often everything is measured, Spans how many spans go through each stage in the
	// first shape; 0: DefaultSpans, and fewer on a slow machine.
	Repeats, Spans int
	// RunReal runs a scenario in the world of the servers, to see what everything takes when all goes
	// on at once. Nil: that is not measured.
	RunReal func(context.Context, scenarios.Scenario) (*judge.Outcome, error)
	// Restart restarts the servers, which forget all that they hold. Nil: they are not, and what that
	// takes is not measured.
	Restart Restarter
	// Progress hears what is measured next. Nil: nobody does.
	Progress func(what string)
}

// The defaults of Config.
const (
	DefaultRepeats = 3
	DefaultSpans   = 20_000
	// SpansMin is how many spans tell what one takes.
	SpansMin = 1000
	// quick is the yardstick of a machine for which DefaultSpans are right (of an Intel Xeon that is half as
	// fast it is 43 to 48 ms), and slowest how many times as slow one may be and still have fewer by that.
	quick   = 22 * time.Millisecond
	slowest = 2
)

// spansFor is how many spans go through each stage on a machine with a yardstick. What they take is
// measured in processor time: half as many tell as much where each takes twice as long, and all of it takes
// as long to measure as elsewhere.
func spansFor(yardstick time.Duration) int {
	times := min(max(1, yardstick.Seconds()/quick.Seconds()), slowest)
	return int(DefaultSpans / times)
}

// Run measures. What cannot be measured keeps its built-in value, and the calibration says so.
func Run(ctx context.Context, cfg Config) (sim.Costs, error) {
	costs := sim.DefaultCosts()
	r, err := open(ctx, cfg)
	if err != nil {
		return costs, err
	}
	defer r.close()
	c := &collection{costs: &costs, values: map[string][]time.Duration{},
		report: &sim.Calibration{Date: time.Now().UTC().Format(time.RFC3339)}}
	costs.Calibration = c.report
	c.never()
	if err := r.about(ctx, &costs); err != nil {
		return costs, err
	}
	if why := r.whyNoBrokers; why != "" {
		c.not(why, "kafka.message", "kafka.record", "kafka.kb", "kafka.request", "kafka.idle")
	}
	if c.report.Yardstick, err = Yardstick(); err != nil {
		return costs, err
	}
	if r.Spans == 0 {
		r.Spans = spansFor(c.report.Yardstick.Median)
	}
	most, err := r.warmUp(ctx, c)
	if err != nil {
		return costs, err
	}
	if err := r.repeat(ctx, c); err != nil {
		return costs, err
	}
	c.settle()
	if err := r.together(ctx, &costs, most); err != nil {
		return costs, err
	}
	last := &collection{costs: &costs, values: map[string][]time.Duration{}, report: c.report}
	if err := r.warmth(ctx, costs, last); err != nil {
		return costs, err
	}
	if err := r.restarts(ctx, last); err != nil { // after which the broker is cold
		return costs, err
	}
	last.settle()
	return costs, costs.Validate()
}

// about notes what is known of the servers, and of their machines.
func (r *rig) about(ctx context.Context, costs *sim.Costs) error {
	info, err := r.redis.Do(ctx, r.redis.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return fmt.Errorf("ask redis for its version: %w", err)
	}
	costs.Calibration.Redis, _ = redisstore.InfoField(info, "redis_version")
	versions, err := r.admin.ApiVersions(ctx)
	if err != nil {
		return fmt.Errorf("ask kafka for its version: %w", err)
	}
	for _, v := range versions.Sorted() {
		costs.Calibration.Kafka = v.VersionGuess()
	}
	var names []string
	for _, s := range shapes() {
		names = append(names, s.name)
	}
	costs.Calibration.Shapes = strings.Join(names, "; ")
	costs.Kafka.Linger = kafkaio.DefaultProducerConfig().Linger
	return r.hosts(ctx, costs)
}

// hosts notes which machines the servers are on, and finds the processes of the brokers.
func (r *rig) hosts(ctx context.Context, costs *sim.Costs) error {
	nodes, err := redisstore.Primaries(ctx, r.redis)
	if err != nil {
		return fmt.Errorf("ask redis for its nodes: %w", err)
	}
	brokers, err := kafkaio.BrokerAddresses(ctx, r.admin)
	if err != nil {
		return err
	}
	costs.Hosts.Cores = process.Cores()
	costs.Hosts.Shared = process.Local(slices.Concat(nodes, brokers)...)
	if len(nodes) > 1 { // with 1 a fault could name no node of a cluster
		costs.Hosts.RedisNodes = len(nodes)
	}
	r.brokers, r.whyNoBrokers = process.Listeners(brokers)
	return nil
}

// repeat measures everything several times. If nothing has warmed the servers up, a short round does,
// which counts for nothing.
func (r *rig) repeat(ctx context.Context, c *collection) error {
	if r.RunReal == nil {
		r.tell("a round to warm up")
		if _, err := r.round(ctx, max(SpansMin, r.Spans/4)); err != nil {
			return err
		}
	}
	for round := range r.Repeats {
		r.tell("round %d of %d", round+1, r.Repeats)
		one, err := r.round(ctx, r.Spans)
		if err != nil {
			return err
		}
		if err := one.solve(c, len(r.brokers) > 0); err != nil {
			return err
		}
	}
	r.tell("starts of processes")
	took, err := r.start(ctx)
	if err != nil {
		return err
	}
	c.values["program.start"] = took
	return r.rest(ctx, c)
}

// tell says what comes next.
func (r *rig) tell(format string, args ...any) {
	if r.Progress != nil {
		r.Progress(fmt.Sprintf(format, args...))
	}
}

// rest measures what the broker computes while nobody asks for anything.
func (r *rig) rest(ctx context.Context, c *collection) error {
	if len(r.brokers) == 0 {
		return nil
	}
	for range r.Repeats {
		began := time.Now()
		u, err := r.during(ctx, func() error { return wallclock.Clock{}.Sleep(ctx, time.Second) })
		if err != nil {
			return err
		}
		c.add("kafka.idle", time.Duration(u.kafka.Seconds()/time.Since(began).Seconds()*float64(time.Second)))
	}
	return nil
}

// round is everything, measured once.
type round struct {
	steps    []*steps
	passages []*passage
	*latencies
}

func (r *rig) round(ctx context.Context, spans int) (*round, error) {
	one := &round{}
	for _, s := range shapes() {
		n := max(1, int(float64(spans)*s.share))
		st, err := r.stepByStep(ctx, s, n)
		if err != nil {
			return nil, err
		}
		p, err := r.pass(ctx, s, n)
		if err != nil {
			return nil, err
		}
		one.steps, one.passages = append(one.steps, st), append(one.passages, p)
	}
	var err error
	one.latencies, err = r.latency(ctx)
	return one, err
}

// collection gathers the values of all repeats.
type collection struct {
	costs  *sim.Costs
	values map[string][]time.Duration
	steps  map[string][]sim.StepTimes
	order  []string // of steps
	rates  []rate   // of the producer
	report *sim.Calibration
}

func (c *collection) add(cost string, value time.Duration) {
	c.values[cost] = append(c.values[cost], value)
}

// not notes why costs keep their built-in values.
func (c *collection) not(why string, costs ...string) {
	for _, cost := range costs {
		c.report.NotMeasured = append(c.report.NotMeasured, sim.NotMeasured{Cost: cost, Why: why})
	}
}

// never notes the costs that no calibration measures.
func (c *collection) never() {
	c.not("to fill the network to its bound would disturb all who use it", "network.bandwidth")
	c.not("what a Redis needs without spans hangs on the engine and its settings, not on the machine", "redis.empty")
	c.not("the memory of a span hangs on the engine and on how long traces are, not on the machine: see the table "+
		"in docs/performance.md", "redis.overhead")
}

// settle puts the medians into the costs.
func (c *collection) settle() {
	for name, cost := range c.costs.Each() {
		if values := c.values[name]; len(values) > 0 {
			s := sim.SpreadOf(values)
			*cost = s.Median
			c.report.Measured = append(c.report.Measured, sim.Measured{Cost: name, N: s.N, Median: s.Median,
				Least: s.Least, Greatest: s.Greatest})
		}
	}
	for _, name := range c.order {
		c.report.Steps = append(c.report.Steps, sim.StepOf(name, c.steps[name]))
	}
	c.report.Throughput = append(c.report.Throughput, throughputs(c.rates)...)
}

// step adds what a step took of so many spans.
func (c *collection) step(name string, u used, spans int) {
	if c.steps == nil {
		c.steps = map[string][]sim.StepTimes{}
	}
	if c.steps[name] == nil {
		c.order = append(c.order, name)
	}
	n := time.Duration(cmp.Or(spans, 1))
	c.steps[name] = append(c.steps[name], sim.StepTimes{Client: u.own / n, Redis: u.redis / n, Kafka: u.kafka / n})
}
