package sim

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/buffer"
	"sluice/internal/options"
	"sluice/internal/yamlfile"
)

// Calibration is how the values of a calibration file came about: what a reader needs to judge them.
type Calibration struct {
	// Date is when they were measured, as in 2026-11-28T14:00:00Z; Redis and Kafka are the servers'
	// versions, Shapes says in words what was put through them.
	Date   string `yaml:"date"`
	Redis  string `yaml:"redis"`
	Kafka  string `yaml:"kafka"`
	Shapes string `yaml:"shapes"`
	// Yardstick is the processor time of a fixed piece of work, which says how fast the machine was: in
	// a file of a machine, or a day, that is half as fast, it and all that is computed are twice as
	// much.
	Yardstick Spread `yaml:"yardstick"`
	// Measured are the costs that were measured, by their names here. Those that are neither there nor
	// among the NotMeasured, such as linger, are settings.
	Measured    []Measured    `yaml:"measured"`
	NotMeasured []NotMeasured `yaml:"not_measured"`
	// Changed are the costs, or hosts, that are not as they were measured but were set later, as key=value.
	Changed []string `yaml:"changed,omitempty"`
	// Factors are the spreads of Together.
	Factors []Factor `yaml:"factors"`
	// Explained are the runs from which Together came, and what the costs here say of them.
	Explained []Explained `yaml:"explained,omitempty"`
	// Steps are what each step took of each span of the first shape, for a reader.
	Steps []Step `yaml:"steps"`
	// Throughput is what one producer brings to Kafka with the segments of that shape, for a reader.
	Throughput []Throughput `yaml:"throughput,omitempty"`
}

// Spread is the median of N measurements, and how far they were apart.
type Spread struct {
	N        int           `yaml:"n"`
	Median   time.Duration `yaml:"median"`
	Least    time.Duration `yaml:"least"`
	Greatest time.Duration `yaml:"greatest"`
}

// SpreadOf sums up measurements; the zero Spread if there are none.
func SpreadOf(values []time.Duration) Spread {
	n := len(values)
	if n == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	return Spread{N: n, Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Least: sorted[0],
		Greatest: sorted[n-1]}
}

// Measured is the spread of a cost.
type Measured struct {
	// Cost is its name, such as redis.call.
	Cost     string        `yaml:"cost"`
	N        int           `yaml:"n"`
	Median   time.Duration `yaml:"median"`
	Least    time.Duration `yaml:"least"`
	Greatest time.Duration `yaml:"greatest"`
}

// Factor is the spread of a factor of Together, from N runs of the same load.
type Factor struct {
	// Of names what it is for, such as redis.
	Of       string  `yaml:"of"`
	N        int     `yaml:"n"`
	Value    float64 `yaml:"value"`
	Least    float64 `yaml:"least"`
	Greatest float64 `yaml:"greatest"`
}

// Explained is a load of so many spans per second through so many workers, with all going on at once: the
// processor time that somebody took there, the median of N runs, and by the costs.
type Explained struct {
	Of        string        `yaml:"of"`
	Rate      float64       `yaml:"rate"`
	Workers   int           `yaml:"workers"`
	N         int           `yaml:"n"`
	Measured  time.Duration `yaml:"measured"`
	Predicted time.Duration `yaml:"predicted"`
}

// NotMeasured is a cost that keeps its built-in value, and why.
type NotMeasured struct {
	Cost string `yaml:"cost"`
	Why  string `yaml:"why"`
}

// Step is a step of the pipeline: of each span, the processor time of who does it and of the servers
// that it asks, as the medians of N measurements. In a file from before 30 November 2026, N is 0, and
// nobody knows the Least and the Greatest.
type Step struct {
	Step   string        `yaml:"step"`
	Client time.Duration `yaml:"client"`
	Redis  time.Duration `yaml:"redis"`
	Kafka  time.Duration `yaml:"kafka"`

	N        int       `yaml:"n,omitempty"`
	Least    StepTimes `yaml:"least,omitempty"`
	Greatest StepTimes `yaml:"greatest,omitempty"`
}

// StepTimes are those of a Step.
type StepTimes struct {
	Client time.Duration `yaml:"client"`
	Redis  time.Duration `yaml:"redis"`
	Kafka  time.Duration `yaml:"kafka"`
}

// Throughput is the spread of N measurements of so many Unit per second.
type Throughput struct {
	Of       string  `yaml:"of"`
	Unit     string  `yaml:"unit"`
	N        int     `yaml:"n"`
	Median   float64 `yaml:"median"`
	Least    float64 `yaml:"least"`
	Greatest float64 `yaml:"greatest"`
}

// StepOf sums up measurements of a step, of which there is one at least.
func StepOf(name string, list []StepTimes) Step {
	s := Step{Step: name, N: len(list)}
	for _, of := range []struct {
		of                      func(StepTimes) time.Duration
		median, least, greatest *time.Duration
	}{
		{func(t StepTimes) time.Duration { return t.Client }, &s.Client, &s.Least.Client, &s.Greatest.Client},
		{func(t StepTimes) time.Duration { return t.Redis }, &s.Redis, &s.Least.Redis, &s.Greatest.Redis},
		{func(t StepTimes) time.Duration { return t.Kafka }, &s.Kafka, &s.Least.Kafka, &s.Greatest.Kafka},
	} {
		var values []time.Duration
		for _, one := range list {
			values = append(values, of.of(one))
		}
		spread := SpreadOf(values)
		*of.median, *of.least, *of.greatest = spread.Median, spread.Least, spread.Greatest
	}
	return s
}

var (
	durationType    = reflect.TypeFor[time.Duration]()
	calibrationType = reflect.TypeFor[*Calibration]()
)

