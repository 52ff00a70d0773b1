package diff

import (
	"encoding/json"
	"math"
	"slices"
	"sort"

	"github.com/aclements/go-moremath/stats"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"sluice/reports"
)

// Interval bounds a value.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// MarshalJSON writes null for an end that is not bounded.
func (i Interval) MarshalJSON() ([]byte, error) {
	end := func(v float64) *float64 {
		if math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	return json.Marshal(struct {
		Low  *float64 `json:"low"`
		High *float64 `json:"high"`
	}{end(i.Low), end(i.High)})
}

// confidence is that of the intervals.
const confidence = 0.95

// constant tells whether a sample has one value only.
func constant(sample []float64) bool { return slices.Min(sample) == slices.Max(sample) }

// shift estimates by how much the values of b are greater than those of a: the median of all
// differences between one of b and one of a. The interval is nil if the samples are too small for
// one.
//
// Hodges and Lehmann, Estimates of Location Based on Rank Tests, 1963. The interval turns the rank
// test around: it has the differences that the test would not refute.
func shift(a, b []float64) (float64, *Interval) {
	apart := make([]float64, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			apart = append(apart, y-x)
		}
	}
	slices.Sort(apart)
	estimate := reports.Median(apart)
	out := leftOut(len(a), len(b))
	if out == 0 {
		return estimate, nil
	}
	return estimate, &Interval{apart[out-1], apart[len(apart)-out]}
}

// leftOut is how many differences beyond each end of the interval, the end itself included, the rank
// test refutes.
func leftOut(n, m int) int {
	const tail = (1 - confidence) / 2
	if max(n, m) > stats.MannWhitneyExactLimit {
		mean, product := float64(n*m)/2, float64(n*m)
		deviation := math.Sqrt(product * float64(n+m+1) / 12)
		return max(0, int(mean+stats.StdNormal.InvCDF(tail)*deviation+0.5))
	}
	u := stats.UDist{N1: n, N2: m}
	return sort.Search(n*m, func(below int) bool { return u.CDF(float64(below)) > tail })
}

// rankTest is Mann and Whitney's, with two sides: 1 if all values are equal.
//
// It is made of two tests with one side each: the library's own test with two takes the tail of the
// wrong side where values are equal and the samples are not of the same size.
func rankTest(a, b []float64) float64 {
	p := 1.0
	for _, side := range [][2][]float64{{a, b}, {b, a}} {
		result, err := stats.MannWhitneyUTest(side[0], side[1], stats.LocationLess)
		if err != nil { // all are equal
			return 1
		}
		p = min(p, 2*result.P)
	}
	return p
}

// shapeTest is Kolmogorov and Smirnov's: the probability that the distribution functions of two
// samples from the same distribution are as far apart as those of a and b, given which of all values
// are equal. It is exact: of all orders in which the values of both can come, each is as likely, and
// it walks through them with the values of a to one side and those of b to the other.
//
// Hodges, The Significance Probability of the Smirnov Two-Sample Test, 1957; with ties, the distance
// is taken only where a group of equal values ends: Schröer and Trenkler, Exact and Randomization
// Distributions of Kolmogorov-Smirnov Tests, 1995.
func shapeTest(a, b []float64) float64 {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	n, m := len(a), len(b)
	const rounding = 1e-9
	far := stat.KolmogorovSmirnov(a, nil, b, nil) - rounding
	all := slices.Sorted(slices.Values(slices.Concat(a, b)))
	refuted := 0.0
	row := make([]float64, m+1) // the probability to come by i of a and j of b, never so far apart
	row[0] = 1
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			at := i + j
			if at == 0 {
				continue
			}
			come := 0.0
			if i > 0 { // row[j] is still that of i-1
				come += row[j] * float64(n-i+1) / float64(n+m-at+1)
			}
			if j > 0 {
				come += row[j-1] * float64(m-j+1) / float64(n+m-at+1)
			}
			ends := at == n+m || all[at-1] != all[at]
			if ends && math.Abs(float64(i)/float64(n)-float64(j)/float64(m)) >= far {
				refuted += come
				come = 0
			}
			row[j] = come
		}
	}
	return min(1, refuted)
}

// leastP is the least that either test can say of samples of such sizes: that all values of one are
// beyond all of the other.
func leastP(n, m int) float64 {
	orders := 1.0
	for i := 1; i <= min(n, m); i++ {
		orders *= float64(max(n, m)+i) / float64(i)
	}
	return min(1, 2/orders)
}

// moved is how far the distribution of b lies above that of a, and how far below it: the mean of the
// differences between their quantiles, where b's is greater, and where it is less. Both together are
// the area between the distribution functions; of a mere shift, one is the shift and the other 0.
func moved(a, b []float64) (up, down float64) {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	n, m := len(a), len(b)
	for i, j := 0, 0; i < n && j < m; {
		// Up to the next step of either, in shares of 1/(n*m).
		to := min((i+1)*m, (j+1)*n)
		width := float64(to-max(i*m, j*n)) / float64(n*m)
		if by := b[j] - a[i]; by > 0 {
			up += by * width
		} else {
			down -= by * width
		}
		if to == (i+1)*m {
			i++
		}
		if to == (j+1)*n {
			j++
		}
	}
	return up, down
}

// movedLeast is the near end of the intervals of what moved returns: less as many standard errors as Student's
// t has for the confidence. The errors are the jackknife's, of leaving out each value of either sample once:
// Tukey, Bias and Confidence in Not-Quite Large Samples, 1958.
func movedLeast(a, b []float64) (up, down float64) {
	var variance [2]float64
	for side, sample := range [][]float64{a, b} {
		n := len(sample)
		if n < 2 {
			return 0, 0
		}
		var ups, downs []float64
		for i := range sample {
			pair := [][]float64{a, b}
			pair[side] = slices.Delete(slices.Clone(sample), i, i+1)
			up, down := moved(pair[0], pair[1])
			ups, downs = append(ups, up), append(downs, down)
		}
		for k, without := range [][]float64{ups, downs} {
			variance[k] += stat.PopVariance(without, nil) * float64(n-1)
		}
	}
	t := distuv.StudentsT{Sigma: 1, Nu: float64(len(a) + len(b) - 2)}.Quantile((1 + confidence) / 2)
	up, down = moved(a, b)
	return up - t*math.Sqrt(variance[0]), down - t*math.Sqrt(variance[1])
}

// correct returns the p of each test corrected for there being as many, in the same order: Holm, A
// Simple Sequentially Rejective Multiple Test Procedure, 1979.
func correct(ps []float64) []float64 {
	order := make([]int, len(ps))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case ps[i] < ps[j]:
			return -1
		case ps[i] > ps[j]:
			return 1
		}
		return 0
	})
	corrected := make([]float64, len(ps))
	least := 0.0
	for rank, i := range order {
		least = max(least, min(1, ps[i]*float64(len(ps)-rank)))
		corrected[i] = least
	}
	return corrected
}
