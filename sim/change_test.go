package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/harness"
	"sluice/reports"
	"sluice/scenarios"
)

// meddled is the world with a group that is not what it should be.
type meddled struct {
	World
	meddle func(*System)
}

// Open implements harness.World.
func (w meddled) Open(ctx context.Context, setup harness.Setup) (harness.System, error) {
	system, err := w.World.Open(ctx, setup)
	if err == nil {
		w.meddle(system.(*System))
	}
	return system, err
}

// when does something once as soon as something holds.
func when(s *System, holds func() bool, do func()) {
	s.After(time.Millisecond, func() {
		if holds() {
			do()
		} else {
			when(s, holds, do)
		}
	})
}

// has tells whether a worker of a consumer has a shard.
func has(s *System, consumer int, shard buffer.Shard) bool {
	for _, l := range s.standing() {
		for _, w := range l.States {
			if l.Consumer == consumer && slices.Contains(w.Shards, shard) {
				return true
			}
		}
	}
	return false
}

// TestNoOwnerIsTooShort to be seen: a shard that two consumers have, or none has, for less time than is between
// two looks violates its coverage, at the moment at which it came to that.
func TestNoOwnerIsTooShort(t *testing.T) {
	const shard = 0
	for name, c := range map[string]struct {
		scenario string
		meddle   func(*System)
		owners   int // that the shard has for a moment
		says     string
	}{
		"two": {"rebalance", func(s *System) {
			when(s, func() bool { return has(s, 1, 7) }, func() {
				second := s.members[1].member
				second.news.Assigned = append(second.news.Assigned, shard)
				s.kafka.come.Broadcast()
				when(s, func() bool { return has(s, 1, shard) }, func() {
					second.news.Revoked = append(second.news.Revoked, shard)
					s.kafka.come.Broadcast()
				})
			})
		}, 2, "belonged to workers of 2 consumers"},
		"none": {"steady", func(s *System) {
			when(s, func() bool { return s.kafka.input[shard].end() > 200 }, func() {
				first := s.members[0].member
				first.wanted[shard] = true
				first.news.Revoked = append(first.news.Revoked, shard)
				s.kafka.come.Broadcast()
			})
		}, 0, "belonged to no worker"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := scenarios.Load(c.scenario, nil)
			if err != nil {
				t.Fatal(err)
			}
			outcome, err := harness.Run(t.Context(), harness.Config{Scenario: s, World: meddled{meddle: c.meddle}})
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(outcome.Result.Invariants, func(j reports.Judgement) bool {
				return j.Name == "shard coverage"
			})
			j := outcome.Result.Invariants[at]
			if j.Verdict != reports.Violated || j.At == nil ||
				!strings.HasPrefix(j.Detail, fmt.Sprintf("at %.3fs shard %d %s, since %.3fs", *j.At, shard, c.says, *j.At)) {
				t.Fatalf("%s at %v: %s", j.Verdict, j.At, j.Detail)
			}
			for _, g := range outcome.Watched.Glances {
				owners := 0
				for _, w := range g.Workers {
					if slices.Contains(w.Shards, shard) {
						owners++
					}
				}
				if g.T > *j.At-1 && g.T < *j.At+1 && owners == c.owners {
					t.Fatalf("a look at %.1fs saw %d owners, so this shows nothing", g.T, owners)
				}
			}
		})
	}
}