// fields yields every value of the costs with its name, such as redis.call.
func (c *Costs) fields() iter.Seq2[string, reflect.Value] {
	return func(yield func(string, reflect.Value) bool) {
		all := reflect.ValueOf(c).Elem()
		for i := range all.NumField() {
			section := all.Field(i)
			if section.Type() == calibrationType {
				continue
			}
			for k := range section.NumField() {
				if !yield(keyOf(all.Type().Field(i))+"."+keyOf(section.Type().Field(k)), section.Field(k)) {
					return
				}
			}
		}
	}
}

// Each yields every cost that is a time with its name, such as redis.call.
func (c *Costs) Each() iter.Seq2[string, *time.Duration] {
	return func(yield func(string, *time.Duration) bool) {
		for name, v := range c.fields() {
			if v.Type() == durationType && !yield(name, v.Addr().Interface().(*time.Duration)) {
				return
			}
		}
	}
}

// Values yields the name and the text of every value, in the order of a file of costs; how they came
// about is left out.
func (c Costs) Values() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, v := range c.fields() {
			text := ""
			switch value := v.Interface().(type) {
			case time.Duration:
				text = formatDuration(value)
			case buffer.Bytes:
				text = options.FormatSize(value)
			default:
				text = fmt.Sprint(value)
			}
			if !yield(name, text) {
				return
			}
		}
	}
}

func formatDuration(d time.Duration) string { return strings.ReplaceAll(d.String(), "µ", "u") }

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

// Cost returns the cost of a name, nil if there is none.
func (c *Costs) Cost(name string) *time.Duration {
	for known, cost := range c.Each() {
		if known == name {
			return cost
		}
	}
	return nil
}

// String returns the costs as the text of a calibration file, which ReadCosts reads.
func (c Costs) String() string {
	text, err := yaml.MarshalWithOptions(c, yaml.IndentSequence(true),
		yaml.CustomMarshaler(func(d time.Duration) ([]byte, error) {
			return []byte(formatDuration(d)), nil
		}), yaml.CustomMarshaler(func(b buffer.Bytes) ([]byte, error) {
			return []byte(options.FormatSize(b)), nil
		}))
	if err != nil {
		panic(fmt.Sprintf("costs cannot be written as YAML: %v", err))
	}
	return string(text)
}

// validate returns what is wrong with what is said of the costs.
func (c *Calibration) validate(of *Costs) (problems yamlfile.Problems) {
	wrong := func(path, format string, args ...any) {
		problems = append(problems, yamlfile.Problem{Path: "calibration." + path,
			Message: fmt.Sprintf(format, args...)})
	}
	if _, err := time.Parse(time.RFC3339, c.Date); c.Date != "" && err != nil {
		wrong("date", "is %q, want a time such as 2026-11-28T14:00:00Z", c.Date)
	}
	if y := c.Yardstick; y != (Spread{}) && (y.N < 1 || y.Median <= 0) {
		wrong("yardstick", "is %v of %d, want more than 0s of at least 1", y.Median, y.N)
	}
	spread := func(path string, n int, median, least, greatest time.Duration) {
		if n > 0 && (median < least || median > greatest) {
			wrong(path, "has a median of %v, which is not from %v to %v", median, least, greatest)
		}
	}
	y := c.Yardstick
	spread("yardstick", y.N, y.Median, y.Least, y.Greatest)
	known, named := map[string]bool{}, map[string]bool{}
	for cost := range of.fields() {
		known[cost] = true
	}
	name := func(path, cost string) {
		switch {
		case !known[cost]:
			wrong(path, "names the cost %q, which there is not; write section.key, such as redis.call", cost)
		case named[cost]:
			wrong(path, "names the cost %q a second time", cost)
		}
		named[cost] = true
	}
	for i, m := range c.Measured {
		path := fmt.Sprintf("measured[%d]", i)
		if name(path, m.Cost); known[m.Cost] && of.Cost(m.Cost) == nil {
			wrong(path, "names the cost %q, which is no time", m.Cost)
		}
		if m.N < 1 {
			wrong(path, "is of %d measurements, want at least 1", m.N)
		}
		spread(path, m.N, m.Median, m.Least, m.Greatest)
	}
	for i, f := range c.Factors {
		path := fmt.Sprintf("factors[%d]", i)
		if of.Together.of(f.Of) == nil {
			wrong(path, "is of %q; there are factors of redis, kafka, program, worker, harness", f.Of)
		}
		if f.N < 1 || f.Value < f.Least || f.Value > f.Greatest {
			wrong(path, "is %v of %d, which is not from %v to %v", f.Value, f.N, f.Least, f.Greatest)
		}
	}
	for i, e := range c.Explained {
		if path := fmt.Sprintf("explained[%d]", i); of.Together.of(e.Of) == nil {
			wrong(path, "is of %q; there are redis, kafka, program, worker, harness", e.Of)
		}
	}
	for i, s := range c.Steps {
		path := fmt.Sprintf("steps[%d]", i)
		spread(path, s.N, s.Client, s.Least.Client, s.Greatest.Client)
		spread(path, s.N, s.Redis, s.Least.Redis, s.Greatest.Redis)
		spread(path, s.N, s.Kafka, s.Least.Kafka, s.Greatest.Kafka)
	}
	for i, t := range c.Throughput {
		if t.N < 1 || !(t.Median >= t.Least && t.Median <= t.Greatest) {
			wrong(fmt.Sprintf("throughput[%d]", i), "has a median of %v of %d, which is not from %v to %v", t.Median, t.N,
				t.Least, t.Greatest)
		}
	}
	for i, m := range c.NotMeasured {
		name(fmt.Sprintf("not_measured[%d]", i), m.Cost)
	}
	return problems
}
