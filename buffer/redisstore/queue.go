package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// atOnce is what a fence takes from a deadline: such scores come before all others and are due
// whatever the clock says, and the deadline can be had back. The same as in shard.lua.
const atOnce = 1 << 52

func score(deadline buffer.Instant) string { return strconv.FormatInt(int64(deadline), 10) }

func readScore(text string) (buffer.Instant, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("score %q is not a number", text)
	}
	return deadlineOf(value), nil
}

// deadlineOf returns the deadline that a score stands for.
func deadlineOf(score float64) buffer.Instant {
	if score < -atOnce/2 {
		score += atOnce
	}
	return buffer.Instant(score)
}

func member(g buffer.Generation) string {
	return rueidis.BinaryString(appendMember(make([]byte, 0, memberLen), g))
}

func epochText(e buffer.Epoch) string { return strconv.FormatUint(uint64(e), 10) }

// Enqueue implements buffer.Store.
func (s *Store) Enqueue(
	ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate,
) error {
	result := s.evalOne(ctx, s.scripts.enqueue,
		call{keys: s.shardKeys(shard), args: enqueueArgs(update)})
	if err := classify(ctx, result.Error()); err != nil {
		return fmt.Errorf("enqueue %d generations on shard %d: %w", len(update.Due), shard, err)
	}
	return nil
}

// enqueueArgs writes the arguments of enqueue.lua.
func enqueueArgs(update buffer.QueueUpdate) []string {
	if update.Tick {
		return []string{strconv.FormatInt(int64(update.Wall), 10)}
	}
	args := make([]string, 0, 4+2*len(update.Due)+len(update.Merged))
	args = append(args,
		strconv.FormatInt(int64(update.Clock), 10),
		strconv.FormatInt(update.Clock.Sub(update.Wall).Milliseconds(), 10),
		strconv.FormatInt(update.Next, 10),
		strconv.Itoa(len(update.Due)))
	for _, due := range update.Due {
		args = append(args, score(due.Deadline), member(due.Generation))
	}
	for _, g := range update.Merged {
		args = append(args, member(g))
	}
	return args
}

// Fence implements buffer.Store.
func (s *Store) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	text := ""
	if last != buffer.AnyEpoch {
		text = epochText(last)
	}
	answer, err := s.evalOne(ctx, s.scripts.fence,
		call{keys: s.shardKeys(shard), args: []string{text, epochText(s.leastEpoch())}}).AsStrSlice()
	if err != nil {
		return buffer.Fenced{}, fmt.Errorf("fence shard %d: %w", shard, classify(ctx, err))
	}
	epoch, err := strconv.ParseUint(answer[0], 10, 64)
	if err != nil {
		return buffer.Fenced{}, fmt.Errorf("fence shard %d: epoch %q is not a number", shard, answer[0])
	}
	clock, err := readClock(answer[1:])
	if err != nil {
		return buffer.Fenced{}, fmt.Errorf("fence shard %d: %w", shard, err)
	}
	owner := buffer.Owner{Shard: shard, Epoch: buffer.Epoch(epoch)}
	return buffer.Fenced{Owner: owner, Clock: clock}, nil
}

// Lease implements buffer.Store.
func (s *Store) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	answer, err := s.evalOne(ctx, s.scripts.lease, call{
		keys: s.shardKeys(owner.Shard),
		args: []string{epochText(owner.Epoch), score(now), strconv.Itoa(limit)},
	}).AsStrSlice()
	if err != nil {
		return buffer.Leased{}, fmt.Errorf("lease from shard %d under epoch %d: %w",
			owner.Shard, owner.Epoch, classify(ctx, err))
	}
	leased, err := readLeased(answer)
	if err != nil {
		return buffer.Leased{}, fmt.Errorf("lease from shard %d: %w", owner.Shard, err)
	}
	return leased, nil
}

func readLeased(answer []string) (leased buffer.Leased, err error) {
	if leased.Clock, err = readClock(answer); err != nil {
		return leased, err
	}
	answer = answer[clockTexts:]
	if len(answer) == 0 {
		return leased, errors.New("the answer does not say how many are leased")
	}
	if leased.Outstanding, err = strconv.Atoi(answer[0]); err != nil {
		return leased, fmt.Errorf("%q leased: %w", answer[0], err)
	}
	leased.Due, err = readDue(answer[1:])
	return leased, err
}

// readDue reads pairs of a generation and its score.
func readDue(texts []string) (list []buffer.Due, err error) {
	for ; len(texts) >= 2; texts = texts[2:] {
		var due buffer.Due
		if due.Generation, err = readMember(texts[0]); err != nil {
			return list, err
		}
		if due.Deadline, err = readScore(texts[1]); err != nil {
			return list, err
		}
		list = append(list, due)
	}
	return list, nil
}

// Release implements buffer.Store.
func (s *Store) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	args := make([]string, 0, 2+len(release.Done)+2*len(release.Back))
	args = append(args, epochText(owner.Epoch), strconv.Itoa(len(release.Done)))
	for _, g := range release.Done {
		args = append(args, member(g))
	}
	for _, due := range release.Back {
		args = append(args, score(due.Deadline), member(due.Generation))
	}
	result := s.evalOne(ctx, s.scripts.release, call{keys: s.shardKeys(owner.Shard), args: args})
	if err := classify(ctx, result.Error()); err != nil {
		return fmt.Errorf("release %d generations of shard %d under epoch %d: %w",
			len(release.Done)+len(release.Back), owner.Shard, owner.Epoch, err)
	}
	return nil
}

// clockTexts is how many texts a shard's clock takes in an answer.
const clockTexts = 4

// readClock reads now, drift, inputs and seen, the first of the texts.
func readClock(texts []string) (buffer.ShardClock, error) {
	if len(texts) < clockTexts {
		return buffer.ShardClock{}, fmt.Errorf(
			"shard clock %q is not now, drift, inputs and seen", texts)
	}
	now, err1 := strconv.ParseInt(texts[0], 10, 64)
	drift, err2 := strconv.ParseInt(texts[1], 10, 64)
	inputs, err3 := strconv.ParseUint(texts[2], 10, 64)
	seen, err4 := strconv.ParseInt(texts[3], 10, 64)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return buffer.ShardClock{}, fmt.Errorf("shard clock %q: %w", texts[:clockTexts], err)
	}
	return buffer.ShardClock{
		Now:    buffer.Instant(now),
		Drift:  time.Duration(drift) * time.Millisecond,
		Inputs: inputs,
		Seen:   buffer.Instant(seen),
	}, nil
}
