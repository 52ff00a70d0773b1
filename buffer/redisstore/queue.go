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
	return rueidis.BinaryString(appendMember(make([]byte, 0, longMember), g))
}

func epochText(e buffer.Epoch) string { return strconv.FormatUint(uint64(e), 10) }

// sliceMax is how many entries one call on a shard brings or moves at most, as in shard.lua: Redis does
// nothing else meanwhile.
const sliceMax = 125

// Enqueue implements buffer.Store. What does not fit into one call goes ahead of the last one, which
// alone advances the clock: a batch that is not enqueued as a whole is enqueued again. A clock that is set
// back is with the first call, or its deadlines would be over by the one before.
func (s *Store) Enqueue(
	ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate,
) error {
	var ahead []call
	for len(update.Due)+len(update.Merged) > s.slice {
		due := update.Due[:min(s.slice, len(update.Due))]
		merged := update.Merged[:min(s.slice-len(due), len(update.Merged))]
		update.Due, update.Merged = update.Due[len(due):], update.Merged[len(merged):]
		ahead = append(ahead, call{keys: s.shardKeys(shard), args: enqueueArgs(update, due, merged, true)})
	}
	last := call{keys: s.shardKeys(shard), args: enqueueArgs(update, update.Due, update.Merged, false)}
	for _, calls := range [][]call{ahead, {last}} {
		if len(calls) == 0 {
			continue
		}
		for _, result := range s.eval(ctx, s.scripts.enqueue, calls) {
			if err := classify(ctx, result.Error()); err != nil {
				return fmt.Errorf("enqueue on shard %d: %w", shard, err)
			}
		}
	}
	return nil
}

// seenAheadMax is buffer.SeenAheadMax as scripts know it.
var seenAheadMax = strconv.FormatInt(buffer.SeenAheadMax.Milliseconds(), 10)

// enqueueArgs writes the arguments of enqueue.lua, for some of a batch's entries.
func enqueueArgs(
	update buffer.QueueUpdate, dues []buffer.Due, merged []buffer.Generation, more bool,
) []string {
	if update.Tick {
		return []string{strconv.FormatInt(int64(update.Wall), 10), seenAheadMax}
	}
	args := make([]string, 0, 5+2*len(dues)+len(merged))
	next := strconv.FormatInt(update.Next, 10)
	if more {
		next = ""
	}
	args = append(args, strconv.FormatInt(int64(update.Clock), 10),
		strconv.FormatInt(update.Clock.Sub(update.Wall).Milliseconds(), 10), next,
		strconv.FormatInt(int64(update.Seen), 10), strconv.Itoa(len(dues)))
	for _, due := range dues {
		args = append(args, score(due.Deadline), member(due.Generation))
	}
	for _, g := range merged {
		args = append(args, member(g))
	}
	return args
}

// Fence implements buffer.Store. The new epoch is the fence; what was leased is given back in slices
// after it. Should that be cut short, the next Lease goes on with it before it hands out anything.
func (s *Store) Fence(
	ctx context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	text := ""
	if last != buffer.AnyEpoch {
		text = epochText(last)
	}
	answer, err := s.evalOne(ctx, s.scripts.fence,
		call{keys: s.shardKeys(shard), args: []string{text, epochText(s.leastEpoch())}}).ToArray()
	var fenced buffer.Fenced
	var more bool
	if err == nil {
		fenced, more, err = readFenced(shard, answer)
	} else {
		err = classify(ctx, err)
	}
	for more && err == nil {
		more, err = s.giveBack(ctx, fenced.Owner)
	}
	if err != nil {
		return buffer.Fenced{}, fmt.Errorf("fence shard %d: %w", shard, err)
	}
	return fenced, nil
}

// giveBack goes on with a fence, and tells whether there is more. Who is fenced in turn has nothing left
// to give.
func (s *Store) giveBack(ctx context.Context, owner buffer.Owner) (more bool, err error) {
	left, err := s.evalOne(ctx, s.scripts.giveBack, call{
		keys: s.shardKeys(owner.Shard), args: []string{epochText(owner.Epoch)},
	}).AsInt64()
	if err = classify(ctx, err); errors.Is(err, buffer.ErrStale) {
		return false, nil
	}
	return left > 0, err
}

