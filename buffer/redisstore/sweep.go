package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// spilledPage is how many fields of a giant trace one command looks at.
const spilledPage = 1000

// otherSlices are those whose queues were met while sweeping: traces belong to all slices, so their
// queues name generations, too.
type otherSlices struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (o *otherSlices) add(slice string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = make(map[string]bool)
	}
	o.seen[slice] = true
}

func (o *otherSlices) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for slice := range o.seen {
		all = append(all, slice)
	}
	slices.Sort(all)
	return all
}

// Sweep implements buffer.Auditor. It scans one primary after the other; the cursor is the node's address
// and Redis' own cursor.
func (s *Store) Sweep(ctx context.Context, from string, limit int) (buffer.Swept, error) {
	var swept buffer.Swept
	address, rest, _ := strings.Cut(from, " ")
	addresses, clients, err := s.nodes(ctx)
	if err != nil {
		return swept, fmt.Errorf("sweep: %w", err)
	}
	at, there := slices.BinarySearch(addresses, address)
	if at == len(addresses) {
		return swept, nil
	}
	cursor := uint64(0)
	if there && rest != "" {
		if cursor, err = strconv.ParseUint(rest, 10, 64); err != nil {
			return swept, fmt.Errorf("sweep from %q: %w", from, err)
		}
	}
	address = addresses[at]
	page, err := clients[address].Do(ctx, s.client.B().Scan().Cursor(cursor).
		Match(s.allKeys()).Count(int64(limit)).Build()).AsScanEntry()
	if err != nil {
		return swept, fmt.Errorf("sweep redis %s: %w", address, classify(ctx, err))
	}
	if err := s.holdings(ctx, page.Elements, &swept); err != nil {
		return buffer.Swept{}, fmt.Errorf("sweep redis %s: %w", address, err)
	}
	switch {
	case page.Cursor != 0:
		swept.Next = address + " " + strconv.FormatUint(page.Cursor, 10)
	case at+1 < len(addresses):
		swept.Next = addresses[at+1] + " 0"
	}
	return swept, nil
}

// sliceOf returns the slice of a key of a shard. It ends before the shard's number: there may be colons
// in it.
func (s *Store) sliceOf(key string) (slice string, ok bool) {
	tag, ok := strings.CutPrefix(key, s.config.Namespace+"{s:")
	tag, _, braced := strings.Cut(tag, "}")
	at := strings.LastIndexByte(tag, ':')
	if !ok || !braced || at < 0 {
		return "", false
	}
	return tag[:at], true
}

// holdings reads which generations the traces among some keys hold.
func (s *Store) holdings(ctx context.Context, keys []string, swept *buffer.Swept) error {
	var traces []buffer.TraceKey
	unreadable := func(key string, err error) {
		swept.Unreadable = append(swept.Unreadable, fmt.Sprintf("key %q: %v", key, err))
	}
	for _, key := range keys {
		if slice, ok := s.sliceOf(key); ok && slice != s.config.Slice {
			s.slices.add(slice)
		}
		name, ok := strings.CutPrefix(key, s.tracePrefix)
		if !ok {
			continue
		}
		trace, err := parseTraceKey(name)
		if err != nil {
			unreadable(key, err)
			continue
		}
		traces = append(traces, trace)
	}
	damaged := func(i int, err error) { unreadable(s.traceKey(traces[i]), err) }
	small, states, err := s.states(ctx, traces, damaged)
	if err != nil {
		return err
	}
	swept.Traces, swept.Held = len(traces), small
	for i, state := range states {
		if state == "" { // small, damaged, or gone meanwhile
			continue
		}
		held, spilled, err := heldInState(traces[i], unsafe.Slice(unsafe.StringData(state), len(state)))
		if spilled && err == nil {
			var failed error
			if held, failed, err = s.heldInFields(ctx, traces[i]); failed != nil {
				return fmt.Errorf("trace %v of project %d: %w", traces[i].Trace, traces[i].Project, failed)
			}
		}
		if err != nil {
			damaged(i, err)
			continue
		}
		swept.Held = append(swept.Held, held...)
	}
	return nil
}

// formsMax is how many looks at a trace may find that it changed its form from one command to the next,
// until it is taken for neither.
const formsMax = 10

