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

// Forsaken returns what waits in the queues of other slices that were met while sweeping, if no input of
// theirs was seen since a time: how many segments, by slice. Only consumers of the slice flush them.
func (s *Store) Forsaken(ctx context.Context, since buffer.Instant) (map[string]int64, error) {
	forsaken := make(map[string]int64)
	for _, slice := range s.slices.all() {
		other := *s
		other.config.Slice = slice
		waits, err := other.Stranded(ctx, 0)
		if err != nil {
			return nil, fmt.Errorf("slice %q: %w", slice, err)
		}
		var seen buffer.Instant
		segments := int64(0)
		for _, shard := range slices.Sorted(maps.Keys(waits)) {
			at, err := other.seen(ctx, shard)
			if err != nil {
				return nil, fmt.Errorf("slice %q: %w", slice, err)
			}
			seen = max(seen, at)
			segments += waits[shard]
		}
		if segments > 0 && seen < since {
			forsaken[slice] = segments
		}
	}
	return forsaken, nil
}

// seen returns until when the input of a shard was seen; 0 if it never was.
func (s *Store) seen(ctx context.Context, shard buffer.Shard) (buffer.Instant, error) {
	at, err := s.client.Do(ctx, s.client.B().Hget().Key(s.shardKeys(shard)[2]).Field("seen").Build()).AsInt64()
	if rueidis.IsRedisNil(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("look when input of shard %d was seen: %w", shard, classify(ctx, err))
	}
	return buffer.Instant(at), nil
}
