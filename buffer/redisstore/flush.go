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
	claims := make([]buffer.Claim, len(generations))
	smalls, err := s.readSmalls(ctx, generations)
	if err == nil {
		calls := s.newCalls(string(appendOwner(nil, owner)))
		for i, g := range generations {
			seen, offset := smalls[i].claimArgs(g)
			calls.add(1, s.traceKey(g.TraceKey), seen, offset)
		}
		err = unread(calls.send(ctx, s.scripts.claim, func(first, n int, result rueidis.RedisResult) error {
			texts, err := result.AsStrSlice()
			if len(texts) < n || err != nil {
				return complete(len(texts), n, err)
			}
			return readClaims(claims[first:first+n], generations[first:first+n], smalls[first:first+n], texts)
		}))
	}
	for i := range claims {
		if err == nil && claims[i].State == claimedSmall {
			claims[i].State = buffer.ClaimOwned
			claims[i].Loaded, err = smalls[i].load(s)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("claim %d generations: %w", len(generations), err)
	}
	return claims, nil
}

// claimedSmall is the answer of claim.lua beside those of buffer.ClaimState: owned, and a small trace.
const claimedSmall buffer.ClaimState = 4

// readClaims reads the answers of claim.lua, behind which are the small traces that were not read before,
// or have changed since.
func readClaims(
	claims []buffer.Claim, generations []buffer.Generation, smalls []*smallTrace, texts []string,
) error {
	texts, values := texts[:len(claims)], texts[len(claims):]
	for i, text := range texts {
		c := &claims[i]
		c.State = buffer.ClaimState(text[0])
		if len(text) == 1 {
			c.Spans, c.Bytes = smalls[i].Spans, int64(smalls[i].size)
			continue
		}
		c.Spans, c.Bytes = int(leUint32(text[1:])), int64(leUint56(text[5:]))
		if c.State != claimedSmall {
			continue
		}
		if len(values) == 0 {
			return complete(len(values), 1, nil)
		}
		small, err := readSmall(generations[i].TraceKey, values[0])
		if err != nil {
			return err
		}
		smalls[i], values = &small, values[1:]
	}
	return nil
}

// The answers of ack.lua beside those of buffer.AckResult.
const (
	ackPart    buffer.AckResult = 3 // done, and the generation is there until the last part is
	ackLeaving buffer.AckResult = 4 // done, and blobs are left that sweep.lua deletes
	ackOther   buffer.AckResult = 5 // nothing is done: not the small trace that was claimed
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
	var left, giants []int
	for i := range flushed {
		if len(flushed[i].Spans) > s.part {
			giants = append(giants, i)
		} else {
			left = append(left, i)
		}
	}
	var err error
	for small := true; err == nil && len(left) > 0; small = false {
		left, err = s.ackSome(ctx, owner, flushed, left, small, results)
	}
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

// ackSome acknowledges the generations of these places, and returns those that turned out not to be what
// Claim read along: with small, what it did is taken for a small trace, of which no more than the end is
// looked at.
func (s *Store) ackSome(
	ctx context.Context, owner buffer.Owner, flushed []buffer.Flushed, places []int, small bool,
	results []buffer.AckResult,
) (others []int, err error) {
	who := string(appendOwner(nil, owner))
	calls := s.newCalls(who, "whole")
	for _, i := range places {
		f := &flushed[i]
		if small && f.Along {
			end := append(appendGeneration(make([]byte, 0, generationLen+ownerLen+1), f.Generation), who...)
			calls.add(1, s.traceKey(f.TraceKey), rueidis.BinaryString(append(end, smallFlying)))
		} else { // most go with their trace, at no cost for each span
			calls.add(1+len(f.Spans)/8, s.traceKey(f.TraceKey), ackArg(f))
		}
	}
	err = unread(calls.send(ctx, s.scripts.ack, func(first, n int, result rueidis.RedisResult) error {
		text, err := result.ToString()
		if err := complete(len(text), n, err); err != nil {
			return err
		}
		for k := range n {
			i := places[first+k]
			if results[i] = buffer.AckResult(text[k]); results[i] == ackOther {
				others = append(others, i)
			}
		}
		return nil
	}))
	return others, err
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

// ackAhead is how many parts of a generation are acknowledged without waiting for the answers, so that one
// of very many spans does not take a round trip for each.
const ackAhead = 16

// ackParts acknowledges a generation of many spans. Parts may come in any order, but the last one.
func (s *Store) ackParts(
	ctx context.Context, owner buffer.Owner, f buffer.Flushed,
) (buffer.AckResult, error) {
	key, who := s.traceKey(f.TraceKey), string(appendOwner(nil, owner))
	for {
		var calls []call
		add := func(extent string, spans int) {
			part := f
			part.Spans, f.Spans = f.Spans[:spans], f.Spans[spans:]
			calls = append(calls, call{keys: []string{key}, args: []string{who, extent, ackArg(&part)}})
		}
		for len(f.Spans) > s.part && len(calls) < ackAhead {
			add("part", s.part)
		}
		if len(calls) == 0 {
			add("last", len(f.Spans))
		}
		for _, answer := range s.eval(ctx, s.scripts.ack, calls) {
			text, err := answer.ToString()
			if err = unread(classify(ctx, err)); err == nil {
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
