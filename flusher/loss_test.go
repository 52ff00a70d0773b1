package flusher_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/internal/proptest"
	"sluice/internal/wallclock"
)

// lossWorld is a pipeline of real workers under faults until calm.
type lossWorld struct {
	seed     uint64
	shards   int
	errors   int  // per cent of the calls whose call or answer is lost
	immortal bool // workers that cannot be killed
	healthy  bool // workers meet no fate
	members  int  // of the consumer group: 1, unless more
	defect   string

	store  *memstore.Store
	broker *broker
	calm   time.Time
	sups   []*flusher.Supervisor

	mortals sync.WaitGroup
}

const (
	// faultTime is how long there are faults; spans arrive during most of it.
	faultTime = 90 * time.Second
	// freezeMax is how long a worker stops that goes on afterwards.
	freezeMax = 30 * time.Second
	// strayTime is more than a worker takes to end once it is awake, and fenced.
	strayTime = 10 * time.Second
)

// run feeds so many spans through the world and returns what was wrong with what came out.
func (w *lossWorld) run(t *testing.T, processes, spans int) error {
	w.store, w.broker = newStore(), &broker{delay: 300 * time.Millisecond}
	w.calm = time.Now().Add(faultTime)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	for range max(1, w.members) {
		sup, err := flusher.NewSupervisor(w.config(processes), flusher.SupervisorPorts{
			Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Spawner: w, Store: w.store,
		})
		if err != nil {
			cancel()
			return err
		}
		w.sups = append(w.sups, sup)
		go func() { ended <- sup.Run(ctx) }()
	}
	w.settle()
	w.put(t, spans)
	err := w.drain(t)
	cancel()
	for range w.sups {
		if failed := <-ended; failed != nil {
			err = errors.Join(err, fmt.Errorf("the supervisor ended: %w", failed))
		}
	}
	w.mortals.Wait()
	return errors.Join(err, w.budget(), w.check(spans))
}

// settle gives each shard to one of the members.
func (w *lossWorld) settle() {
	for i, sup := range w.sups {
		var mine []buffer.Shard
		for shard := i; shard < w.shards; shard += len(w.sups) {
			mine = append(mine, buffer.Shard(shard))
		}
		sup.Assign(mine)
	}
}

// unsettle gives members any shards, also the same to several, as rebalances do that are not seen
// by all at the same time.
func (w *lossWorld) unsettle(r *rand.Rand) {
	for _, sup := range w.sups {
		shards := shardRange(w.shards)
		r.Shuffle(w.shards, func(i, j int) { shards[i], shards[j] = shards[j], shards[i] })
		sup.Assign(shards[:r.IntN(w.shards+1)])
	}
}

// budget checks that only workers cost budget.
func (w *lossWorld) budget() error {
	for _, worker := range w.sups[0].Workers() {
		if w.healthy && worker.Restarts > 0 {
			return fmt.Errorf("errors of the servers cost budget: %q", worker.Causes)
		}
	}
	return nil
}

func (w *lossWorld) config(processes int) flusher.Config {
	cfg := flusher.DefaultConfig()
	cfg.Processes = processes
	cfg.MaxUnhealthy = 5 * time.Second
	cfg.CheckEvery = 200 * time.Millisecond
	cfg.RestartBudget = 1 << 20
	cfg.MaxStrays = 1 << 20
	cfg.StrayAfter = time.Second
	cfg.LostAfter = time.Second
	cfg.ShutdownTimeout = flusher.NoTimeout
	return cfg
}

// put ingests the spans in random batches over the time of the faults: those of a trace apart, so
// that some arrive when the first are in flight or flushed. Now and then the assignment changes.
func (w *lossWorld) put(t *testing.T, spans int) {
	r := dice(w.seed)
	feed := newFeed(w.store)
	order := r.Perm(spans)
	for len(order) > 0 {
		n := min(len(order), 1+r.IntN(6))
		for _, number := range order[:n] {
			feed.put(t, w.shardOf(number), number)
		}
		order = order[n:]
		pause := faultTime / time.Duration(1+spans/4)
		time.Sleep(time.Duration(r.Int64N(int64(pause))))
		if r.IntN(10) == 0 {
			w.unsettle(r)
		}
	}
	w.settle()
	// Frozen workers wake after the faults, too, and one that cannot be killed has then to see that it was
	// fenced: until it has, a supervisor that ends says that it leaves a stray.
	time.Sleep(time.Until(w.calm) + freezeMax + strayTime)
}

func (w *lossWorld) shardOf(number int) buffer.Shard { return buffer.Shard(number / 10 % w.shards) }

