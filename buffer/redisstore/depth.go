package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Depth is how many segments of a shard wait.
type Depth struct {
	// Queued are not handed out yet; Due of them could be. Leased are what the owner has in work.
	Queued, Due, Leased int64
	// Oldest is the earliest deadline that is queued; it means nothing if none is.
	Oldest buffer.Instant
}

// Depths counts what waits in shards, each as of its now. It reads no segment, and its cost does not
// grow with their number.
func (s *Store) Depths(
	ctx context.Context, nows map[buffer.Shard]buffer.Instant,
) (map[buffer.Shard]Depth, error) {
	const each = 4 // commands of a shard
	var shards []buffer.Shard
	var ask rueidis.Commands
	for shard, now := range nows {
		keys := s.shardKeys(shard)
		shards = append(shards, shard)
		ask = append(ask,
			s.client.B().Zcard().Key(keys[0]).Build(),
			s.client.B().Zcount().Key(keys[0]).Min("-inf").Max(score(now)).Build(),
			s.client.B().Hlen().Key(keys[1]).Build(),
			s.client.B().Zrange().Key(keys[0]).Min("0").Max("0").Withscores().Build())
	}
	answers := s.client.DoMulti(ctx, ask...)
	depths := make(map[buffer.Shard]Depth, len(shards))
	for i, shard := range shards {
		d, err := readDepth(answers[each*i : each*(i+1)])
		if err != nil {
			return nil, fmt.Errorf("count what waits in shard %d: %w", shard, classify(ctx, err))
		}
		depths[shard] = d
	}
	return depths, nil
}

func readDepth(answers []rueidis.RedisResult) (d Depth, err error) {
	for i, to := range []*int64{&d.Queued, &d.Due, &d.Leased} {
		if *to, err = answers[i].AsInt64(); err != nil {
			return d, err
		}
	}
	first, err := answers[3].AsZScores()
	if err == nil && len(first) > 0 {
		d.Oldest = deadlineOf(first[0].Score)
	}
	return d, err
}
