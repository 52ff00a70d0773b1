package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"unsafe"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// fieldsMax is how many blobs one command reads at most, and replyBytesMax about how many bytes.
const (
	fieldsMax     = 1000
	replyBytesMax = 4 << 20
)

// Load implements buffer.Store. The spans' payloads share the memory of the answer.
//
// It needs no script, which would copy every blob through Lua: a first round reads which blobs
// there are, a second one reads them together with the owner in one command, which is as atomic as
// a script. A blob's name may come again once its trace was deleted, so a blob only counts if the
// owner still held the generation when it was read.
func (s *Store) Load(
	ctx context.Context, owner buffer.Owner, generations []buffer.Generation,
) ([]buffer.Loaded, error) {
	loaded := make([]buffer.Loaded, len(generations))
	l := loader{store: s, owner: owner, wanted: make([]wanted, len(generations))}
	for i, g := range generations {
		l.wanted[i] = wanted{Generation: g, key: s.traceKey(g.TraceKey)}
	}
	err := l.names(ctx)
	if err == nil {
		err = l.lists(ctx)
	}
	if err == nil {
		err = l.blobs(ctx)
	}
	for i := range l.wanted {
		if err == nil && l.wanted[i].owned {
			loaded[i].Owned = true
			loaded[i].Spans, err = s.readSpans(&l.wanted[i])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("load %d generations: %w", len(generations), err)
	}
	return loaded, nil
}

type loader struct {
	store  *Store
	owner  buffer.Owner
	wanted []wanted
}

// wanted is a generation to load, and what is known of it so far.
type wanted struct {
	buffer.Generation
	key string
	// spilled is true if the segment's record is a field of its own, small if the trace is a small one.
	spilled, small bool
	owned          bool
	names          []byte // of blobs
	lists          []byte // names of lists of them that are not read yet
	size           uint64 // of the spans, in bytes
	blobs          []string
}

// some returns the names of the blobs that are read next.
func (w *wanted) some() []byte {
	left, all := w.names[blobNameLen*len(w.blobs):], uint64(len(w.names)/blobNameLen)
	n := uint64(fieldsMax)
	if each := w.size / all; each > 0 {
		n = min(n, max(1, replyBytesMax/each))
	}
	return left[:min(uint64(len(left)), blobNameLen*n)]
}

// note takes entries of the generation.
func (w *wanted) note(entries []byte) {
	for ; len(entries) >= blobNameLen; entries = entries[blobNameLen:] {
		if entry := entries[:blobNameLen]; isList(entry) {
			w.lists = append(w.lists, entry...)
		} else {
			w.names = append(w.names, entry...)
		}
	}
}

// field is the one that says who owns the generation.
func (w *wanted) field() string {
	if w.spilled {
		return segmentPrefix + string(w.Segment[:])
	}
	return stateField
}

// read reads fields of wanted generations, each by one command.
func (l *loader) read(
	ctx context.Context, indexes []int, fields func(w *wanted) []string,
	each func(w *wanted, values []string) error,
) error {
	if len(indexes) == 0 {
		return nil
	}
	client := l.store.client
	commands := make(rueidis.Commands, len(indexes))
	for n, i := range indexes {
		w := &l.wanted[i]
		commands[n] = client.B().Hmget().Key(w.key).Field(fields(w)...).Build()
	}
	for n, result := range client.DoMulti(ctx, commands...) {
		w := &l.wanted[indexes[n]]
		values, err := result.AsStrSlice()
		if isWrongType(err) {
			w.small, w.owned = true, false // not the trace that it was, unless this is the first look at it
			continue
		}
		if err != nil {
			return classify(ctx, err)
		}
		if err := each(w, values); err != nil {
			return fmt.Errorf("segment %v of trace %v: %w", w.Segment, w.Trace, err)
		}
	}
	return nil
}

// smalls reads small traces, as a whole by one command, which is atomic, too. It returns those that have
// become hashes meanwhile.
func (l *loader) smalls(ctx context.Context, indexes []int) (left []int, err error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	commands := make(rueidis.Commands, len(indexes))
	for n, i := range indexes {
		commands[n] = l.store.client.B().Get().Key(l.wanted[i].key).Build()
	}
	for n, result := range l.store.client.DoMulti(ctx, commands...) {
		w := &l.wanted[indexes[n]]
		value, err := result.ToString()
		switch {
		case rueidis.IsRedisNil(err):
			continue
		case isWrongType(err):
			left = append(left, indexes[n])
			continue
		case err != nil:
			return nil, classify(ctx, err)
		}
		if err := l.small(w, value); err != nil {
			return nil, fmt.Errorf("segment %v of trace %v: %w", w.Segment, w.Trace, err)
		}
	}
	return left, nil
}

// small takes what a small trace has.
func (l *loader) small(w *wanted, value string) error {
	trace, err := readSmall(w.TraceKey, value)
	if err != nil {
		return err
	}
	if w.owned = trace.Generation == w.Generation && trace.Owner == l.owner; w.owned {
		w.blobs, w.names, err = trace.blobs()
	}
	return err
}

// names finds out which generations are owned and which blobs they have.
func (l *loader) names(ctx context.Context) error {
	all := make([]int, len(l.wanted))
	for i := range all {
		all[i] = i
	}
	who := func(w *wanted) []string { return []string{w.field()} }
	note := func(w *wanted, values []string) error {
		entries, err := l.held(w, values[0])
		w.owned = entries != nil
		w.note(entries)
		return err
	}
	for left := all; len(left) > 0; {
		if err := l.read(ctx, left, who, note); err != nil {
			return err
		}
		var err error
		small := func(i int) bool { return !l.wanted[i].small }
		if left, err = l.smalls(ctx, slices.DeleteFunc(slices.Clone(left), small)); err != nil {
			return err
		}
		// A small trace becomes a hash, which another look finds. A hash becomes none again.
		for _, i := range left {
			l.wanted[i].small = false
		}
	}
	return l.read(ctx, slices.DeleteFunc(all, func(i int) bool { return !l.wanted[i].spilled }),
		who, note)
}

// held returns the entries of a generation, nil if the owner does not hold it. Value is
// that of the generation's field.
func (l *loader) held(w *wanted, value string) ([]byte, error) {
	record := unsafe.Slice(unsafe.StringData(value), len(value))
	if len(record) == 0 {
		return nil, nil
	}
	if !w.spilled {
		var err error
		if record, w.spilled, err = segmentRecord(record, w.Segment); record == nil {
			return nil, err
		}
	}
	entries, size, err := claimedEntries(record, w.ID, l.owner)
	w.size = size
	return entries, err
}

// lists reads the lists of the owned generations, level by level.
func (l *loader) lists(ctx context.Context) error {
	var left []int
	for i := range l.wanted {
		if l.wanted[i].owned && len(l.wanted[i].lists) > 0 {
			left = append(left, i)
		}
	}
	for len(left) > 0 {
		err := l.read(ctx, left, func(w *wanted) []string {
			some := w.lists[:min(len(w.lists), blobNameLen*fieldsMax)]
			w.lists = w.lists[len(some):]
			fields := []string{w.field()}
			for ; len(some) > 0; some = some[blobNameLen:] {
				fields = append(fields, listPrefix+string(some[:blobNameLen]))
			}
			return fields
		}, func(w *wanted, values []string) error {
			entries, err := l.held(w, values[0])
			if w.owned = entries != nil; w.owned {
				for _, list := range values[1:] {
					if list == "" {
						return errState
					}
					w.note([]byte(list))
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(i int) bool {
			return !l.wanted[i].owned || len(l.wanted[i].lists) == 0
		})
	}
	return nil
}

// blobs reads the blobs of the owned generations.
func (l *loader) blobs(ctx context.Context) error {
	var left []int
	for i := range l.wanted {
		if w := &l.wanted[i]; w.owned && len(w.blobs) == 0 { // a small trace is read already
			left = append(left, i)
		}
	}
	for len(left) > 0 {
		err := l.read(ctx, left, func(w *wanted) []string {
			names := w.some()
			fields := make([]string, 1, 1+2*len(names)/blobNameLen)
			fields[0] = w.field()
			for ; len(names) > 0; names = names[blobNameLen:] {
				name := string(names[:blobNameLen])
				fields = append(fields, blobPrefix+name, restPrefix+name)
			}
			return fields
		}, func(w *wanted, values []string) error {
			names, err := l.held(w, values[0])
			if w.owned = names != nil; w.owned {
				for parts := values[1:]; len(parts) >= 2; parts = parts[2:] {
					if parts[0] == "" { // what is owned has all its blobs: to go on would be to flush without it
						return errState
					}
					w.blobs = append(w.blobs, parts[0]+parts[1])
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		left = slices.DeleteFunc(left, func(i int) bool {
			w := &l.wanted[i]
			return !w.owned || blobNameLen*len(w.blobs) >= len(w.names)
		})
	}
	return nil
}

// readSpans reads the spans of a generation in the order in which they arrived. Those of one attach
// arrived together, also if they went to several generations first.
func (s *Store) readSpans(w *wanted) (spans []buffer.Span, err error) {
	order := make([]int, len(w.blobs))
	for i := range order {
		order[i] = i
	}
	attach := func(i int) uint32 { return leUint32(string(w.names[blobNameLen*i:][:4])) }
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(attach(i), attach(j)) })
	for n := 0; n < len(order); {
		start, together := len(spans), attach(order[n])
		for ; n < len(order) && attach(order[n]) == together; n++ {
			if spans, err = s.readBlob(spans, w.TraceKey, w.blobs[order[n]]); err != nil {
				return nil, fmt.Errorf("segment %v of trace %v: %w", w.Segment, w.Trace, err)
			}
		}
		slices.SortStableFunc(spans[start:], func(a, b buffer.Span) int {
			return a.Position.Compare(b.Position)
		})
	}
	return spans, nil
}
