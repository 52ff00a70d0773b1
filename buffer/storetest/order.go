package storetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/buffer"
	"sluice/buffer/conformance"
	"sluice/internal/proptest"
)

// OrderProperty checks that what comes out does not depend on the order of the spans nor on where
// batches are cut: for random trees in random orders and cuts, it is what a twin says that sees
// all spans at once and knows nothing of batches.
func OrderProperty(t *testing.T, name string, open Factory, options ...proptest.Option) {
	t.Helper()
	proptest.Check(t, name, orderProp(t, open), options...)
}

func orderProp(t *testing.T, open Factory) gopter.Prop {
	return prop.ForAll(func(seed int64, spans int) string {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(spans)))
		tree := randomTree(random, spans)
		want := assembled(tree)
		got, log, err := ingestedAnyhow(t.Context(), random, open(t, buffer.DefaultOptions()), tree)
		if err == nil && maps.Equal(got, want) {
			return ""
		}
		return fmt.Sprintf("got  %v\nwant %v\n%v after %q", got, want, err, log)
	}, gen.Int64(), gen.IntRange(1, 14))
}

// randomTree draws spans of one trace without a parent cycle: a parent has a lower number, or is a
// span that never comes. Some are roots in the middle of it.
func randomTree(random *rand.Rand, n int) []buffer.Span {
	const unseen = 200 // ids from here on never come
	spans := make([]buffer.Span, n)
	for i := range spans {
		s := &spans[i]
		s.TraceKey = buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}}
		s.ID, s.Size, s.Position.Offset = buffer.SpanID{byte(i)}, 100, int64(i)
		s.Payload = []byte{byte(i)}
		switch choice := random.IntN(8); {
		case choice == 0:
			s.Parent, s.Root = s.ID, true
		case choice == 1 || i == 0:
			s.Parent = buffer.SpanID{byte(unseen + random.IntN(3))}
		default:
			s.Parent = buffer.SpanID{byte(random.IntN(i))}
		}
	}
	return spans
}

// assembled is the dumb twin: it walks from each span to the top of its tree.
func assembled(spans []buffer.Span) map[string]int {
	byID := make(map[buffer.SpanID]*buffer.Span)
	for i := range spans {
		byID[spans[i].ID] = &spans[i]
	}
	segments := make(map[buffer.SpanID][]string)
	rooted := make(map[buffer.SpanID]bool)
	for i := range spans {
		top := spans[i].ID
		for byID[top] != nil && !byID[top].Root {
			top = byID[top].Parent
		}
		segments[top] = append(segments[top], spans[i].ID.String())
		rooted[top] = rooted[top] || spans[i].Root
	}
	return texted(segments, rooted)
}

// texted counts segments by a text that has their ids in order, and when they are due.
func texted(segments map[buffer.SpanID][]string, rooted map[buffer.SpanID]bool) map[string]int {
	texts := make(map[string]int)
	for id, spans := range segments { //order-free: a map is made of a map
		slices.Sort(spans)
		texts[fmt.Sprintf("%v rooted %v: %v", id, rooted[id], spans)]++
	}
	return texts
}

// ingestedAnyhow delivers the spans in a random order and random cuts, all with the clock 0, and
// flushes what is due with the short time-out first, then the rest.
func ingestedAnyhow(
	ctx context.Context, random *rand.Rand, store Store, spans []buffer.Span,
) (segments map[string]int, log []string, err error) {
	left := slices.Clone(spans)
	random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
	options := buffer.DefaultOptions()
	for n := int64(1); len(left) > 0; n++ {
		batch := left[:1+random.IntN(len(left))]
		left = left[len(batch):]
		log = append(log, fmt.Sprint(show(batch)))
		traces, _ := buffer.Group(batch)
		answers, err := store.Attach(ctx, buffer.Delivery{ID: buffer.DeliveryID{Number: n}}, traces)
		if err != nil {
			return nil, log, err
		}
		if err := store.Enqueue(ctx, 0, conformance.QueueUpdate(answers, buffer.Delivery{}, options)); err != nil {
			return nil, log, err
		}
	}
	all, rooted := make(map[buffer.SpanID][]string), make(map[buffer.SpanID]bool)
	for _, now := range []buffer.Instant{
		buffer.Instant(0).Add(options.RootTimeout), buffer.Instant(0).Add(options.Timeout),
	} {
		flushed, err := flushedBy(ctx, store, now)
		if err != nil {
			return nil, log, err
		}
		for _, f := range flushed {
			for _, id := range f.Spans {
				all[f.Segment] = append(all[f.Segment], id.String())
			}
			rooted[f.Segment] = now == buffer.Instant(0).Add(options.RootTimeout)
		}
	}
	return texted(all, rooted), log, nil
}

// flushedBy lets a new owner of shard 0 flush what is due.
func flushedBy(ctx context.Context, store Store, now buffer.Instant) ([]buffer.Flushed, error) {
	fenced, err := store.Fence(ctx, 0, buffer.AnyEpoch)
	if err != nil {
		return nil, err
	}
	leased, err := store.Lease(ctx, fenced.Owner, now, 1000)
	if err != nil {
		return nil, err
	}
	names := generations(leased.Due)
	if _, err := store.Claim(ctx, fenced.Owner, names); err != nil {
		return nil, err
	}
	loaded, err := store.Load(ctx, fenced.Owner, names)
	if err != nil {
		return nil, err
	}
	flushed := make([]buffer.Flushed, len(names))
	for i, name := range names {
		flushed[i] = buffer.Flushed{Generation: name, Spans: conformance.SpanIDs(loaded[i].Spans)}
	}
	if _, err := store.Ack(ctx, fenced.Owner, flushed); err != nil {
		return nil, err
	}
	return flushed, store.Release(ctx, fenced.Owner, buffer.Release{Done: names})
}
