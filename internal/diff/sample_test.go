package diff

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat"

	"sluice/reports"
)

// draw returns a sample of values of 0 to most, so that some are equal.
func draw(r *rand.Rand, n, most int) []float64 {
	sample := make([]float64, n)
	for i := range sample {
		sample[i] = float64(r.IntN(most + 1))
	}
	return sample
}

// byEveryOrder is the share of all ways to deal the values to two samples of the same sizes in which
// a statistic is as great as it is: what an exact test must say.
func byEveryOrder(a, b []float64, statistic func(a, b []float64) float64) float64 {
	all := slices.Concat(a, b)
	found, dealt, was := 0, 0, statistic(a, b)-1e-9
	for hand := range uint(1) << len(all) {
		if bits.OnesCount(hand) != len(a) {
			continue
		}
		var x, y []float64
		for i, v := range all {
			if hand&(1<<i) != 0 {
				x = append(x, v)
			} else {
				y = append(y, v)
			}
		}
		dealt++
		if statistic(x, y) >= was {
			found++
		}
	}
	return float64(found) / float64(dealt)
}

func distance(a, b []float64) float64 {
	return stat.KolmogorovSmirnov(slices.Sorted(slices.Values(a)), nil, slices.Sorted(slices.Values(b)), nil)
}

// greater is the number of pairs in which a is greater, equal ones counted half.
func greater(a, b []float64) float64 {
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	return u
}

// TestTestsAreExact compares both tests with all orders tried, with and without equal values.
func TestTestsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		n, m, most := 1+r.IntN(6), 1+r.IntN(6), []int{2, 5, 1e6}[r.IntN(3)]
		a, b := draw(r, n, most), draw(r, m, most)
		for name, c := range map[string]struct{ got, want float64 }{
			"shape": {shapeTest(a, b), byEveryOrder(a, b, distance)},
			"ranks": {rankTest(a, b), min(1, 2*byEveryOrder(a, b, greater), 2*byEveryOrder(b, a, greater))},
		} {
			if math.Abs(c.got-c.want) > 1e-9 {
				t.Errorf("%s test of %v and %v is %v, want %v", name, a, b, c.got, c.want)
			}
		}
	}
}

// TestLeastP: samples that do not overlap have the least p that there is.
func TestLeastP(t *testing.T) {
	for n := 1; n < 9; n++ {
		for m := 1; m < 9; m++ {
			a, b := make([]float64, n), make([]float64, m)
			for i := range a {
				a[i] = float64(i)
			}
			for i := range b {
				b[i] = float64(100 + i)
			}
			for _, p := range []float64{rankTest(a, b), shapeTest(a, b)} {
				if want := leastP(n, m); math.Abs(p-want) > 1e-12 {
					t.Errorf("p of %d and %d values is %v, want %v", n, m, p, want)
				}
			}
		}
	}
}

// TestShift: the interval has just the shifts that the rank test does not refute.
func TestShift(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, size := range [][2]int{{4, 4}, {5, 9}, {12, 7}, {30, 20}, {60, 8}, {55, 70}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			a, b := draw(r, size[0], 1e9), draw(r, size[1], 1e9)
			estimate, within := shift(a, b)
			if within == nil || estimate < within.Low || estimate > within.High {
				t.Fatalf("shift %v, within %v", estimate, within)
			}
			p := func(by float64) float64 {
				back := slices.Clone(b)
				for i := range back {
					back[i] -= by
				}
				return rankTest(a, back)
			}
			const step = 0.5 // all values are whole numbers
			for _, c := range []struct {
				at      float64
				refuted bool
			}{
				{within.Low - step, true}, {within.Low + step, false},
				{within.High - step, false}, {within.High + step, true},
			} {
				if got := p(c.at); got <= 1-confidence != c.refuted {
					t.Errorf("p of a shift by %v is %v; interval %v", c.at, got, within)
				}
			}
		})
	}
	if _, within := shift([]float64{1, 2, 3}, []float64{4, 5, 6}); within != nil {
		t.Errorf("three values on each side give an interval of 95 %%: %v", within)
	}
}

// TestMoved: the parts by which a distribution has moved up and down.
func TestMoved(t *testing.T) {
	for _, c := range []struct {
		a, b     []float64
		up, down float64
	}{
		{[]float64{1, 2, 3}, []float64{3, 2, 1}, 0, 0},
		{[]float64{1, 2, 3}, []float64{3, 4, 5}, 2, 0},
		{[]float64{10, 10, 10, 10}, []float64{8, 12, 8, 12}, 1, 1},
		{[]float64{10}, []float64{10, 10, 40}, 10, 0},
		{[]float64{1, 2}, []float64{0, 2, 3}, 1.0 / 2, 1.0 / 3},
	} {
		up, down := moved(c.a, c.b)
		if math.Abs(up-c.up) > 1e-12 || math.Abs(down-c.down) > 1e-12 {
			t.Errorf("%v to %v moved %v up and %v down, want %v and %v", c.a, c.b, up, down, c.up, c.down)
		}
	}
}

// TestMovedLeast: of sets that split in two, the near end is below what they have moved by in 39 of 40
// cases, and not far below.
func TestMovedLeast(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	const draws = 1000
	below, sum := 0, 0.0
	for range draws {
		var a, b []float64
		for range 40 {
			a, b = append(a, 100+r.NormFloat64()), append(b, 80+40*float64(r.IntN(2))+r.NormFloat64())
		}
		up, _ := movedLeast(a, b)
		if sum += up; up < 10 {
			below++
		}
	}
	if below < draws*95/100 || below > draws*995/1000 || sum/draws < 6 || sum/draws > 7.5 {
		t.Errorf("the near end is below in %d of %d, on average %v", below, draws, sum/draws)
	}
	if up, down := movedLeast([]float64{1, 1, 1}, []float64{2, 2, 2}); up != 1 || down != 0 {
		t.Errorf("of constant sets: up by %v, down by %v", up, down)
	}
	if up, down := movedLeast([]float64{1}, []float64{2, 2, 2}); up != 0 || down != 0 {
		t.Errorf("of a single value: up by %v, down by %v", up, down)
	}
}

// TestCorrect is Holm's method on four tests.
func TestCorrect(t *testing.T) {
	got := correct([]float64{0.01, 0.04, 0.03, 0.005, 0.9})
	for i, want := range []float64{0.04, 0.09, 0.09, 0.025, 0.9} {
		if math.Abs(got[i]-want) > 1e-12 {
			t.Fatalf("corrected are %v", got)
		}
	}
}

// TestCostsAreThoseOfTheRun: what a server had used before is none of the run's spans, nor is what it does once
// they are out.
func TestCostsAreThoseOfTheRun(t *testing.T) {
	samples := []reports.Sample{{T: 0.1, CPURedis: 500, CPUKafka: 900}, {T: 5, CPURedis: 501, CPUKafka: 902, Flushed: 100_000},
		{T: 9, CPURedis: 503, CPUKafka: 905, Flushed: 100_000}}
	f := FiguresOf(reports.Result{Ledger: reports.Ledger{Flushed: 100_000}}, samples, 5)
	if f[RedisTime] != 10 || f[KafkaTime] != 20 {
		t.Errorf("a span took %v and %v us, want 10 and 20", f[RedisTime], f[KafkaTime])
	}
}
