package scenarios

import (
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"
)

var shapes = []string{
	"constant 2000/s", "ramp 1000/s to 20000/s", "ramp 5000/s to 0/s",
	"step 1000/s, 5000/s at 2s, 0/s at 4s, 300/s at 5s", "sine 5000/s +- 5000/s every 3s",
	"burst 100/s to 20000/s for 500ms every 2s",
}

func pacer(t testing.TB, shape string, over time.Duration) Pacer {
	t.Helper()
	var rate Rate
	if err := rate.UnmarshalText([]byte(shape)); err != nil {
		t.Fatal(err)
	}
	return Pacer{rate, over}
}

// TestHitsIsTheIntegralOfRate compares the formulas with a sum of small steps.
func TestHitsIsTheIntegralOfRate(t *testing.T) {
	const over, step = 7 * time.Second, 100 * time.Microsecond
	for _, shape := range shapes {
		p := pacer(t, shape, over)
		sum := 0.0
		for at := time.Duration(0); at < over; at += step {
			if diff := math.Abs(p.Hits(at) - sum); diff > 3 {
				t.Errorf("%s: %v hits by %v, the sum is %v", shape, p.Hits(at), at, sum)
				break
			}
			sum += p.Rate(at+step/2) * step.Seconds()
		}
		if p.Hits(over) != p.Hits(over+time.Hour) || p.Hits(-1) != 0 {
			t.Errorf("%s: hits outside of the duration", shape)
		}
	}
}

func TestAtIsTheInverseOfHits(t *testing.T) {
	for _, shape := range shapes {
		p := pacer(t, shape, 7*time.Second)
		for n := int64(1); n <= p.Total(); n += 97 {
			at := p.At(n)
			if p.Hits(at) < float64(n) || at > 0 && p.Hits(at-time.Microsecond) >= float64(n) {
				t.Errorf("%s: At(%d) is %v, where %v and before that %v spans are due", shape, n, at,
					p.Hits(at), p.Hits(at-time.Microsecond))
			}
		}
	}
}

// TestNearIsAt compares what is found from anywhere with a plain search.
func TestNearIsAt(t *testing.T) {
	const over = 7 * time.Second
	random := rand.New(rand.NewPCG(1, 2))
	for _, shape := range shapes {
		p := pacer(t, shape, over)
		for range 2000 {
			n := 1 + random.Int64N(p.Total()+2)
			want := time.Duration(sort.Search(int(over.Microseconds()), func(us int) bool {
				return p.Hits(time.Duration(us)*time.Microsecond) >= float64(n)
			})) * time.Microsecond
			from := time.Duration(random.Int64N(int64(over)))
			if at := p.Near(from, n); at != want {
				t.Fatalf("%s: span %d is found at %v from %v, is due at %v", shape, n, at, from, want)
			}
		}
	}
}
