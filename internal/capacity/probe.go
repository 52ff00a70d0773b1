package capacity

import (
	"fmt"

	"gonum.org/v1/gonum/stat"

	"sluice/internal/judge"
	"sluice/reports"
	"sluice/scenarios"
)

// Probe is what a run at a rate showed.
type Probe struct {
	// Rate was offered, Throughput came out in the steady part, both in spans per second.
	Rate       float64 `json:"rate"`
	Throughput float64 `json:"throughput"`
	// Sustained is false if the run did not pass, or more and more waited; Why says what.
	Sustained bool   `json:"sustained"`
	Why       string `json:"why,omitempty"`
	// Busy are the resources, the busiest first, that were measured.
	Busy []Use `json:"busy"`
}

// Use is how busy a resource was in the steady part: 1 is all that it has.
type Use struct {
	Resource Resource `json:"resource"`
	Share    float64  `json:"share"`
}

// Resource is something that can be the limit.
type Resource string

// The resources.
const (
	// RedisThread is the one thread of Redis.
	RedisThread Resource = "the Redis thread"
	// WorkerCPU is a core for each worker process, Cores are those of the host.
	WorkerCPU Resource = "worker CPU"
	Cores     Resource = "the cores of the host"
	// WorkerCycle is no resource: workers wait for one answer after the other.
	WorkerCycle Resource = "the workers' cycle"
)

// busyMin is from what share on a resource is called the limit.
const busyMin = 0.85

// growthMax is how much of what is sent may pile up for a rate to be sustained.
const growthMax = 0.02

// steadyMin is how many samples a steady part needs.
const steadyMin = 10

// Host is what is known of the machine that runs the pipeline.
type Host struct {
	// Cores of the host, 0 if that is not known. Shared is true if the servers and the load are on it,
	// too.
	Cores  int
	Shared bool
}

// Warmup returns how long a run of a scenario is not steady: until the first segments are due.
func Warmup(s scenarios.Scenario) float64 {
	const moment = 1.0
	return max(s.Pipeline.RootTimeout, s.Pipeline.Timeout).Seconds() + moment
}

// ProbeOf derives what a run at a rate showed.
func ProbeOf(o *judge.Outcome, rate float64, host Host) Probe {
	p := Probe{Rate: rate}
	steady := steadyPart(o)
	if len(steady) < steadyMin {
		p.Why = fmt.Sprintf("only %d samples after %.1fs: the run is too short to be steady", len(steady),
			Warmup(o.Scenario))
		return p
	}
	first, last := steady[0], steady[len(steady)-1]
	lasted := last.T - first.T
	p.Throughput = slope(steady, func(s reports.Sample) float64 { return float64(s.Flushed) })
	p.Busy = busy(first, last, lasted, int(o.Scenario.Topology.FlusherProcesses), host)
	waiting := growth(steady)
	if o.Interrupted {
		p.Why = fmt.Sprintf("%.0f spans more waited every second, so it was ended early", waiting)
		return p
	}
	if o.Code != judge.ExitPassed {
		j, _ := reports.First(o.Result.Invariants, o.Result.Expectations)
		p.Why = fmt.Sprintf("%s: %s", j.Name, j.Detail)
		return p
	}
	if waiting > growthMax*rate {
		p.Why = fmt.Sprintf("%.0f spans more waited every second", waiting)
		return p
	}
	p.Sustained = true
	return p
}

// steadyPart are the samples of the load after the warm-up.
func steadyPart(o *judge.Outcome) []reports.Sample {
	var part []reports.Sample
	end := o.Scenario.Duration.Seconds()
	for _, s := range o.Samples {
		if s.T >= Warmup(o.Scenario) && s.T <= end {
			part = append(part, s)
		}
	}
	return part
}

// growth is how many spans more wait every second.
func growth(samples []reports.Sample) float64 {
	return slope(samples, func(s reports.Sample) float64 { return float64(s.Buffered()) })
}

// Watch looks at the samples of a run while they come in.
type Watch struct {
	// Rate is what is offered, Warmup how long the run is not steady.
	Rate, Warmup float64
	steady       []reports.Sample
}

// Hopeless takes the next sample, and tells whether so much piles up that the rate is not sustained,
// however the run goes on.
func (w *Watch) Hopeless(s reports.Sample) bool {
	if s.T < w.Warmup {
		return false
	}
	const sure = 5 // times as much as may pile up
	w.steady = append(w.steady, s)
	return len(w.steady) > 2*steadyMin && growth(w.steady) > sure*growthMax*w.Rate
}

// slope is how fast a figure grows, per second: the line of least squares through all samples.
func slope(samples []reports.Sample, of func(reports.Sample) float64) float64 {
	xs, ys := make([]float64, len(samples)), make([]float64, len(samples))
	for i, s := range samples {
		xs[i], ys[i] = s.T, of(s)
	}
	_, by := stat.LinearRegression(xs, ys, nil, false)
	return by
}

func busy(first, last reports.Sample, lasted float64, processes int, host Host) []Use {
	var list []Use
	add := func(r Resource, seconds, of float64) {
		if seconds > 0 && of > 0 {
			list = append(list, Use{r, seconds / (of * lasted)})
		}
	}
	redis, workers := last.CPURedis-first.CPURedis, last.CPUWorkers-first.CPUWorkers
	all := workers + last.CPUConsumer - first.CPUConsumer
	if host.Shared {
		all += redis + last.CPUKafka - first.CPUKafka + last.CPUHarness - first.CPUHarness
	}
	add(RedisThread, redis, 1)
	add(WorkerCPU, workers, float64(processes))
	add(Cores, all, float64(host.Cores))
	sortUses(list)
	return list
}
