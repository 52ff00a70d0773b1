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
	err := calls.send(ctx, s.scripts.claim, func(first, n int, result rueidis.RedisResult) error {
		texts, err := result.AsStrSlice()
		if err == nil && len(texts) > n {
			texts, err = s.readClaimed(claims[first:first+n], generations[first:first+n], texts)
		}
		if err = complete(len(texts), n, err); err != nil {
			return err
		}
		for i, text := range texts {
			c := &claims[first+i]
			c.State, c.Spans, c.Bytes = buffer.ClaimState(text[0]), int(leUint32(text[1:])), int64(leUint56(text[5:]))
			if c.State == claimedSmall {
				c.State = buffer.ClaimOwned
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim %d generations: %w", len(generations), err)
	}
	return claims, nil
}

// claimedSmall is the answer of claim.lua beside those of buffer.ClaimState: owned, and the trace is a
// small one, which comes along.
const claimedSmall buffer.ClaimState = 4

// readClaimed reads the small traces that are behind the answers for n claims, and returns the answers.
func (s *Store) readClaimed(
	claims []buffer.Claim, generations []buffer.Generation, texts []string,
) ([]string, error) {
	texts, values := texts[:len(claims)], texts[len(claims):]
	for i := range claims {
		if buffer.ClaimState(texts[i][0]) != claimedSmall || len(values) == 0 {
			continue
		}
		trace, err := readSmall(generations[i].TraceKey, values[0])
		if err != nil {
			return nil, err
		}
		values = values[1:]
		w := wanted{Generation: generations[i]}
		if w.blobs, w.names, err = trace.blobs(); err != nil {
			return nil, err
		}
		spans, err := s.readSpans(&w)
		if err != nil {
			return nil, err
		}
		claims[i].Loaded = &buffer.Loaded{Owned: true, Spans: spans}
	}
	return texts, nil
}

// The answers of ack.lua beside those of buffer.AckResult.
const (
	ackPart    buffer.AckResult = 3 // done, and the generation is there until the last part is
	ackLeaving buffer.AckResult = 4 // done, and blobs are left that sweep.lua deletes
)

// Ack implements buffer.Store. A generation of many spans takes several calls: its redirects go first, a
// part at a time, then the generation, then its blobs. Until the generation goes, the next owner flushes
// it again; what is left of its blobs goes with the trace at the latest.
func (s *Store) Ack(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed,
) ([]buffer.AckResult, error) {
	if len(flushed) == 0 {
		return nil, nil
	}
	results := make([]buffer.AckResult, len(flushed))
	calls := s.newCalls(string(appendOwner(nil, owner)), "whole")
	var places, giants []int
	for i := range flushed {
		if len(flushed[i].Spans) > s.part {
			giants = append(giants, i)
			continue
		}
		places = append(places, i)
		// Most go with their trace, at no cost for each span.
		calls.add(1+len(flushed[i].Spans)/8, s.traceKey(flushed[i].TraceKey), ackArg(&flushed[i]))
	}
	err := calls.send(ctx, s.scripts.ack, func(first, n int, result rueidis.RedisResult) error {
		text, err := result.ToString()
		if err := complete(len(text), n, err); err != nil {
			return err
		}
		for i := range n {
			results[places[first+i]] = buffer.AckResult(text[i])
		}
		return nil
	})
	for _, i := range giants {
		if err == nil {
			results[i], err = s.ackParts(ctx, owner, flushed[i])
		}
	}
	for i := range results {
		if err == nil && results[i] == ackLeaving {
			results[i], err = buffer.AckDone, s.sweep(ctx, s.traceKey(flushed[i].TraceKey))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ack %d generations: %w", len(flushed), err)
	}
	return results, nil
}

// ackArg writes the argument of ack.lua for one generation.
func ackArg(f *buffer.Flushed) string {
	text := make([]byte, 0, generationLen+8*len(f.Spans))
	text = appendGeneration(text, f.Generation)
	for _, id := range f.Spans {
		text = append(text, id[:]...)
	}
	return rueidis.BinaryString(text)
}

// ackParts acknowledges a generation of many spans.
func (s *Store) ackParts(
	ctx context.Context, owner buffer.Owner, f buffer.Flushed,
) (buffer.AckResult, error) {
	key, who := s.traceKey(f.TraceKey), string(appendOwner(nil, owner))
	for {
		part, extent := f, "last"
		if len(f.Spans) > s.part {
			part.Spans, f.Spans, extent = f.Spans[:s.part], f.Spans[s.part:], "part"
		}
		text, err := s.evalOne(ctx, s.scripts.ack, call{
			keys: []string{key}, args: []string{who, extent, ackArg(&part)},
		}).ToString()
		if err = classify(ctx, err); err == nil {
			err = complete(len(text), 1, nil)
		}
		if err != nil {
			return buffer.AckGone, err
		}
		if result := buffer.AckResult(text[0]); result != ackPart {
			return result, nil
		}
	}
}

// sweep deletes the blobs that an Ack has left in a trace.
func (s *Store) sweep(ctx context.Context, key string) error {
	for {
		more, err := s.evalOne(ctx, s.scripts.sweep, call{keys: []string{key}}).AsInt64()
		if err != nil || more == 0 {
			return classify(ctx, err)
		}
	}
}
