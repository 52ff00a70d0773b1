package ledger

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"sluice/internal/load"
	"sluice/scenarios"
)

// TestTheShortWayAcceptsWhatTheLongWayAccepts compares both on what the real codec writes, on that
// with small damage, which neither accepts, and on the stand-in's layout, which only the long way
// knows.
func TestTheShortWayAcceptsWhatTheLongWayAccepts(t *testing.T) {
	const seed = 3
	random := rand.New(rand.NewPCG(seed, seed))
	r := load.NewRecipe(scenarios.Default().Workload, 8, seed)
	l := New(r)
	root, plain, damaged, right := uint64(0), 0, 0, 0
	for range 50 {
		record := flushedSegment(t, r, root)
		in, err := l.unpack(&record)
		if err != nil {
			t.Fatal(err)
		}
		for i, span := range l.spans {
			var marks load.Marks
			l.sentBuffer, marks = r.AppendMarked(l.sentBuffer[:0], root, i)
			flag := []byte("false")
			if i == 0 {
				flag = []byte("true")
			}
			both := func(value []byte) (short, long bool) {
				short = plainly(value, l.sentBuffer, marks, flag, in.attribute)
				long = l.compareFields(value, flag, &in) == nil
				if short && !long {
					t.Fatalf("seed %d: only the short way accepts %s", seed, value)
				}
				return short, long
			}
			if short, long := both(span.value); short && long {
				plain++
			}
			for range 20 {
				value := damage(random, span.value)
				if short, long := both(value); short || long {
					t.Fatalf("seed %d: accepted (short way %v): %s", seed, short, value)
				}
				damaged++
			}
			other := (&system{Recipe: r}).span(root, i, r.ID(root))
			if short, long := both([]byte(other)); long && !short {
				right++
			}
		}
		root += uint64(r.Size(root))
	}
	if plain != int(root) || damaged != 20*plain || right < plain/2 {
		t.Errorf("of %d spans the short way accepts %d, and the long way %d written otherwise", root,
			plain, right)
	}
}

// damage changes, doubles or takes away one byte.
func damage(random *rand.Rand, value []byte) []byte {
	at := random.IntN(len(value))
	switch damaged := bytes.Clone(value); random.IntN(3) {
	case 0:
		damaged[at] ^= 1 << random.IntN(7)
		return damaged
	case 1:
		return append(damaged[:at], value[at+1:]...)
	default:
		return append(damaged[:at+1], value[at:]...)
	}
}

// TestTheFrameOfARecordIsKnown spoils it.
func TestTheFrameOfARecordIsKnown(t *testing.T) {
	s := newSystem()
	s.send(0)
	usual := s.record(0, 0, places(0, 20)...)
	for _, c := range []struct {
		old, new string
		right    bool
	}{
		{"", "", true},
		{`{"flush_id"`, `{ "flush_id"`, false},
		{`,"spans":[`, `, "spans" : [ `, false},
		{`{"flush_id":"00`, `{"flush_id":"0x`, false},
		{`{"flush_id":"00`, `{"flush_id":"0`, false},
		{`{"flush_id":"00`, `{"flush_id":"000`, false},
		{`"spans":[`, `"spans":[[],`, true}, // one more span, which is none
		{`"spans":[`, `"spans":`, false},
		{`"spans":[`, `"x":1,"spans":[`, false},
		{`"flush_id"`, `"flush"`, false},
	} {
		r := usual
		r.Value = []byte(strings.Replace(string(usual.Value), c.old, c.new, 1))
		if _, err := s.ledger.unpack(&r); (err == nil) != c.right {
			t.Errorf("%q for %q: %v", c.new, c.old, err)
		}
	}
	for _, tail := range []string{`,"skip_enrichment":true}`, `]}`, `}}`, ``} {
		r := usual
		r.Value = []byte(strings.TrimSuffix(string(usual.Value), "}") + tail)
		if _, err := s.ledger.unpack(&r); err == nil {
			t.Errorf("the end %q is accepted", tail)
		}
	}
}
