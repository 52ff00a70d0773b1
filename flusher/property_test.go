package flusher_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/proptest"
	"sluice/internal/wallclock"
)

// seeds generates what a case is drawn from where the drawing is a story and not a value: the
// story is shrunk by making its length, which is the other argument, smaller.
func seeds() gopter.Gen { return gen.UInt64().WithShrinker(gopter.NoShrinker) }

func dice(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// Every shard has exactly one worker, none has two, no worker has none, and loads differ by at most
// one.
func TestPropertyShardCoverage(t *testing.T) {
	covered := func(count, processes int) error {
		shards := shardRange(count)
		dealt, err := flusher.ShardMap(shards, processes)
		if err != nil {
			return err
		}
		var all []buffer.Shard
		least, most := count, 0
		for _, part := range dealt {
			all = append(all, part...)
			least, most = min(least, len(part)), max(most, len(part))
		}
		slices.Sort(all)
		if !slices.Equal(all, shards) {
			return fmt.Errorf("shards %v are flushed, want each once: %v", all, dealt)
		}
		if most-least > 1 || least < 1 || processes > 0 && len(dealt) > processes {
			return fmt.Errorf("loads are uneven: %v", dealt)
		}
		return nil
	}
	proptest.Check(t, "coverage", prop.ForAll(func(count, processes int) (bool, error) {
		if processes == 0 {
			processes = flusher.PerShard
		}
		err := covered(count, processes)
		return err == nil, err
	}, gen.IntRange(1, 300), gen.IntRange(0, 64)), proptest.Cases(500))
}

// randomScript draws a life, mostly a bad one. It depends on nothing but the seed and which start
// of which worker it is, so that tasks may draw in any order.
func randomScript(seed uint64, spec flusher.WorkerSpec) script {
	r := rand.New(rand.NewPCG(seed, uint64(spec.Worker)<<32|uint64(spec.Start)))
	seconds := func(n int) time.Duration { return time.Duration(r.IntN(n*1000)) * time.Millisecond }
	s := script{drains: seconds(20), falls: seconds(10)}
	switch r.IntN(8) {
	case 0:
		s.dies, s.exit = 1+seconds(60), flusher.Exit{Code: 1}
	case 1:
		s.beats = 1 + seconds(60)
	case 2:
		s.healthy, s.dies, s.exit = never, 1+seconds(20), flusher.Exit{Code: 2}
	case 3:
		s.healthy = seconds(60)
	case 4:
		s.refuse = errDeath
	case 5:
		s.drains = never
	case 6:
		s.falls = seconds(300)
	}
	if s.ends = s.dies; s.ends == 0 {
		s.ends = time.Duration(1+r.IntN(100)) * time.Second
	}
	return s
}

// Never more live workers than the limit, never two on one shard, under any sequence of deaths,
// hangs, slow starts, slow ends, restarts and assignments; and none at the end. The theatre notes
// violations at each start.
func TestPropertyProcessLimit(t *testing.T) {
	proptest.Check(t, "process limit", prop.ForAll(
		func(processes, steps int, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				err = limited(t, processes, steps, dice(seed))
			})
			return err == nil, err
		}, gen.IntRange(1, 5), gen.IntRange(1, 30), seeds()), proptest.Cases(60))
}

