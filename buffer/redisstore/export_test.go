package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strings"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Fork returns a store on the same connections with a namespace of its own.
func (s *Store) Fork(namespace string, limit buffer.Bytes) *Store {
	fork := *s
	fork.config.Namespace = namespace
	fork.config.MaxSegmentBytes = limit
	fork.tracePrefix = namespace + "t:"
	fork.markers, fork.slices = &markers{}, &otherSlices{}
	fork.leastEpoch = func() buffer.Epoch { return 0 } // as the reference store, which loses nothing
	return &fork
}

// Sliced returns the store of another slice.
func (s *Store) Sliced(slice string) *Store {
	other := *s
	other.config.Slice = slice
	return &other
}

// Cramped makes the scripts take every trace for a giant one: nothing stays in field '0', and
// every list is cut into pieces.
func (s *Store) Cramped() *Store {
	small := strings.NewReplacer(
		"GROUPS_MAX, SEGMENTS_MAX = 2048, 4096", "GROUPS_MAX, SEGMENTS_MAX = 60, 150",
		"PIECE = 4000", "PIECE = 4",
	)
	all := &s.scripts
	for _, step := range []*script{
		&all.attach, &all.claim, &all.ack,
		&all.enqueue, &all.fence, &all.lease, &all.release, &all.adopt, &all.beat,
	} {
		step.text = small.Replace(step.text)
		sum := sha1.Sum([]byte(step.text))
		step.sha = hex.EncodeToString(sum[:])
	}
	return s
}

// Keys returns all keys in the store's namespace.
func (s *Store) Keys(ctx context.Context) ([]string, error) { return s.keys(ctx) }

// Wipe deletes everything in the store's namespace.
func (s *Store) Wipe(ctx context.Context) error {
	keys, err := s.keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.client.Do(ctx, s.client.B().Unlink().Key(key).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// Do sends a command to every node.
func (s *Store) Do(ctx context.Context, words ...string) error {
	addresses, clients := s.nodes()
	for _, address := range addresses {
		client := clients[address]
		if err := client.Do(ctx, client.B().Arbitrary(words...).Build()).Error(); err != nil {
			return err
		}
	}
	return nil
}

// Watched returns a store on the same connections that calls before with the number of each round
// of commands, from 1, when it is about to be sent.
func (s *Store) Watched(before func(round int)) *Store {
	watched := *s
	watched.client = &watchedClient{Client: s.client, before: before}
	return &watched
}

type watchedClient struct {
	rueidis.Client
	before func(round int)
	rounds int
}

func (c *watchedClient) DoMulti(
	ctx context.Context, commands ...rueidis.Completed,
) []rueidis.RedisResult {
	c.rounds++
	c.before(c.rounds)
	return c.Client.DoMulti(ctx, commands...)
}
