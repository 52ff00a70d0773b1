package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Attach implements buffer.Store.
func (s *Store) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	if len(traces) == 0 {
		return nil, nil
	}
	w := attachWriter{
		arena: make([]byte, 0, attachSize(traces)),
		seen:  make(map[buffer.SpanID]struct{}),
	}
	args := make([]attachArgs, len(traces))
	for i := range traces {
		args[i] = w.write(s, delivery, traces[i].Subtrees)
	}
	answers := make([]buffer.Attached, len(traces))
	var left, small []int
	for i := range args {
		if args[i].small != "" {
			small = append(small, i)
		} else {
			left = append(left, i)
		}
	}
	for len(left)+len(small) > 0 {
		calls := s.newCalls(
			string(appendInstant(appendDelivery(nil, delivery.ID), delivery.Clock)),
			strconv.FormatInt(int64(s.config.MaxSegmentBytes), 10),
			strconv.Itoa(len(s.tracePrefix)),
		)
		for _, i := range left {
			a := &args[i]
			calls.add(a.spans, s.traceKey(traces[i].TraceKey), a.subtrees, a.first, a.rest)
		}
		var again []int
		for _, i := range small {
			calls.others = append(calls.others, s.client.B().Set().Key(s.traceKey(traces[i].TraceKey)).
				Value(args[i].small).Nx().Build())
		}
		calls.other = func(n int, result rueidis.RedisResult) error {
			i, err := small[n], result.Error()
			switch {
			case err == nil:
				answers[i] = newTrace(delivery, &traces[i])
			case rueidis.IsRedisNil(err): // it is there already
				again, err = append(again, i), nil
			}
			return classify(ctx, err)
		}
		err := unread(calls.sendTexts(ctx, s.scripts.attach, func(n int, text string) {
			if i := left[n]; text == "" {
				again = append(again, i)
			} else {
				answers[i] = readAttached(traces[i].TraceKey, text)
			}
		}))
		if err != nil {
			return answers, fmt.Errorf("attach %d traces: %w", len(traces), err)
		}
		left, small = again, nil
	}
	return answers, nil
}

// attachArgs are the arguments of attach.lua for one trace.
type attachArgs struct {
	spans                 int
	subtrees, first, rest string
	// small is the value of the trace if it is new, or empty if it would be a hash all the same.
	small string
}

// attachWriter writes the arguments of attach.lua, one after the other.
type attachWriter struct {
	arena   []byte
	lengths []int           // of the frames of the last trace
	ids     []buffer.SpanID // of the last trace
	seen    map[buffer.SpanID]struct{}
	scratch []byte
}

// attachSize is about what the arguments of these traces take.
func attachSize(traces []buffer.TraceBatch) int {
	size := 0
	for i := range traces {
		for _, subtree := range traces[i].Subtrees {
			size += 192
			for n := range subtree.Spans {
				size += 64 + len(subtree.Spans[n].Payload)
			}
		}
	}
	return size
}

// write returns the subtrees of one trace, and their frames, in the form that attach.lua says.
func (w *attachWriter) write(
	s *Store, delivery buffer.Delivery, subtrees []buffer.Subtree,
) (args attachArgs) {
	start := len(w.arena)
	w.lengths = w.lengths[:0]
	for _, subtree := range subtrees {
		before := len(w.arena)
		w.arena = appendFrame(w.arena, subtree, s.compressor, &w.scratch)
		w.lengths = append(w.lengths, len(w.arena)-before)
	}
	end := len(w.arena)
	size, root, distinct := w.sum(subtrees)
	frames := rueidis.BinaryString(w.arena[start:end])
	if root && distinct && s.fitsSmall(subtrees, len(frames), size) {
		w.arena = appendSmall(w.arena, delivery, &subtrees[0], size)
		args.small = rueidis.BinaryString(w.arena[start:])
	}
	cut, meta := bestCut(len(frames)), len(w.arena)
	w.writeSubtrees(subtrees, size, root, distinct)
	args.spans, args.subtrees = len(w.ids), rueidis.BinaryString(w.arena[meta:])
	args.first, args.rest = frames[:cut], frames[cut:]
	return args
}

// sum notes the ids of all spans, and returns their size, whether there is a root among them, and
// whether no id occurs twice.
func (w *attachWriter) sum(subtrees []buffer.Subtree) (size uint64, root, distinct bool) {
	w.ids = w.ids[:0]
	for _, subtree := range subtrees {
		for i := range subtree.Spans {
			span := &subtree.Spans[i]
			w.ids = append(w.ids, span.ID)
			size += uint64(span.Size)
			root = root || span.Root
		}
	}
	return size, root, w.distinct()
}

func (w *attachWriter) writeSubtrees(subtrees []buffer.Subtree, size uint64, root, distinct bool) {
	dst := appendUint24(w.arena, len(w.ids))
	dst = appendUint56(dst, size)
	dst = append(dst, flag(root), flag(distinct))
	dst = appendUint24(dst, len(subtrees))
	for _, id := range w.ids {
		dst = append(dst, id[:]...)
	}
	for i, subtree := range subtrees {
		dst = append(dst, subtree.Parent[:]...)
		dst = appendUint24(dst, len(subtree.Spans))
		dst = binary.LittleEndian.AppendUint32(dst, uint32(w.lengths[i]))
	}
	for _, subtree := range subtrees {
		for i := range subtree.Spans {
			span := &subtree.Spans[i]
			dst = appendUint56(dst, uint64(span.Size))
			dst = append(dst, flag(span.Root))
		}
	}
	w.arena = dst
}

// distinct tells whether no id occurs twice. buffer.Group sees to that, but others may call.
func (w *attachWriter) distinct() bool {
	const few = 24
	if len(w.ids) <= few {
		for i := range w.ids {
			if slices.Contains(w.ids[:i], w.ids[i]) {
				return false
			}
		}
		return true
	}
	clear(w.seen)
	for _, id := range w.ids {
		if _, ok := w.seen[id]; ok {
			return false
		}
		w.seen[id] = struct{}{}
	}
	return true
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// readAttached reads what attach.lua answers for one trace.
func readAttached(key buffer.TraceKey, text string) buffer.Attached {
	const liveLen = generationLen + 1 + 8
	answer := buffer.Attached{
		Stored:     int(leUint32(text)),
		Duplicates: int(leUint32(text[4:])),
		Done:       true,
	}
	n := int(leUint32(text[8:]))
	text = text[12:]
	if n > 0 {
		answer.Live = make([]buffer.LiveGeneration, n)
	}
	for i := range answer.Live {
		answer.Live[i] = buffer.LiveGeneration{
			Generation: readGeneration(key, text),
			HasRoot:    text[generationLen] == 1,
			First:      readInstant(text[generationLen+1:]),
		}
		text = text[liveLen:]
	}
	for ; len(text) > 0; text = text[generationLen:] {
		answer.Merged = append(answer.Merged, readGeneration(key, text))
	}
	slices.SortFunc(answer.Live, func(a, b buffer.LiveGeneration) int {
		return compareInTrace(a.Generation, b.Generation)
	})
	slices.SortFunc(answer.Merged, compareInTrace)
	return answer
}

// compareInTrace orders the generations of one trace by segment, then by id.
func compareInTrace(a, b buffer.Generation) int {
	return cmp.Or(bytes.Compare(a.Segment[:], b.Segment[:]), a.ID.Compare(b.ID))
}