func limited(t *testing.T, processes, steps int, r *rand.Rand) error {
	s := newStage(t, processes)
	s.cfg.RestartBudget = 1000
	s.cfg.MaxUnhealthy = 20 * time.Second
	s.cfg.CheckEvery = time.Second
	s.cfg.ShutdownTimeout = time.Duration(r.IntN(3)-1) * 10 * time.Second
	if s.cfg.ShutdownTimeout < 0 {
		s.cfg.ShutdownTimeout = flusher.NoTimeout
		// Somebody has to end those who would beat for ever and not drain.
		s.cfg.MaxUnhealthy = time.Second
	}
	seed := r.Uint64()
	drain := s.cfg.ShutdownTimeout != flusher.NoTimeout
	s.scripts = func(spec flusher.WorkerSpec) script {
		one := randomScript(seed, spec)
		if !drain && one.drains == never {
			one.drains = time.Minute
		}
		return one
	}
	s.run(1 + r.IntN(8))
	for range steps {
		time.Sleep(time.Duration(r.IntN(60)) * time.Second)
		if r.IntN(2) == 0 {
			shards := shardRange(10)
			r.Shuffle(10, func(i, j int) { shards[i], shards[j] = shards[j], shards[i] })
			s.sup.Assign(shards[:r.IntN(10)])
		}
	}
	s.cancel()
	<-s.done
	if alive := s.alive(); len(alive) > 0 {
		return fmt.Errorf("%d workers outlive the supervisor", len(alive))
	}
	if len(s.violations) > 0 {
		return errors.New(s.violations[0])
	}
	return s.err
}

// Once the deaths end, each shard has exactly one worker again, and is open.
func TestPropertyCoverageAfterFaults(t *testing.T) {
	proptest.Check(t, "recovery", prop.ForAll(
		func(processes, shards int, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				err = recovers(t, processes, shards, seed)
			})
			return err == nil, err
		}, gen.IntRange(1, 5), gen.IntRange(1, 9), seeds()), proptest.Cases(40))
}

func recovers(t *testing.T, processes, shards int, seed uint64) error {
	s := newStage(t, processes)
	s.cfg.RestartBudget = 1000
	s.cfg.MaxUnhealthy = 20 * time.Second
	s.cfg.CheckEvery = time.Second
	calm := time.Now().Add(5 * time.Minute)
	s.scripts = func(spec flusher.WorkerSpec) script {
		if time.Now().After(calm) {
			return script{}
		}
		one := randomScript(seed, spec)
		if one.beats == 0 {
			one.dies = one.ends
		}
		return one
	}
	s.run(shards)
	time.Sleep(15 * time.Minute)
	var covered []buffer.Shard
	for _, p := range s.alive() {
		covered = append(covered, shardsOf(p.spec)...)
	}
	slices.Sort(covered)
	if !slices.Equal(covered, shardRange(shards)) {
		s.cancel()
		<-s.done
		return fmt.Errorf("shards %v have a worker, of %d", covered, shards)
	}
	if closed := s.sup.Closed(); len(closed) > 0 {
		t.Errorf("closed %v long after the faults", closed)
	}
	s.cancel()
	<-s.done
	return s.err
}

// With a budget of B, exactly B restarts happen, whatever the failures are and whichever worker
// has them, and the next failure ends the supervisor.
func TestPropertyRestartBudget(t *testing.T) {
	proptest.Check(t, "exactly B", prop.ForAll(
		func(processes, budget int, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				err = exact(t, processes, budget, seed)
			})
			return err == nil, err
		}, gen.IntRange(1, 4), gen.IntRange(0, 12), seeds()), proptest.Cases(60))
}

func exact(t *testing.T, processes, budget int, seed uint64) error {
	s := newStage(t, processes)
	s.cfg.RestartBudget = budget
	s.cfg.MaxUnhealthy = 20 * time.Second
	s.cfg.CheckEvery = time.Second
	s.scripts = func(spec flusher.WorkerSpec) script {
		one := randomScript(seed, spec)
		if one.beats == 0 {
			one.dies, one.exit = one.ends, flusher.Exit{Code: 1}
		}
		return one
	}
	s.run(processes)
	<-s.done
	s.cancel()
	if !errors.Is(s.err, flusher.ErrBudget) {
		return fmt.Errorf("ended with %w, want ErrBudget", s.err)
	}
	exhausted := 0
	for _, w := range s.sup.Workers() {
		switch failures := len(w.Causes); {
		case w.Restarts > budget || failures > budget+1 || w.Starts > budget+1:
			return fmt.Errorf("budget %d is overdrawn: %+v", budget, w)
		case failures == budget+1 && w.Restarts == budget:
			exhausted++
		}
	}
	if exhausted == 0 {
		return fmt.Errorf("no worker had %d restarts and one failure more", budget)
	}
	return nil
}

