// Package planted breaks each rule on the source of pure packages, in every way that is known to
// hide one. A comment that starts with "want" names the rules broken on its line, "want next" those
// on the next line. What has none must not be found.
package planted

import (
	"context"
	"maps"
	"math/rand"
	v2 "math/rand/v2"
	"reflect"
	"slices"
	"sync"
	. "time"
	clock "time"
)

var now = clock.Now // want: wall clock

func timeOfDay(ctx context.Context) Duration {
	clock.Sleep(1)                             // want: wall clock
	_ = clock.After(1)                         // want: wall clock
	_ = Tick(1)                                // want: wall clock
	_, _ = NewTimer(1), clock.NewTicker(1)     // want: wall clock, wall clock
	AfterFunc(1, func() {})                    // want: wall clock
	_, stop := context.WithTimeout(ctx, 1)     // want: wall clock
	defer context.AfterFunc(ctx, func() {})    // want: concurrency
	stop()                                     // a local function
	_ = clock.Until(clock.UnixMilli(0))        // want: wall clock
	_, stop = context.WithDeadline(ctx, Now()) // want: wall clock, wall clock
	return Since(clock.Unix(0, 0))             // want: wall clock
}

type fakeClock struct{}

func (fakeClock) Now() Time      { return Time{} }
func (fakeClock) Sleep(Duration) {}

func port(c fakeClock) Time {
	c.Sleep(1)
	return c.Now().Add(Second)
}

func random() int {
	seeded := rand.New(rand.NewSource(1)).Intn(3) + v2.New(v2.NewPCG(1, 2)).IntN(3)
	seeded += rand.Intn(3)                 // want: global randomness
	pick := v2.IntN                        // want: global randomness
	v2.Shuffle(1, func(int, int) {})       // want: global randomness
	return seeded + pick(3) + v2.N[int](3) // want: global randomness
}

func concurrent(a, b chan int) {
	go random() // want: concurrency
	select {    // want: concurrency
	case <-a: // want: concurrency
	case <-b: // want: concurrency
	}
	a <- <-b           // want: concurrency, concurrency
	for x := range b { // want: concurrency
		_ = x
	}
	var group sync.WaitGroup
	group.Go(func() {}) // want: concurrency
	group.Wait()        // want: concurrency
}

type counts map[string]int

type inside struct{ counts }

func order[M ~map[string]int, S ~[]string](m counts, g M, list S, in inside) (out []string) {
	for k := range m { // want: map order
		out = append(out, k)
	}
	for k := range g { // want: map order
		out = append(out, k)
	}
	for k := range in.counts { // want: map order
		out = append(out, k)
	}
	for _, k := range list {
		out = append(out, k)
	}
	for range m {
		out = append(out, "x")
	}
	for k := range maps.Keys(m) { // want: map order
		out = append(out, k)
	}
	keys := maps.Keys[map[string]int] // want: map order
	out = slices.Collect(keys(m))
	for k := range maps.All(m) { // want: map order
		out = append(out, k)
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k)
	}
	out = slices.AppendSeq(out, maps.Keys(m))        // want: map order
	for _, v := range reflect.ValueOf(m).MapKeys() { // want: map order
		out = append(out, v.String())
	}
	var s sync.Map
	s.Range(func(any, any) bool { return true }) // want: map order
	return out
}

func marked(m counts) (sum int) {
	//order-free: adds up
	for _, n := range m {
		sum += n
	}
	for _, n := range m { //order-free: adds up
		sum += n
	}
	// want next: mark without reason
	//order-free:
	for _, n := range m { // want: map order
		sum += n
	}
	//order-free: too far up

	for _, n := range m { // want: map order
		sum += n
	}
	return sum
}

var _ = []any{now, timeOfDay, port, concurrent, order[counts, []string], marked}
