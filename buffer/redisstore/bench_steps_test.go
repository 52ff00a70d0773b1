package redisstore_test

import (
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/benchload"
	"sluice/internal/servers/servertest"
)

// BenchmarkSteps reports where Redis' time goes: the CPU time of its main thread, in microseconds
// per span, for every step of the protocol.
func BenchmarkSteps(b *testing.B) {
	config := redisstore.DefaultConfig()
	config.Addresses = []string{servertest.RedisAddr(b)}
	config.Namespace = "steps:"
	store, err := redisstore.Open(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	gauge := newGauge(b, config.Addresses[0])
	defer gauge.client.Close()
	for name, workload := range map[string]benchload.Workload{
		"w1": benchload.W1(1), "1-per-trace": small(1, 1), "4-per-trace": small(4, 25_000),
	} {
		b.Run(name, func(b *testing.B) { benchmarkSteps(b, store, gauge, workload) })
	}
}

func benchmarkSteps(
	b *testing.B, store *redisstore.Store, gauge gauge, workload benchload.Workload,
) {
	batches := workload.Batches()
	spent := make(map[string]float64)
	timed := func(step string, do func() error) {
		before := gauge.cpu()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		spent[step] += gauge.cpu() - before
	}
	runs := 0
	for b.Loop() {
		runStepByStep(b, store, batches, timed)
		runs++
	}
	b.ReportMetric(0, "ns/op")
	for step, seconds := range spent {
		b.ReportMetric(seconds*1e6/float64(workload.Spans*runs), "redis-"+step+"-us/span")
	}
}

// runStepByStep does each step for the whole workload before the next.
func runStepByStep(
	b *testing.B, store *redisstore.Store, batches [][]buffer.Span,
	timed func(step string, do func() error),
) {
	ctx := b.Context()
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		b.Fatal(err)
	}
	updates := make([]buffer.QueueUpdate, len(batches))
	timed("attach", func() error {
		return each(batches, func(i int) error {
			traces, _ := buffer.Group(batches[i])
			answers, err := store.Attach(ctx, delivery(i), traces)
			for _, answer := range answers {
				for _, live := range answer.Live {
					updates[i].Due = append(updates[i].Due, buffer.Due{Generation: live.Generation})
				}
			}
			return err
		})
	})
	timed("enqueue", func() error {
		return each(updates, func(i int) error { return store.Enqueue(ctx, 0, updates[i]) })
	})
	timed("sweep", func() error {
		for from, more := "", true; more; more = from != "" {
			swept, err := store.Sweep(ctx, from, 250)
			if err != nil {
				return err
			}
			held := make([]buffer.Generation, len(swept.Held))
			for i, h := range swept.Held {
				held[i] = h.Generation
			}
			if _, err := store.Adopt(ctx, 0, buffer.Seconds(1), time.Second, held); err != nil {
				return err
			}
			from = swept.Next
		}
		return nil
	})
	var names [][]buffer.Generation
	timed("lease", func() error {
		for {
			leased, err := store.Lease(ctx, fenced.Owner, buffer.Seconds(1), 500)
			if err != nil || len(leased.Due) == 0 {
				return err
			}
			page := make([]buffer.Generation, len(leased.Due))
			for i, due := range leased.Due {
				page[i] = due.Generation
			}
			names = append(names, page)
		}
	})
	claims := make([][]buffer.Claim, len(names))
	timed("claim", func() error {
		return each(names, func(i int) (err error) {
			claims[i], err = store.Claim(ctx, fenced.Owner, names[i])
			return err
		})
	})
	flushed := make([][]buffer.Flushed, len(names))
	timed("load", func() error {
		return each(names, func(i int) error {
			loaded, err := loadRest(ctx, store, fenced.Owner, names[i], claims[i])
			for n, l := range loaded {
				f := buffer.Flushed{Generation: names[i][n], Along: claims[i][n].Loaded != nil}
				for _, span := range l.Spans {
					f.Spans = append(f.Spans, span.ID)
				}
				flushed[i] = append(flushed[i], f)
			}
			return err
		})
	})
	timed("ack", func() error {
		return each(flushed, func(i int) error {
			_, err := store.Ack(ctx, fenced.Owner, flushed[i])
			return err
		})
	})
	timed("release", func() error {
		return each(names, func(i int) error {
			return store.Release(ctx, fenced.Owner, buffer.Release{Done: names[i]})
		})
	})
}

func each[T any](list []T, do func(i int) error) error {
	for i := range list {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}