// readFenced reads the answer of fence.lua, and whether there is more to give back.
func readFenced(
	shard buffer.Shard, answer []rueidis.RedisMessage,
) (fenced buffer.Fenced, more bool, err error) {
	const last = 1 + clockTexts
	texts := make([]string, min(last, len(answer)))
	for i := range texts {
		if texts[i], err = answer[i].ToString(); err != nil {
			return fenced, false, err
		}
	}
	if len(answer) <= last {
		return fenced, false, fmt.Errorf("%d values, want the epoch, the clock, and what is left", len(answer))
	}
	epoch, err := strconv.ParseUint(texts[0], 10, 64)
	if err != nil {
		return fenced, false, fmt.Errorf("epoch %q is not a number", texts[0])
	}
	fenced.Owner = buffer.Owner{Shard: shard, Epoch: buffer.Epoch(epoch)}
	if fenced.Clock, err = readClock(texts[1:]); err != nil {
		return fenced, false, err
	}
	left, err := answer[last].AsInt64()
	return fenced, left > 0, err
}

// Lease implements buffer.Store. It takes as many calls as what is handed out needs, and what is passed
// over because it is leased already.
func (s *Store) Lease(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int,
) (buffer.Leased, error) {
	var leased buffer.Leased
	passed, err := s.leaseSome(ctx, owner, now, limit, "0", &leased)
	for err == nil && passed != "" && len(leased.Due) < limit {
		passed, err = s.leaseSome(ctx, owner, now, limit-len(leased.Due), passed, &leased)
	}
	if err != nil {
		return buffer.Leased{}, fmt.Errorf("lease from shard %d under epoch %d: %w",
			owner.Shard, owner.Epoch, err)
	}
	return leased, nil
}

// leaseSome makes one call, adds what it hands out, and returns how many entries the next call is to
// pass over; nothing if there is no more.
func (s *Store) leaseSome(
	ctx context.Context, owner buffer.Owner, now buffer.Instant, limit int, passed string,
	leased *buffer.Leased,
) (string, error) {
	answer, err := s.evalOne(ctx, s.scripts.lease, call{
		keys: s.shardKeys(owner.Shard),
		args: []string{epochText(owner.Epoch), score(now), strconv.Itoa(limit), passed},
	}).AsStrSlice()
	if err != nil {
		return "", classify(ctx, err)
	}
	if leased.Clock, err = readClock(answer); err != nil {
		return "", err
	}
	if len(answer) <= clockTexts+1 {
		return "", errors.New("the answer ends behind the clock")
	}
	if leased.Outstanding, err = strconv.Atoi(answer[clockTexts+1]); err != nil {
		return "", fmt.Errorf("%q leased: %w", answer[clockTexts+1], err)
	}
	due, err := readDue(answer[clockTexts+2:])
	leased.Due = append(leased.Due, due...)
	return answer[clockTexts], err
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

// Release implements buffer.Store, in slices: whatever is not released is there for the next owner.
func (s *Store) Release(ctx context.Context, owner buffer.Owner, release buffer.Release) error {
	var calls []call
	for first := true; first || len(release.Done)+len(release.Back) > 0; first = false {
		done := release.Done[:min(s.slice, len(release.Done))]
		back := release.Back[:min(s.slice-len(done), len(release.Back))]
		release.Done, release.Back = release.Done[len(done):], release.Back[len(back):]
		calls = append(calls, call{keys: s.shardKeys(owner.Shard), args: releaseArgs(owner, done, back)})
	}
	for _, result := range s.eval(ctx, s.scripts.release, calls) {
		if err := classify(ctx, result.Error()); err != nil {
			return fmt.Errorf("release on shard %d under epoch %d: %w", owner.Shard, owner.Epoch, err)
		}
	}
	return nil
}

// releaseArgs writes the arguments of release.lua.
func releaseArgs(owner buffer.Owner, done []buffer.Generation, back []buffer.Due) []string {
	args := make([]string, 0, 2+len(done)+2*len(back))
	args = append(args, epochText(owner.Epoch), strconv.Itoa(len(done)))
	for _, g := range done {
		args = append(args, member(g))
	}
	for _, due := range back {
		args = append(args, score(due.Deadline), member(due.Generation))
	}
	return args
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
