package reports

import (
	"image/color"
	"strings"
)

// RatePoint is the rates around one time.
type RatePoint struct {
	T   float64 `json:"t"`
	In  float64 `json:"in_spans_per_second"`
	Out float64 `json:"out_spans_per_second"`
}

// CPUPoint is how many cores were used around one time.
type CPUPoint struct {
	T float64 `json:"t"`
	Cores
}

// Cores is how many cores were used, by whom: Consumer without its workers, and Harness with the
// fakes, which live in it. 0 if not known.
type Cores struct {
	Redis    float64 `json:"redis_cores"`
	Kafka    float64 `json:"kafka_cores"`
	Workers  float64 `json:"workers_cores"`
	Consumer float64 `json:"consumer_cores"`
	Harness  float64 `json:"harness_cores"`
}

// rateWindow is the time over which a rate is taken, in seconds: deadlines are whole seconds of the
// input's clock, so what comes out comes in pulses a second apart.
const rateWindow = 1.0

// windowStarts returns for each sample the one from which its rates are taken, itself at first.
func windowStarts(samples []Sample) []int {
	starts := make([]int, len(samples))
	first := 0
	for i, s := range samples {
		for first < i && samples[first+1].T <= s.T-rateWindow {
			first++
		}
		starts[i] = first
	}
	return starts
}

// rates takes for each sample the growth over the window before it.
func rates(samples []Sample) []RatePoint {
	points := make([]RatePoint, 0, len(samples))
	for i, start := range windowStarts(samples) {
		s, past := samples[i], samples[start]
		p := RatePoint{T: s.T}
		if s.T > past.T {
			p.In = float64(s.Sent-past.Sent) / (s.T - past.T)
			p.Out = float64(s.Flushed-past.Flushed) / (s.T - past.T)
		}
		points = append(points, p)
	}
	return points
}

// coresWindow is the shortest time over which use of processors is taken, in seconds: the kernel
// counts it in hundredths, which over a tenth of a second is noise.
const coresWindow = rateWindow / 2

// cores takes the growth of the processor times over the window before each sample.
func cores(samples []Sample) []CPUPoint {
	points := make([]CPUPoint, 0, len(samples))
	for i, start := range windowStarts(samples) {
		s, past := samples[i], samples[start]
		if s.T-past.T < coresWindow {
			continue
		}
		points = append(points, CPUPoint{s.T, coresBetween(past, s)})
	}
	return points
}

// coresBetween returns what was used on average between two samples.
func coresBetween(past, s Sample) Cores {
	// A process that was replaced counts from 0 again: that is not negative use.
	used := func(now, then float64) float64 { return max(0, now-then) / (s.T - past.T) }
	return Cores{
		Redis: used(s.CPURedis, past.CPURedis), Kafka: used(s.CPUKafka, past.CPUKafka),
		Workers:  used(s.CPUWorkers, past.CPUWorkers),
		Consumer: used(s.CPUConsumer, past.CPUConsumer),
		Harness:  used(s.CPUHarness, past.CPUHarness),
	}
}

// Between returns the samples from a time to another, in seconds since the start of the load.
func Between(samples []Sample, from, to float64) []Sample {
	var part []Sample
	for _, s := range samples {
		if s.T >= from && s.T <= to {
			part = append(part, s)
		}
	}
	return part
}

// CoresDuring returns what was used on average in a time of the run, in seconds since the start of
// the load.
func CoresDuring(samples []Sample, from, to float64) Cores {
	during := Between(samples, from, to)
	if len(during) < 2 {
		return Cores{}
	}
	return coresBetween(during[0], during[len(during)-1])
}

// coreUser is who uses cores, with its colour in the charts.
type coreUser struct {
	name  string
	color color.Color
	of    func(Cores) float64
}

// coreUsers are all there are, as they are stacked: the pipeline, its servers, the harness.
var coreUsers = []coreUser{
	{"workers", cpuWorkers, func(c Cores) float64 { return c.Workers }},
	{"consumer", cpuConsumer, func(c Cores) float64 { return c.Consumer }},
	{"Redis", cpuRedis, func(c Cores) float64 { return c.Redis }},
	{"Kafka", cpuKafka, func(c Cores) float64 { return c.Kafka }},
	{"harness", cpuHarness, func(c Cores) float64 { return c.Harness }},
}

// coreUsersIn returns those that used any, and the names of the others in words: "not known: Redis".
func coreUsersIn(all []Cores) (seen []coreUser, note string) {
	var missing []string
	for _, user := range coreUsers {
		if greatest(column(all, user.of)) > 0 {
			seen = append(seen, user)
		} else {
			missing = append(missing, user.name)
		}
	}
	if len(seen) > 0 && len(missing) > 0 {
		note = "not known: " + strings.Join(missing, ", ")
	}
	return seen, note
}