// drain waits until the store is empty, in the calm after the faults.
func (w *lossWorld) drain(t *testing.T) error {
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(time.Second) {
		left := leftovers(t, w.store)
		if left.Empty() {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("still in the store 5m after the faults: %v", left)
		}
	}
}

// check compares what came out with what went in.
func (w *lossWorld) check(spans int) error {
	values := make(map[string]string)  // flush id -> record
	flushed := make(map[string]string) // span id -> flush id
	for _, r := range w.broker.all() {
		value := string(r.Value)
		id := strings.Fields(value)[0]
		if before, ok := values[id]; ok && before != value {
			return fmt.Errorf("flush %s was %q, and now %q", id, before, value)
		}
		values[id] = value
		for _, span := range idsIn(r.Value) {
			if before, ok := flushed[span]; ok && before != id {
				return fmt.Errorf("span %s is in flush %s and in flush %s", span, before, id)
			}
			flushed[span] = id
		}
	}
	for number := range spans {
		if _, ok := flushed[spanID(number).String()]; !ok {
			return fmt.Errorf("span %d is lost", number)
		}
	}
	if len(flushed) != spans {
		return fmt.Errorf("%d spans came out of %d", len(flushed), spans)
	}
	return nil
}

// Whatever happens to workers and answers at any call of a port, every span comes out, repeats are
// byte-equal under the same flush id, and nothing is left in the store.
func TestPropertyNoLoss(t *testing.T) {
	proptest.Check(t, "no loss", noLoss(t, ""), proptest.Cases(60))
}

func noLoss(t *testing.T, defect string) gopter.Prop {
	return prop.ForAll(
		func(processes, spans, errors int, immortal bool, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				world := lossWorld{
					seed: seed, shards: 3, errors: errors, immortal: immortal, defect: defect,
				}
				err = world.run(t, processes, spans)
			})
			return err == nil, err
		},
		gen.IntRange(1, 4), gen.IntRange(1, 150), gen.IntRange(0, 15), gen.Bool(), seeds())
}

// The same with two or three members of a consumer group that fence each other off.
func TestPropertyNoLossAmongMembers(t *testing.T) {
	proptest.Check(t, "members", prop.ForAll(
		func(members, processes, spans, errors int, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				world := lossWorld{seed: seed, shards: 4, errors: errors, members: members}
				err = world.run(t, processes, spans)
			})
			return err == nil, err
		},
		gen.IntRange(2, 3), gen.IntRange(1, 3), gen.IntRange(1, 150), gen.IntRange(0, 15), seeds()),
		proptest.Cases(40))
}

// Servers that do not answer, however often and at whichever step, cost no restart.
func TestPropertyErrorsCostNoBudget(t *testing.T) {
	proptest.Check(t, "no restart", prop.ForAll(
		func(processes, spans, errors int, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				world := lossWorld{seed: seed, shards: 3, errors: errors, healthy: true}
				err = world.run(t, processes, spans)
			})
			return err == nil, err
		},
		gen.IntRange(1, 4), gen.IntRange(1, 150), gen.IntRange(0, 40), seeds()), proptest.Cases(40))
}

// What the property is there to find, it finds.
func TestNoLossFindsPlantedDefects(t *testing.T) {
	for _, test := range []struct{ defect, found string }{
		{"swallow-produce-error", "is lost"},
		{"lease-forgotten", "still in the store"},
	} {
		t.Run(test.defect, func(t *testing.T) {
			for seed := range uint64(20) {
				var err error
				synctest.Test(t, func(t *testing.T) {
					world := lossWorld{seed: seed, shards: 3, errors: 10, defect: test.defect}
					err = world.run(t, 2, 100)
				})
				if err != nil && strings.Contains(err.Error(), test.found) {
					t.Logf("found with seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("not found in 20 seeds")
		})
	}
}

// The theatre notes two workers on one shard, too many workers, and owners that were fenced off.
func TestTheatreFindsPlantedDefects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newStage(t, 1).theatre
		start := func(worker int, epoch buffer.Epoch) {
			owner := buffer.Fenced{Owner: buffer.Owner{Shard: 1, Epoch: epoch}}
			spec := flusher.WorkerSpec{Worker: worker, Owners: []buffer.Fenced{owner}}
			if _, err := th.Start(t.Context(), spec); err != nil {
				t.Fatal(err)
			}
		}
		start(0, 0)
		start(1, 5)
		all := strings.Join(th.violations, "\n")
		for _, want := range []string{"beside worker 0", "2 workers alive", "under epoch 5 of 0"} {
			if !strings.Contains(all, want) {
				t.Errorf("violations\n%s\nlack %q", all, want)
			}
		}
	})
}
