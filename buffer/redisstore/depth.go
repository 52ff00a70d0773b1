package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"sluice/buffer"
)

// Depth is how many segments of a shard wait.
type Depth struct {
	// Queued are not handed out yet; Due of them could be. Leased are what the owner has in work.
	Queued, Due, Leased int64
	// Oldest is the earliest deadline that is queued; it means nothing if none is.
	Oldest buffer.Instant
	// Now is the shard's: that by which Due was counted.
	Now buffer.Instant
}

// Depths counts what waits in shards, each as of the now that its clock stands for. It reads no segment,
// and its cost does not grow with their number. All shards are asked at the same time, each by itself, so
// that a node that hangs holds up no others: it returns those that can be counted, and the error of the
// first that cannot. So now is called for several at once.
func (s *Store) Depths(
	ctx context.Context, shards []buffer.Shard, now func(buffer.Shard, buffer.ShardClock) buffer.Instant,
) (map[buffer.Shard]Depth, error) {
	counted, errs := make([]Depth, len(shards)), make([]error, len(shards))
	var asking sync.WaitGroup
	for i, shard := range shards {
		asking.Go(func() { counted[i], errs[i] = s.depth(ctx, shard, now) })
	}
	asking.Wait()
	depths := make(map[buffer.Shard]Depth, len(shards))
	for i, shard := range shards {
		if errs[i] == nil {
			depths[shard] = counted[i]
		} else {
			errs[i] = fmt.Errorf("count what waits in shard %d: %w", shard, classify(ctx, errs[i]))
		}
	}
	return depths, cmp.Or(errs...)
}

func (s *Store) depth(
	ctx context.Context, shard buffer.Shard, now func(buffer.Shard, buffer.ShardClock) buffer.Instant,
) (d Depth, err error) {
	keys := s.shardKeys(shard)
	clock, err := s.clock(ctx, keys[2])
	if err != nil {
		return d, err
	}
	d.Now = now(shard, clock)
	answers := s.client.DoMulti(ctx,
		s.client.B().Zcard().Key(keys[0]).Build(),
		s.client.B().Zcount().Key(keys[0]).Min("-inf").Max(score(d.Now)).Build(),
		s.client.B().Hlen().Key(keys[1]).Build(),
		s.client.B().Zrange().Key(keys[0]).Min("0").Max("0").Withscores().Build())
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

// clock reads the clock of a shard, as shard.lua has it, by the name of its owner.
func (s *Store) clock(ctx context.Context, owner string) (buffer.ShardClock, error) {
	texts, err := s.client.Do(ctx, s.client.B().Hmget().Key(owner).
		Field("now", "drift", "inputs", "seen").Build()).AsStrSlice()
	if err != nil {
		return buffer.ShardClock{}, err
	}
	for i, text := range texts {
		texts[i] = cmp.Or(text, "0") // not there before the first input
	}
	return readClock(texts)
}
