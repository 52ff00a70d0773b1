package kernel

import (
	"context"
	"testing"
	"time"
)

// sleepers are 1,000 tasks that sleep in a loop, each for its own time. Main sleeps between two
// instants at which nobody wakes.
func sleepers(b *testing.B, n int, ctx func(k *Kernel, i int) context.Context) *Kernel {
	k, err := New(DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(k.Close)
	for i := range n {
		ctx := ctx(k, i)
		k.Process("p").Go("sleeper", func() {
			for n := i; k.Sleep(ctx, time.Duration(1000+n%97)) == nil; n++ {
			}
		})
	}
	_ = k.Sleep(context.Background(), 10_000)
	return k
}

func benchmarkSleepers(b *testing.B, n int, ctx func(k *Kernel, i int) context.Context) {
	k := sleepers(b, n, ctx)
	before := k.Events()
	b.ReportAllocs()
	for b.Loop() {
		_ = k.Sleep(context.Background(), 1000)
	}
	events := float64(k.Events() - before)
	b.ReportMetric(events/b.Elapsed().Seconds()/1e6, "Mevents/s")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/events, "ns/event")
}

func background(*Kernel, int) context.Context { return context.Background() }

func BenchmarkSleep(b *testing.B) {
	b.Run("1", func(b *testing.B) { benchmarkSleepers(b, 1, background) })
	b.Run("1000", func(b *testing.B) { benchmarkSleepers(b, 1000, background) })
	b.Run("1000-one-context", func(b *testing.B) {
		one, cancel := context.WithCancel(context.Background())
		defer cancel()
		benchmarkSleepers(b, 1000, func(*Kernel, int) context.Context { return one })
	})
	b.Run("1000-kernel-contexts", func(b *testing.B) {
		benchmarkSleepers(b, 1000, func(k *Kernel, _ int) context.Context {
			ctx, cancel := k.WithCancel(context.Background())
			b.Cleanup(cancel)
			return ctx
		})
	})
	b.Run("1000-std-contexts", func(b *testing.B) {
		benchmarkSleepers(b, 1000, func(*Kernel, int) context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			b.Cleanup(cancel)
			return ctx
		})
	})
}