// states reads field '0' of traces, and what the small ones hold, which have none; damaged is told of those
// that cannot be read.
func (s *Store) states(
	ctx context.Context, traces []buffer.TraceKey, damaged func(i int, err error),
) (small []buffer.Held, states []string, err error) {
	states, left := make([]string, len(traces)), make([]int, len(traces))
	for i := range left {
		left[i] = i
	}
	// Who is neither a string nor, a moment later, a hash has changed its form in between.
	for looks := 1; len(left) > 0; looks++ {
		if looks > formsMax {
			for _, i := range left {
				damaged(i, errors.New("it is neither a string nor a hash"))
			}
			break
		}
		ask := make(rueidis.Commands, 0, len(left))
		for _, i := range left { // not Get, for which a hash would be an error
			ask = append(ask, s.client.B().Mget().Key(s.traceKey(traces[i])).Build())
		}
		var hashes []int
		for n, result := range s.client.DoMulti(ctx, ask...) {
			values, err := result.AsStrSlice()
			if err = classify(ctx, err); err == nil && values[0] == "" {
				hashes = append(hashes, left[n])
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			if trace, err := readSmall(traces[left[n]], values[0]); err != nil {
				damaged(left[n], err)
			} else {
				small = append(small, trace.Held)
			}
		}
		ask, left = ask[:0], nil
		for _, i := range hashes {
			ask = append(ask, s.client.B().Hget().Key(s.traceKey(traces[i])).Field(stateField).Build())
		}
		for n, result := range s.client.DoMulti(ctx, ask...) {
			state, err := result.ToString()
			switch {
			case err == nil:
				states[hashes[n]] = state
			case isWrongType(err):
				left = append(left, hashes[n])
			case !rueidis.IsRedisNil(err):
				return nil, nil, classify(ctx, err)
			}
		}
	}
	return small, states, nil
}

// heldInFields reads the records of a trace that has a field for each segment. It fails if the store does,
// and has an error of the trace itself if that is damaged.
func (s *Store) heldInFields(
	ctx context.Context, trace buffer.TraceKey,
) (all []buffer.Held, failed, damaged error) {
	for cursor, more := uint64(0), true; more; more = cursor != 0 {
		page, err := s.client.Do(ctx, s.client.B().Hscan().Key(s.traceKey(trace)).Cursor(cursor).
			Match(segmentPrefix+"*").Count(spilledPage).Build()).AsScanEntry()
		if isWrongType(err) {
			return all, nil, nil // that trace is gone
		}
		if err != nil {
			return nil, classify(ctx, err), nil
		}
		for fields := page.Elements; len(fields) >= 2; fields = fields[2:] {
			var segment buffer.SpanID
			if len(fields[0]) != len(segmentPrefix)+len(segment) {
				continue // the redirect of a span whose id begins like that
			}
			copy(segment[:], fields[0][len(segmentPrefix):])
			held, err := heldInRecord(trace, segment, []byte(fields[1]))
			if err != nil {
				return nil, nil, err
			}
			all = append(all, held...)
		}
		cursor = page.Cursor
	}
	return all, nil, nil
}

// Adopt implements buffer.Auditor.
func (s *Store) Adopt(
	ctx context.Context, shard buffer.Shard, wall buffer.Instant, after time.Duration,
	generations []buffer.Generation,
) (adopted []buffer.Generation, err error) {
	generations = slices.Clone(generations)
	for _, slice := range s.slices.all() {
		other := *s
		other.config.Slice = slice
		if generations, err = other.unnamed(ctx, shard, generations); err != nil {
			return nil, fmt.Errorf("adopt on shard %d, beside slice %q: %w", shard, slice, err)
		}
	}
	for part := range slices.Chunk(generations, s.slice) {
		args := make([]string, 0, 2+len(part))
		args = append(args, score(wall), strconv.FormatInt(after.Milliseconds(), 10))
		for _, g := range part {
			args = append(args, member(g))
		}
		answer, err := s.evalOne(ctx, s.scripts.adopt,
			call{keys: s.shardKeys(shard), args: args}).ToString()
		if err = complete(len(answer), len(part), classify(ctx, err)); err != nil {
			return adopted, fmt.Errorf("adopt %d generations on shard %d: %w", len(part), shard, err)
		}
		for i, g := range part {
			if answer[i] == 1 {
				adopted = append(adopted, g)
			}
		}
	}
	return adopted, nil
}

// unnamed leaves those that neither the queue nor the leased of a shard names.
func (s *Store) unnamed(
	ctx context.Context, shard buffer.Shard, generations []buffer.Generation,
) ([]buffer.Generation, error) {
	keys := s.shardKeys(shard)
	var left []buffer.Generation
	for _, g := range generations {
		name := member(g)
		answers := s.client.DoMulti(ctx,
			s.client.B().Zscore().Key(keys[0]).Member(name).Build(),
			s.client.B().Hexists().Key(keys[1]).Field(name).Build())
		_, err := answers[0].ToString()
		leased, err2 := answers[1].AsBool()
		queued := err == nil
		if rueidis.IsRedisNil(err) {
			err = nil
		}
		if err = errors.Join(err, err2); err != nil {
			return nil, classify(ctx, err)
		}
		if !queued && !leased {
			left = append(left, g)
		}
	}
	return left, nil
}
