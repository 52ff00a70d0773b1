package redisstore

import (
	"context"
	"fmt"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Claim implements buffer.Store.
func (s *Store) Claim(
	ctx context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Claim, error) {
	if len(generations) == 0 {
		return nil, nil
	}
	calls := s.newCalls(string(appendOwner(nil, owner)))
	for _, g := range generations {
		calls.add(1, s.traceKey(g.TraceKey), string(appendGeneration(nil, g)))
	}
	claims := make([]buffer.Claim, len(generations))
	err := calls.sendTexts(ctx, s.scripts.claim, func(i int, text string) {
		claims[i] = buffer.Claim{
			State: buffer.ClaimState(text[0]),
			Spans: int(leUint32(text[1:])),
			Bytes: int64(leUint56(text[5:])),
		}
	})
	if err != nil {
		return nil, fmt.Errorf("claim %d generations: %w", len(generations), err)
	}
	return claims, nil
}

// Ack implements buffer.Store.
func (s *Store) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	if len(flushed) == 0 {
		return nil, nil
	}
	calls := s.newCalls(string(appendOwner(nil, owner)))
	for i := range flushed {
		f := &flushed[i]
		text := make([]byte, 0, generationLen+8*len(f.Spans))
		text = appendGeneration(text, f.Generation)
		for _, id := range f.Spans {
			text = append(text, id[:]...)
		}
		calls.add(len(f.Spans), s.traceKey(f.TraceKey), rueidis.BinaryString(text))
	}
	results := make([]buffer.AckResult, len(flushed))
	err := calls.send(ctx, s.scripts.ack, func(first, n int, result rueidis.RedisResult) error {
		text, err := result.ToString()
		if err := complete(len(text), n, err); err != nil {
			return err
		}
		for i := range n {
			results[first+i] = buffer.AckResult(text[i])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ack %d generations: %w", len(flushed), err)
	}
	return results, nil
}
