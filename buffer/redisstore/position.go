package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Positions returns the offset behind the last batch that was queued of each of the shards, without
// those of which nothing is known.
func (s *Store) Positions(ctx context.Context, shards []buffer.Shard) (map[buffer.Shard]int64, error) {
	ask := make(rueidis.Commands, len(shards))
	for i, shard := range shards {
		ask[i] = s.client.B().Hget().Key(s.shardKeys(shard)[2]).Field("next").Build()
	}
	found := make(map[buffer.Shard]int64, len(shards))
	for i, result := range s.client.DoMulti(ctx, ask...) {
		text, err := result.ToString()
		if rueidis.IsRedisNil(err) {
			continue
		}
		next, err2 := strconv.ParseInt(text, 10, 64)
		if err == nil {
			err = err2
		}
		if err != nil {
			return nil, fmt.Errorf("position of shard %d: %w", shards[i], classify(ctx, err))
		}
		found[shards[i]] = next
	}
	return found, nil
}

// strandedPage is how many shards are asked at a time, and after how many that never had an owner no
// further ones are expected.
const strandedPage = 64

// Stranded returns the shards from a number on of which something waits, with how many segments: the
// topic had so many partitions once, and nobody flushes those that it has no more.
func (s *Store) Stranded(ctx context.Context, from buffer.Shard) (map[buffer.Shard]int64, error) {
	const each = 3 // commands of a shard
	stranded := make(map[buffer.Shard]int64)
	for more := true; more; from += strandedPage {
		var ask rueidis.Commands
		for shard := from; shard < from+strandedPage; shard++ {
			keys := s.shardKeys(shard)
			ask = append(ask, s.client.B().Exists().Key(keys[2]).Build(),
				s.client.B().Zcard().Key(keys[0]).Build(), s.client.B().Hlen().Key(keys[1]).Build())
		}
		more = false
		answers := s.client.DoMulti(ctx, ask...)
		for i := 0; i < len(answers); i += each {
			var n [each]int64
			for j := range n {
				var err error
				if n[j], err = answers[i+j].AsInt64(); err != nil {
					return nil, fmt.Errorf("look for what waits of shard %d: %w",
						from+buffer.Shard(i/each), classify(ctx, err))
				}
			}
			more = more || n[0] > 0
			if waits := n[1] + n[2]; waits > 0 {
				stranded[from+buffer.Shard(i/each)] = waits
			}
		}
	}
	return stranded, nil
}
