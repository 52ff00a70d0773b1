package buffer

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

func TestRounds(t *testing.T) {
	for _, c := range []struct {
		name, spans string
		size        int // of each span
		want        [][]string
	}{
		{"small", "a b<a c<x", 1, [][]string{{"a:ab x:c"}}},
		{"by number", "a b<a c<x d<x e<a", 1, [][]string{{"a:ab x:c"}, {"x:d a:e"}}},
		{"exactly", "a b<a c<a", 1, [][]string{{"a:abc"}}},
		{"by bytes", "a b<a c<x", 5, [][]string{{"a:ab"}, {"x:c"}}},
		{"a large span comes alone", "a b<a", 11, [][]string{{"a:a"}, {"a:b"}}},
		{"children stay with what the batch knows", "d<c c<b b<a a", 1, [][]string{{"a:dcb"}, {"a:a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spans := parse(c.spans)
			for i := range spans {
				spans[i].Size = c.size
			}
			traces, _ := Group(spans)
			whole := show(traces[0])
			var got [][]string
			for _, round := range Rounds(traces, 3, 10) {
				var words []string
				for _, trace := range round {
					words = append(words, show(trace))
				}
				got = append(got, words)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if show(traces[0]) != whole {
				t.Errorf("the batch was changed: %s, was %s", show(traces[0]), whole)
			}
		})
	}
}

// A giant does not hold up the others: they are in the first round, each once.
func TestRoundsOfSeveralTraces(t *testing.T) {
	spans := parse("a b<a c<a d<a e<a f<a g<a x y z w")
	for i := range spans {
		if i >= 7 {
			spans[i].Project = ProjectID(i/9 + 1)
		}
	}
	traces, _ := Group(spans)
	var got [][]string
	for _, round := range Rounds(traces, 3, 100) {
		var words []string
		for _, trace := range round {
			words = append(words, show(trace))
		}
		got = append(got, words)
	}
	want := [][]string{{"a:abc", "x:x y:y", "z:z w:w"}, {"a:def"}, {"a:g"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What the rounds bring of a trace, one after the other, is the trace: each span once, in its order,
// filed where it was; and no piece is larger than it may be.
func TestPropertyRounds(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		spans := make([]Span, 1+random.IntN(60))
		bytes := Bytes(0)
		for i := range spans {
			spans[i] = Span{ID: SpanID{byte(i)}, Parent: SpanID{byte(random.IntN(70))}, Size: random.IntN(12)}
			spans[i].Position.Offset = int64(i)
			bytes += Bytes(spans[i].Size)
		}
		spansMax, bytesMax := 1+random.IntN(12), Bytes(1+random.IntN(30))
		traces, _ := Group(spans)
		parents := map[SpanID]SpanID{}
		for _, subtree := range traces[0].Subtrees {
			for _, span := range subtree.Spans {
				parents[span.ID] = subtree.Parent
			}
		}
		rounds := Rounds(traces, spansMax, bytesMax)
		if most := RoundsMax(len(spans), bytes, spansMax, bytesMax); len(rounds) > most {
			t.Fatalf("%d rounds of %d spans with %d bytes, want %d at most", len(rounds), len(spans), bytes, most)
		}
		var got []Span
		for _, round := range rounds {
			var piece []Span
			sum := Bytes(0)
			for _, subtree := range round[0].Subtrees {
				for _, span := range subtree.Spans {
					if parents[span.ID] != subtree.Parent {
						t.Fatalf("%v is filed below %v, was below %v", span.ID, subtree.Parent, parents[span.ID])
					}
					sum += Bytes(span.Size)
				}
				piece = append(piece, subtree.Spans...)
			}
			if n := len(round[0].Subtrees); n > subtreesMax(spansMax) {
				t.Fatalf("a piece of %d subtrees, want %d", n, subtreesMax(spansMax))
			}
			if len(piece) > spansMax || sum > bytesMax && len(piece) > 1 {
				t.Fatalf("a piece of %d spans with %d bytes, want %d and %d", len(piece), sum, spansMax, bytesMax)
			}
			slices.SortFunc(piece, func(a, b Span) int { return a.Position.Compare(b.Position) })
			got = append(got, piece...)
		}
		if !reflect.DeepEqual(got, spans) {
			t.Fatalf("the rounds bring %v, want %v", got, spans)
		}
	}
}
