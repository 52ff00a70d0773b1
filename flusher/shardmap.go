package flusher

import (
	"errors"
	"fmt"

	"sluice/buffer"
)

// PerShard is the number of processes that gives each shard a worker of its own.
const PerShard = -1

// ShardMap deals shards to workers: the shard at position i of the list goes to worker i mod n,
// where n is the smaller of processes and the number of shards (PerShard: the latter). So every
// shard has exactly one worker, and loads differ by at most one shard. The answer is indexed by
// worker. Fewer processes than 1, no shards, and a shard that is listed twice are errors.
func ShardMap(shards []buffer.Shard, processes int) ([][]buffer.Shard, error) {
	if processes < 1 && processes != PerShard {
		return nil, fmt.Errorf("shard map: %d flusher processes, want 1 or more, or one per shard",
			processes)
	}
	if len(shards) == 0 {
		return nil, errors.New("shard map: no shards, so there is nothing to flush: want 1 or more")
	}
	workers := len(shards)
	if processes != PerShard {
		workers = min(workers, processes)
	}
	seen := make(map[buffer.Shard]int, len(shards))
	dealt := make([][]buffer.Shard, workers)
	for i, shard := range shards {
		if first, ok := seen[shard]; ok {
			return nil, fmt.Errorf("shard map: shard %d stands at positions %d and %d, "+
				"and two workers must never flush one shard", shard, first, i)
		}
		seen[shard] = i
		dealt[i%workers] = append(dealt[i%workers], shard)
	}
	return dealt, nil
}
