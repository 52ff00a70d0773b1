package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Position is where the input of a shard stood.
type Position struct {
	// Next is the offset behind the last batch that was queued; 0 if that is not known.
	Next int64
	// Known is false if Redis knows nothing of the shard: it never had an owner, or that is lost.
	Known bool
}

// Positions returns those of shards.
func (s *Store) Positions(
	ctx context.Context, shards []buffer.Shard,
) (map[buffer.Shard]Position, error) {
	const each = 2 // commands of a shard
	ask := make(rueidis.Commands, 0, each*len(shards))
	for _, shard := range shards {
		owner := s.shardKeys(shard)[2]
		ask = append(ask, s.client.B().Hget().Key(owner).Field("next").Build(),
			s.client.B().Exists().Key(owner).Build())
	}
	answers := s.client.DoMulti(ctx, ask...)
	found := make(map[buffer.Shard]Position, len(shards))
	for i, shard := range shards {
		next, err := answers[each*i].AsInt64()
		if rueidis.IsRedisNil(err) {
			err = nil
		}
		known, err2 := answers[each*i+1].AsInt64()
		if err = errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("position of shard %d: %w", shard, classify(ctx, err))
		}
		found[shard] = Position{next, known > 0}
	}
	return found, nil
}

// Advance moves the Next of shards forward to these offsets; one that is there already stays. It is for who
// has said that Redis was behind: nobody else has to find that.
func (s *Store) Advance(ctx context.Context, to map[buffer.Shard]int64) error {
	shards := slices.Sorted(maps.Keys(to))
	calls := make([]call, len(shards))
	for i, shard := range shards {
		calls[i] = call{keys: s.shardKeys(shard), args: []string{strconv.FormatInt(to[shard], 10)}}
	}
	var faults []error
	for i, result := range s.eval(ctx, s.scripts.advance, calls) {
		if err := result.Error(); err != nil {
			faults = append(faults, fmt.Errorf("advance shard %d to offset %d: %w",
				shards[i], to[shards[i]], classify(ctx, err)))
		}
	}
	return errors.Join(faults...)
}

// strandedPage is how many shards are asked at a time, and after how many that never had an owner no
// further ones are expected.
const strandedPage = 64

// Stranded returns the shards from a number on of which something waits, with how many segments: the
// topic had so many partitions once, and nobody flushes those that it has no more.
func (s *Store) Stranded(ctx context.Context, from buffer.Shard) (map[buffer.Shard]int64, error) {
	stranded := make(map[buffer.Shard]int64)
	err := s.eachShard(ctx, from, func(shard buffer.Shard, w Waits) {
		if w.Segments > 0 {
			stranded[shard] = w.Segments
		}
	})
	return stranded, err
}

// Waits is what waits in queues.
type Waits struct {
	Segments int64
	// Seen is until when any input of them was seen; 0 if none was.
	Seen buffer.Instant
}

// eachShard calls a function for the shards from a number on, in order.
func (s *Store) eachShard(ctx context.Context, from buffer.Shard, do func(buffer.Shard, Waits)) error {
	const each = 4 // commands of a shard
	for more := true; more; from += strandedPage {
		var ask rueidis.Commands
		for shard := from; shard < from+strandedPage; shard++ {
			keys := s.shardKeys(shard)
			ask = append(ask, s.client.B().Exists().Key(keys[2]).Build(),
				s.client.B().Zcard().Key(keys[0]).Build(), s.client.B().Hlen().Key(keys[1]).Build(),
				s.client.B().Hget().Key(keys[2]).Field("seen").Build())
		}
		more = false
		answers := s.client.DoMulti(ctx, ask...)
		for i := 0; i < len(answers); i += each {
			shard := from + buffer.Shard(i/each)
			var n [each]int64
			for j := range n {
				var err error
				if n[j], err = answers[i+j].AsInt64(); err != nil && !rueidis.IsRedisNil(err) {
					return fmt.Errorf("look for what waits of shard %d: %w", shard, classify(ctx, err))
				}
			}
			more = more || n[0] > 0
			do(shard, Waits{Segments: n[1] + n[2], Seen: buffer.Instant(n[3])})
		}
	}
	return nil
}

// OtherSlices returns what waits in the queues of other slices that were met while sweeping, by slice, and
// until when input of any of their shards was seen. Only consumers of the slice flush it.
func (s *Store) OtherSlices(ctx context.Context) (map[string]Waits, error) {
	found := make(map[string]Waits)
	for _, slice := range s.slices.all() {
		other := *s
		other.config.Slice = slice
		var sum Waits
		err := other.eachShard(ctx, 0, func(_ buffer.Shard, w Waits) {
			sum.Segments += w.Segments
			sum.Seen = max(sum.Seen, w.Seen)
		})
		if err != nil {
			return nil, fmt.Errorf("slice %q: %w", slice, err)
		}
		if sum.Segments > 0 {
			found[slice] = sum
		}
	}
	return found, nil
}
