package buffer

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// parse reads spans written as "id<parent", where an id alone is a root; ids are one letter.
func parse(text string) []Span {
	var spans []Span
	for i, word := range strings.Fields(text) {
		id, parent, hasParent := strings.Cut(word, "<")
		span := Span{ID: SpanID{id[0]}, Parent: SpanID{id[0]}, Root: !hasParent}
		if hasParent {
			span.Parent = SpanID{parent[0]}
		}
		span.Position.Offset = int64(i)
		spans = append(spans, span)
	}
	return spans
}

// show writes a trace as "parent:ids".
func show(batch TraceBatch) string {
	var words []string
	for _, subtree := range batch.Subtrees {
		word := string(subtree.Parent[:1]) + ":"
		for _, span := range subtree.Spans {
			word += string(span.ID[:1])
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestGroup(t *testing.T) {
	cases := []struct{ name, spans, want string }{
		{"root and children in order", "a b<a c<b", "a:abc"},
		{"reverse order keeps arrival order", "c<b b<a a", "a:cba"},
		{"unseen parents stay apart", "b<a d<c", "a:b c:d"},
		{"a group moves under the parent of its head", "c<b d<x b<a", "a:cb x:d"},
		{"a nested root cuts the tree", "a b<a r c<r", "a:ab r:rc"},
		{"groups in the order of their first span", "x<w b<a y<w", "w:xy a:b"},
		{"a cycle ends at the span that closes it", "a<b b<a", "b:ab"},
		{"a longer cycle", "a<b b<c c<a", "c:abc"},
		{"its own parent", "a<a b<a", "a:ab"},
		{"the first of equal ids wins", "b<a b<x c<b", "a:bc"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			traces, _ := Group(parse(c.spans))
			if len(traces) != 1 || show(traces[0]) != c.want {
				t.Errorf("Group(%s) = %q, want %q", c.spans, show(traces[0]), c.want)
			}
		})
	}
}

func TestGroupSeparatesTracesAndCountsDuplicates(t *testing.T) {
	spans := parse("a b<a a b<a")
	for i := range spans {
		spans[i].Project = ProjectID(i % 2)
	}
	spans = append(spans, spans[0])
	traces, duplicates := Group(spans)
	if got := fmt.Sprint(show(traces[0]), " ", show(traces[1])); got != "a:a a:b" || duplicates != 3 {
		t.Errorf("got %q and %d duplicates, want %q and 3", got, duplicates, "a:a a:b")
	}
}

// twinGroup is Group as plainly as it can be said: a map for whatever is looked up.
func twinGroup(spans []Span) (traces []TraceBatch, duplicates int) {
	number := map[TraceKey]int{}
	members := map[TraceKey][]Span{}
	parents := map[TraceKey]map[SpanID]SpanID{}
	top := func(key TraceKey, id SpanID) SpanID {
		for next, ok := parents[key][id]; ok && next != id; next, ok = parents[key][id] {
			id = next
		}
		return id
	}
	for _, span := range spans {
		key := span.TraceKey
		if _, ok := number[key]; !ok {
			number[key] = len(traces)
			traces = append(traces, TraceBatch{TraceKey: key})
			parents[key] = map[SpanID]SpanID{}
		}
		if _, seen := parents[key][span.ID]; seen {
			duplicates++
			continue
		}
		parents[key][span.ID] = top(key, span.Parent)
		members[key] = append(members[key], span)
	}
	for i := range traces {
		key := traces[i].TraceKey
		subtree := map[SpanID]int{}
		for _, span := range members[key] {
			head := top(key, span.ID)
			if _, ok := subtree[head]; !ok {
				subtree[head] = len(traces[i].Subtrees)
				traces[i].Subtrees = append(traces[i].Subtrees, Subtree{Parent: head})
			}
			s := &traces[i].Subtrees[subtree[head]]
			s.Spans = append(s.Spans, span)
		}
	}
	return traces, duplicates
}

// TestGroupIsItsTwin with traces small and large, and ids few enough for repeats and cycles.
func TestGroupIsItsTwin(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		spans := make([]Span, random.IntN(200))
		ids, traces := 1+random.IntN(100), 1+random.IntN(12)
		for i := range spans {
			s := &spans[i]
			s.Trace[0] = byte(random.IntN(traces))
			s.ID[0], s.Parent[0] = byte(random.IntN(ids)), byte(random.IntN(ids))
			s.Position.Offset = int64(i)
		}
		got, duplicates := Group(spans)
		want, wanted := twinGroup(spans)
		if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) || duplicates != wanted {
			t.Fatalf("%v\nand %d duplicates, want\n%v\nand %d", got, duplicates, want, wanted)
		}
	}
}

// TestGroupFollowsChainsOnce: a chain costs the same in whatever order it arrives. Counted are the
// hops from a span to what it is filed below.
func TestGroupFollowsChainsOnce(t *testing.T) {
	const n, perSpanMax = 20_000, 8
	for name, at := range chainOrders(n) {
		t.Run(name, func(t *testing.T) {
			spans := make([]Span, n)
			for i := range spans {
				link := at[i]
				spans[i] = Span{ID: chainID(link), Parent: chainID(max(0, link-1)), Root: link == 0}
			}
			g := grouper{spans: spans}
			if traces := g.all(); len(traces) != 1 || len(traces[0].Subtrees) != 1 {
				t.Errorf("%d traces, want 1 of 1 subtree", len(traces))
			}
			if g.hops > perSpanMax*n {
				t.Errorf("%d hops for %d spans, want %d each at most", g.hops, n, perSpanMax)
			}
		})
	}
}

func chainID(link int) (id SpanID) {
	binary.BigEndian.PutUint32(id[:], uint32(link))
	return id
}

// chainOrders are orders in which the n links of a chain, from its root on, may arrive.
func chainOrders(n int) map[string][]int {
	random := rand.New(rand.NewPCG(1, 2))
	orders := map[string][]int{"shuffled": random.Perm(n), "halves, child first": nil}
	for i := range n {
		orders["parent first"] = append(orders["parent first"], i)
		orders["child first"] = append(orders["child first"], n-1-i)
	}
	for _, rest := range []int{1, 0} {
		for link := n - 1; link >= 0; link-- {
			if link%2 == rest {
				orders["halves, child first"] = append(orders["halves, child first"], link)
			}
		}
	}
	return orders
}