// A shard is closed exactly while its own worker has been under backpressure for longer than it
// may, or down, or a node is too full; compared with a dumb twin that looks at one shard at a time.
func TestPropertyBackpressure(t *testing.T) {
	proptest.Check(t, "gate", prop.ForAll(func(workers, after int, seed uint64) (bool, error) {
		r := dice(seed)
		now := time.Unix(1_000_000, 0)
		some := func() time.Time {
			if r.IntN(2) == 0 {
				return time.Time{}
			}
			return now.Add(-time.Duration(r.IntN(2*after+2)) * time.Second)
		}
		rule := flusher.GateRule{After: time.Duration(after) * time.Second, MaxMemory: r.Float64()}
		nodes := []buffer.NodeMemory{
			{Node: "a", Used: r.Int64N(50), Max: 100}, {Node: "b", Used: r.Int64N(100), Max: 100},
		}
		full := float64(max(nodes[0].Used, nodes[1].Used))/100 > rule.MaxMemory
		var loads []flusher.Load
		want := make(map[buffer.Shard]bool)
		for worker := range workers {
			l := flusher.Load{
				Worker: worker, Shards: []buffer.Shard{buffer.Shard(worker), buffer.Shard(worker + workers)},
				DownSince: some(), Failed: r.IntN(2) == 0, BackpressureSince: some(),
			}
			loads = append(loads, l)
			long := func(since time.Time) bool { return !since.IsZero() && now.Sub(since) > rule.After }
			for _, shard := range l.Shards {
				want[shard] = full || long(l.BackpressureSince) || long(l.DownSince) ||
					l.Failed && !l.DownSince.IsZero()
			}
		}
		closed := rule.Close(loads, nodes, now)
		for shard, expected := range want {
			if _, got := closed[shard]; got != expected {
				return false, fmt.Errorf("shard %d closed: %v, want %v, with %+v", shard, got, expected, loads)
			}
		}
		return len(closed) <= len(want), nil
	}, gen.IntRange(1, 6), gen.IntRange(0, 20), seeds()), proptest.Cases(500))
}

// The gate of a living supervisor engages, releases, and closes only the shards concerned.
func TestPropertyBackpressureReleases(t *testing.T) {
	proptest.Check(t, "engages and releases", prop.ForAll(
		func(processes int, seed uint64) (ok bool, err error) {
			synctest.Test(t, func(t *testing.T) {
				err = releases(t, processes, dice(seed))
			})
			return err == nil, err
		}, gen.IntRange(1, 5), seeds()), proptest.Cases(40))
}

func releases(t *testing.T, processes int, r *rand.Rand) error {
	s := newStage(t, processes)
	lives := make([]script, processes)
	for i := range lives {
		from := time.Duration(1+r.IntN(60)) * time.Second
		lives[i].full = [2]time.Duration{from, from + time.Duration(1+r.IntN(60))*time.Second}
	}
	s.scripts = func(spec flusher.WorkerSpec) script { return lives[spec.Worker] }
	begun := time.Now()
	s.run(2 * processes)
	defer func() { s.cancel(); <-s.done }()
	for time.Since(begun) < 3*time.Minute {
		_ = wallclock.Clock{}.Sleep(t.Context(), 700*time.Millisecond)
		closed := s.sup.Closed()
		for shard := range buffer.Shard(2 * processes) {
			life := lives[int(shard)%processes].full
			age := time.Since(begun)
			// Within a second of either edge, both are right.
			must := age > life[0]+11*time.Second && age < life[1]-time.Second
			may := age > life[0]+9*time.Second && age < life[1]+time.Second
			if _, got := closed[shard]; must && !got || got && !may {
				return fmt.Errorf("shard %d closed: %v at %v; backpressure lasted %v", shard, got, age, life)
			}
		}
	}
	return nil
}
