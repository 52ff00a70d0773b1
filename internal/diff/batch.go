package diff

import (
	"math"
	"slices"

	"sluice/reports"
)

// window is the shortest batch, in seconds: a sample's freshness is that of its last second.
const window = 1.0

// Steady is the part of a run in which the load was steady, in seconds since its start.
type Steady struct{ From, To float64 }

// batches cuts the steady parts of two runs into batches, by the same length for both, and returns
// the figures of each batch by metric, and how long the batches are.
//
// What is measured in one second depends on what was in the second before, so seconds are no repeats:
// a test that takes them for such finds differences between equal runs. Of each metric, the
// integrated autocorrelation time tau is estimated from both runs, in windows of a second; a batch is
// as long as it takes for the correlation of neighbours to be small, 2 tau. So a figure that hardly
// depends on the second before has many batches, and one that drifts has too few to be judged.
//
// Flegal and Jones, Batch Means and Spectral Variance Estimators in Markov Chain Monte Carlo, 2010;
// Sokal, Monte Carlo Methods in Statistical Mechanics, 1996, for tau.
func batches(a, b Run, part Steady) (of map[string][2][]float64, seconds map[string]float64) {
	of, seconds = map[string][2][]float64{}, map[string]float64{}
	windows := [2]map[string][]float64{cut(a.Samples, part, window), cut(b.Samples, part, window)}
	cuts := map[float64][2]map[string][]float64{window: windows}
	for _, m := range Metrics() {
		x, y := windows[0][m.Name], windows[1][m.Name]
		if len(x) == 0 || len(y) == 0 {
			continue
		}
		long := window
		if tau := correlationTime(x, y); tau > 1 {
			long = window * math.Ceil(2*tau)
		}
		if _, done := cuts[long]; !done {
			cuts[long] = [2]map[string][]float64{cut(a.Samples, part, long), cut(b.Samples, part, long)}
		}
		of[m.Name] = [2][]float64{cuts[long][0][m.Name], cuts[long][1][m.Name]}
		seconds[m.Name] = long
	}
	return of, seconds
}

// cut returns the figures of each batch of a length in seconds, by metric. A metric that is not known
// in each batch is left out.
func cut(samples []reports.Sample, part Steady, long float64) map[string][]float64 {
	at := func(t float64) int {
		i, _ := slices.BinarySearchFunc(samples, t-1e-9, func(s reports.Sample, t float64) int {
			if s.T < t {
				return -1
			}
			return 1
		})
		return i
	}
	of := map[string][]float64{}
	count := 0
	for from := part.From; from+long <= part.To+1e-9; from += long {
		first, last := at(from), at(from+long)
		if last >= len(samples) || first == last {
			break
		}
		count++
		for name, v := range figuresBetween(samples[first : last+1]) { //order-free: each goes to its own list
			of[name] = append(of[name], v)
		}
	}
	for name, values := range of { //order-free: each is looked at by itself
		if len(values) < count {
			delete(of, name)
		}
	}
	return of
}

// figuresBetween returns the figures of the time from the first sample to the last one.
func figuresBetween(samples []reports.Sample) Figures {
	first, last := samples[0], samples[len(samples)-1]
	took := last.T - first.T
	f := Figures{
		Throughput: float64(last.Flushed-first.Flushed) / took,
		Offered:    float64(last.Sent-first.Sent) / took,
	}
	f.costs(reports.CostsBetween(first, last, last.Flushed-first.Flushed))
	fresh := 0.0
	for _, s := range samples[1:] {
		took := float64(len(samples) - 1)
		f[Waiting] += float64(s.Buffered()) / took
		f[WorkerMemory] += float64(s.WorkerBytesMax) / took
		f[RedisMemory] += float64(s.RedisBytes) / took
		// The freshness of a sample is that of the second before it, which is to be in here, too.
		if s.T >= first.T+window-0.01 && (s.FreshP50 > 0 || s.FreshP99 > 0) {
			fresh++
			f[FreshnessP50] += s.FreshP50
			f[FreshnessP99] += s.FreshP99
		}
	}
	if fresh > 0 {
		f[FreshnessP50] /= fresh
		f[FreshnessP99] /= fresh
	}
	f.forgetUnknown()
	return f
}

// correlationTime is the integrated autocorrelation time of two series of the same figure, in steps:
// 1 if their values are independent. It is summed up to the first lag at which the correlation is no
// more than that of independent values often is, one standard error.
func correlationTime(a, b []float64) float64 {
	tau := 1.0
	none := covariance(a, 0) + covariance(b, 0)
	if none == 0 {
		return tau
	}
	noise := 1 / math.Sqrt(float64(len(a)+len(b)))
	for lag := 1; lag < min(len(a), len(b))/2; lag++ {
		rho := (covariance(a, lag) + covariance(b, lag)) / none
		if rho <= noise {
			break
		}
		tau += 2 * rho
	}
	return tau
}

// covariance is the sum of products of the values that are so many steps apart, from their mean.
func covariance(series []float64, lag int) float64 {
	mean := 0.0
	for _, v := range series {
		mean += v / float64(len(series))
	}
	sum := 0.0
	for i := lag; i < len(series); i++ {
		sum += (series[i] - mean) * (series[i-lag] - mean)
	}
	return sum
}
