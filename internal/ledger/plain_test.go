package ledger

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

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
			flag := "false"
			if i == 0 {
				flag = "true"
			}
			both := func(value []byte) (short, long bool) {
				behind, plain := plainly(value, l.sentBuffer, marks, flag, in.attribute)
				short = plain && len(behind) == 0
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

// TestARecordIsReadPlainlyAsTheLongWayReadsIt compares both on records as the real codec writes them,
// on those with spans that are doubled, swapped or taken away, and on those with small damage, which
// only the long way reads.
func TestARecordIsReadPlainlyAsTheLongWayReadsIt(t *testing.T) {
	const seed = 3
	random := rand.New(rand.NewPCG(seed, seed))
	s := scenarios.Default()
	r := load.NewRecipe(s.Workload, 8, seed)
	l := New(r)
	root, plain := uint64(0), 0
	check := func(record Record) bool {
		in, err := l.unpack(&record)
		if err != nil || !l.plain {
			return false
		}
		spans, known := slices.Clone(l.spans), slices.Clone(l.known)
		_, array, _ := bytes.Cut(record.Value[:len(record.Value)-1], []byte(recordWhole))
		if l.spans, err = elements(l.spans[:0], array); err != nil {
			t.Fatalf("seed %d: only the short way reads %s", seed, record.Value)
		}
		l.identify(l.spans)
		if !slices.Equal(known, l.known) {
			t.Fatalf("seed %d: the short way finds %v, the long way %v", seed, known, l.known)
		}
		for i, span := range l.spans {
			if !bytes.Equal(span.value, spans[i].value) {
				t.Fatalf("seed %d: the short way reads %s, the long way %s", seed, spans[i].value, span.value)
			}
			if err := l.compare(span.value, &in, known[i].seq, known[i].root); err != nil {
				t.Fatalf("seed %d: only the short way accepts %s: %v", seed, span.value, err)
			}
		}
		return true
	}
	for range 20 {
		size := r.Size(root)
		for i := range size {
			l.Sent(root+uint64(i), root, time.Duration(i)*time.Millisecond)
		}
		record := flushedSegment(t, r, root)
		if !check(record) {
			t.Fatalf("seed %d: only the long way reads %s", seed, record.Value)
		}
		spans := slices.Clone(l.spans)
		long := record
		long.Value = append(bytes.Clone(record.Value[:len(record.Value)-1]), "]}"...)
		if check(long) {
			t.Fatalf("seed %d: accepted: %s", seed, long.Value)
		}
		for range 20 {
			other := record
			other.Value = damage(random, record.Value)
			if check(other) {
				if id := len(recordHead) + 32; bytes.Equal(other.Value[id:], record.Value[id:]) {
					continue // another flush id
				}
				t.Fatalf("seed %d: accepted: %s", seed, other.Value)
			}
		}
		random.Shuffle(len(spans), func(i, j int) { spans[i], spans[j] = spans[j], spans[i] })
		spans = append(spans[random.IntN(len(spans)):], spans[0])
		head, _, _ := bytes.Cut(record.Value, []byte(recordWhole))
		other := append(bytes.Clone(head), recordWhole+"["...)
		for i, span := range spans {
			if i > 0 {
				other = append(other, ',')
			}
			other = append(other, span.value...)
		}
		record.Value = append(other, "]}"...)
		if check(record) {
			plain++
		}
		root += uint64(size)
	}
	if plain != 20 {
		t.Errorf("the short way reads %d of 20 records of other spans", plain)
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
