package flusher

import (
	"slices"
	"time"

	"sluice/buffer"
)

// Assign makes exactly these shards the ones that are flushed here, dealt to workers by ShardMap
// in the order of their numbers. It returns at once. Workers whose shards change finish what they
// have in flight, end, and are started again, which costs no budget; the others are left alone.
// No shards stops all workers. A shard that is listed twice ends Run with an error.
//
// A worker one of whose shards another owner took meanwhile is restarted too, if the shard is
// (again) assigned to it.
func (s *Supervisor) Assign(shards []buffer.Shard) {
	shards = slices.Clone(shards)
	slices.Sort(shards)
	var dealt [][]buffer.Shard
	if len(shards) > 0 {
		var err error
		if dealt, err = ShardMap(shards, s.cfg.Processes); err != nil {
			s.fail(err)
			return
		}
	}
	for _, k := range s.deal(dealt) {
		s.tell(Event{Kind: EventAssigned, Worker: k.worker, Shards: k.shards})
	}
}

// SetBack has all shards fenced again, because the store has lost data after a time: what it knows of
// their owners, and of what these have released, may be out of date. Workers finish what they have in
// flight, end, and are started again, which costs no budget; but not those that were replaced for the
// same reason since then. The cause is for the events.
func (s *Supervisor) SetBack(after time.Time, cause string) {
	now := s.ports.Clock.Now()
	var again []job
	s.mu.Lock()
	for _, k := range s.keepers {
		if len(k.job.shards) > 0 && !k.setBackAt.After(after) {
			k.fencesAgain(now)
			k.job.revision++
			again = append(again, k.job)
		}
	}
	s.mu.Unlock()
	for _, j := range again {
		s.tell(Event{Kind: EventSetBack, Worker: j.worker, Shards: j.shards, Cause: cause})
	}
}

// fencesAgain notes that the shards are to be fenced again because the store has lost data; until that
// is done nobody flushes them. The lock is held.
func (k *keeper) fencesAgain(now time.Time) {
	k.setBackAt = now
	if k.downSince.IsZero() {
		k.downSince = now
	}
}

// job is what a keeper's worker is to do: an assignment, told from later ones by its revision.
type job struct {
	worker   int
	shards   []buffer.Shard
	revision int
}

// deal gives each keeper its shards, and returns those that changed.
func (s *Supervisor) deal(dealt [][]buffer.Shard) []job {
	now := s.ports.Clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.keepers) < len(dealt) {
		s.keepers = append(s.keepers, newKeeper(s, len(s.keepers)))
	}
	var changed []job
	for i, k := range s.keepers {
		var shards []buffer.Shard
		if i < len(dealt) {
			shards = dealt[i]
		}
		if slices.Equal(shards, k.job.shards) && !overlap(shards, k.status.Lost) {
			continue
		}
		idle := len(k.job.shards) == 0 // without shards nothing was down, whatever had failed before
		if k.downSince.IsZero() || idle {
			k.downSince = now
		}
		k.failed = k.failed && !idle
		if idle {
			k.inARow = 0
		}
		k.job.shards = shards
		k.job.revision++
		changed = append(changed, k.job)
	}
	return changed
}

// overlap tells whether two lists have a shard in common.
func overlap(a, b []buffer.Shard) bool {
	return slices.ContainsFunc(a, func(shard buffer.Shard) bool {
		return slices.Contains(b, shard)
	})
}
