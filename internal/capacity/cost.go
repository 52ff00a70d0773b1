package capacity

import (
	"fmt"
	"reflect"
	"strings"

	"sluice/internal/yamlfile"
	"sluice/reports"
)

// Prices are what the parts of the pipeline cost per hour, in any currency. 0 is free.
type Prices struct {
	// Currency is only shown.
	Currency string `yaml:"currency" json:"currency"`
	// Process is that of a flusher process with its share of the host, Consumer that of the consumer.
	Process  float64 `yaml:"process" json:"process"`
	Consumer float64 `yaml:"consumer" json:"consumer"`
	// Redis is that of the server, RedisGiB that of each GiB of the spans that wait in it.
	Redis    float64 `yaml:"redis" json:"redis"`
	RedisGiB float64 `yaml:"redis_gib" json:"redis_gib"`
	// Kafka is that of all brokers, KafkaGiB that of each GiB that goes into the input topic; not per
	// hour.
	Kafka    float64 `yaml:"kafka" json:"kafka"`
	KafkaGiB float64 `yaml:"kafka_gib" json:"kafka_gib"`
}

// Validate returns everything that is wrong with the prices, as yamlfile.Problems, or nil.
func (p Prices) Validate() error {
	var problems yamlfile.Problems
	v := reflect.ValueOf(p)
	for i := range v.NumField() {
		if f := v.Field(i); f.CanFloat() && !(f.Float() >= 0 && f.Float() <= priceMax) {
			problems = append(problems, yamlfile.Problem{Path: v.Type().Field(i).Tag.Get("yaml"),
				Message: fmt.Sprintf("is %v, want a price of at least 0 and at most %g", f.Float(), priceMax)})
		}
	}
	return problems.Err()
}

// priceMax is more than anything costs: sums of such prices can be computed.
const priceMax = 1e12

// Cost is what the target costs with the recommended count.
type Cost struct {
	Prices Prices `json:"prices"`
	// PerHour is the sum, PerMillion that of a million spans at the target.
	PerHour    float64 `json:"per_hour"`
	PerMillion float64 `json:"per_million_spans"`
	// Parts are what it is made of, per hour.
	Parts []CostPart `json:"parts"`
}

// CostPart is a part of the cost.
type CostPart struct {
	Name    string  `json:"name"`
	PerHour float64 `json:"per_hour"`
}

// Price adds what the target costs, once there is an outlook; without one, or if that refuses the count, nothing.
func (r *Report) Price(p Prices) {
	o := r.Outlook
	if o == nil || r.Refused != "" {
		return
	}
	const gib, hour, million = 1 << 30, 3600, 1e6
	c := &Cost{Prices: p}
	for _, part := range []CostPart{
		{processes(o.Processes), float64(o.Processes) * p.Process}, {"the consumer", p.Consumer},
		{"Redis", p.Redis}, {"memory of Redis", o.RedisBytes / gib * p.RedisGiB}, {"Kafka", p.Kafka},
		{"input of Kafka", o.Rate * o.Bounds.SpanBytes * hour / gib * p.KafkaGiB},
	} {
		if part.PerHour > 0 {
			c.Parts, c.PerHour = append(c.Parts, part), c.PerHour+part.PerHour
		}
	}
	c.PerMillion = c.PerHour / (o.Rate * hour) * million
	r.Cost = c
}

func (c *Cost) amount(v float64) string {
	return strings.TrimSuffix(figure(v, 4)+" "+c.Prices.Currency, " ")
}

func (c *Cost) words() string {
	return fmt.Sprintf("A million spans cost %s, an hour costs %s.", c.amount(c.PerMillion), c.amount(c.PerHour))
}

func (c *Cost) section() reports.Section {
	s := reports.Section{Heading: "What it costs", Text: []string{c.words()},
		Table: &reports.Table{Columns: append(reports.Words("part"), reports.Numbers("per hour", "share")...)}}
	for _, part := range c.Parts {
		s.Table.Rows = append(s.Table.Rows, []string{part.Name, c.amount(part.PerHour),
			percent(part.PerHour / c.PerHour)})
	}
	return s
}
