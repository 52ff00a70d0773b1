package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/load"
	"sluice/scenarios"
)

func recipe() *load.Recipe { return load.NewRecipe(scenarios.Default().Workload, 4, 11) }

// system is a stand-in for the flusher that writes what a flusher must write, in the plainest way.
type system struct {
	*load.Recipe
	ledger *Ledger
	n      int
}

func newSystem() *system {
	r := recipe()
	return &system{Recipe: r, ledger: New(r)}
}

// send enters all spans of the trace with that root, or all but that if it is headless.
func (s *system) send(root uint64) {
	for i := range s.Size(root) {
		if i > 0 || !s.Headless(root) {
			s.ledger.Sent(root+uint64(i), root, time.Duration(i)*time.Millisecond)
		}
	}
}

// record returns the record of those places of the trace, under the segment named after head.
func (s *system) record(root uint64, head int, places ...int) Record {
	segment := s.ID(root + uint64(head))
	spans := make([]string, len(places))
	for i, place := range places {
		spans[i] = s.span(root, place, segment)
	}
	s.n++
	return Record{
		Offset: int64(s.n),
		Key:    []byte(s.Trace(root).String()),
		Value:  fmt.Appendf(nil, `{"flush_id":"%032x","spans":[%s]}`, s.n, strings.Join(spans, ",")),
		Headers: []Header{
			{Key: HeaderSegment, Value: []byte(segment.String())},
			{Key: HeaderTrace, Value: []byte(s.Trace(root).String())},
			{Key: HeaderProject, Value: fmt.Append(nil, int64(s.Project(root)))},
			{Key: HeaderGeneration, Value: fmt.Appendf(nil, "%d-2", s.Partition(root))},
			{Key: HeaderChunkIndex, Value: []byte("0")},
			{Key: HeaderChunkCount, Value: []byte("1")},
		},
	}
}

func (s *system) span(root uint64, place int, segment buffer.SpanID) string {
	text := string(s.Append(nil, root, place))
	attribute := `"sentry.segment.id":{"type":"string","value":"` + segment.String() + `"}`
	switch {
	case strings.Contains(text, `"attributes":{`):
		text = strings.Replace(text, `"attributes":{`, `"attributes":{`+attribute+`,`, 1)
	case strings.Contains(text, `"attributes":null`):
		text = strings.Replace(text, `"attributes":null`, `"attributes":{`+attribute+`}`, 1)
	default:
		text = strings.TrimSuffix(text, "}") + `,"attributes":{` + attribute + `}}`
	}
	flag := fmt.Sprintf(`"is_segment":%v`, place == 0 || s.ID(root+uint64(place)) == segment)
	for _, was := range []string{"null", "true", "false"} {
		if strings.Contains(text, `"is_segment":`+was) {
			return strings.Replace(text, `"is_segment":`+was, flag, 1)
		}
	}
	return strings.TrimSuffix(text, "}") + "," + flag + "}"
}

// chunk is record for a chunk of the trace's segment.
func (s *system) chunk(index, count int, places ...int) Record {
	r := reheader(s.record(0, 0, places...), HeaderChunkIndex, fmt.Sprint(index))
	r.Value = bytes.Replace(r.Value, []byte(`"spans":`), []byte(`"skip_enrichment":true,"spans":`), 1)
	return reheader(r, HeaderChunkCount, fmt.Sprint(count))
}

func places(from, to int) []int {
	var list []int
	for i := from; i < to; i++ {
		list = append(list, i)
	}
	return list
}

// edit returns the record with one text in its value replaced by another.
func edit(t *testing.T, r Record, old, new string) Record {
	t.Helper()
	if !bytes.Contains(r.Value, []byte(old)) {
		t.Fatalf("%q is not in %s", old, r.Value)
	}
	r.Value = bytes.Replace(r.Value, []byte(old), []byte(new), 1)
	return r
}

func reheader(r Record, key, value string) Record {
	headers := append([]Header(nil), r.Headers...)
	for i := range headers {
		if headers[i].Key == key {
			headers[i].Value = []byte(value)
		}
	}
	r.Headers = headers
	return r
}

func TestARightRunHasNoFindings(t *testing.T) {
	s := newSystem()
	root := uint64(0)
	for range 100 {
		s.send(root)
		r := s.record(root, 0, places(0, s.Size(root))...)
		if !json.Valid(r.Value) {
			t.Fatalf("the stand-in writes no JSON: %s", r.Value)
		}
		s.ledger.Output(r)
		root += uint64(s.Size(root))
	}
	b := s.ledger.Balance(0)
	if b.Findings != [findings]Found{} {
		t.Errorf("findings: %v", b.Findings)
	}
	if b.Sent != int64(root) || b.Flushed != b.Sent || b.Lost != 0 || b.Records != 100 {
		t.Errorf("balance is %+v", b)
	}
}

// TestPlantedFaults plants one fault each and expects exactly the finding for it.
func TestPlantedFaults(t *testing.T) {
	const size = 20
	all := places(0, size)
	for _, c := range []struct {
		name  string
		plant func(t *testing.T, s *system) []Record
		want  map[Finding]int64
		lost  int64
	}{
		{"loss", func(t *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, places(0, size-2)...)}
		}, nil, 2},
		{"repeat", func(t *testing.T, s *system) []Record {
			r := s.record(0, 0, all...)
			return []Record{r, r}
		}, map[Finding]int64{Repeated: size}, 0},
		{"repeat with other bytes", func(t *testing.T, s *system) []Record {
			r := s.record(0, 0, all...)
			return []Record{r, edit(t, r, `"is_segment":false`, `"is_segment":true`)}
		}, map[Finding]int64{Differing: 1, Duplicated: size, Altered: 1}, 0},
		{"repeat lacks a span", func(t *testing.T, s *system) []Record {
			r, short := s.record(0, 0, all...), s.record(0, 0, places(0, size-1)...)
			return []Record{r, edit(t, short, fmt.Sprintf("%032x", 2), fmt.Sprintf("%032x", 1))}
		}, map[Finding]int64{Differing: 1, Duplicated: size - 1}, 0},
		{"duplicate", func(t *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, all...), s.record(0, 0, 3)}
		}, map[Finding]int64{Duplicated: 1}, 0},
		{"sent twice", func(t *testing.T, s *system) []Record {
			s.ledger.Sent(3, 0, time.Second)
			return []Record{s.record(0, 0, all...), s.record(0, 0, 3)}
		}, map[Finding]int64{Resent: 1}, 0},
		{"sent twice, and alone in each of its generations", func(t *testing.T, s *system) []Record {
			s.ledger.Sent(3, 0, time.Second)
			r := s.record(0, 0, 3)
			again := reheader(r, HeaderGeneration, fmt.Sprintf("%d-77", s.Partition(0)))
			return []Record{r, again, again, s.record(0, 0, append(all[:3:3], all[4:]...)...)}
		}, map[Finding]int64{Resent: 1, Repeated: 1}, 0},
		{"sent twice, and out three times", func(t *testing.T, s *system) []Record {
			s.ledger.Sent(3, 0, time.Second)
			return []Record{s.record(0, 0, all...), s.record(0, 0, 3), s.record(0, 0, 3, 4)}
		}, map[Finding]int64{Resent: 1, Duplicated: 2}, 0},
		{"unknown span", func(t *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, append(all, 999)...)}
		}, map[Finding]int64{Unknown: 1}, 0},
		{"wrong field", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"retention_days":90`, `"retention_days":30`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"missing field", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"retention_days":90,`, ``)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"added field", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"retention_days":90,`,
				`"retention_days":90,"x":1,`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"flag set twice", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"is_segment":false`,
				`"is_segment":false,"is_segment":false`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"a space before a field", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"retention_days"`, ` "retention_days"`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"a space before the flag", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"is_segment":false`, `"is_segment": false`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"a space in a flag that is put in", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"is_segment":false}`, `"is_segment": false}`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"a space in attributes that are put in", func(t *testing.T, s *system) []Record {
			attributes := `"attributes":{"sentry.segment.id":{"type":"string","value":"` + s.ID(0).String()
			return []Record{edit(t, s.record(0, 0, all...), attributes+`"}}`, attributes+`"} }`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"a space in the attributes", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"sentry.segment.id"`, ` "sentry.segment.id"`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"a space at the end", func(t *testing.T, s *system) []Record {
			r := s.record(0, 0, all...)
			return []Record{edit(t, r, `}]}`, ` }]}`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"wrong flag", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"is_segment":true`, `"is_segment":false`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"wrong attribute", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"type":"integer"`, `"type":"string"`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"no segment attribute", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"sentry.segment.id"`, `"sentry.segment"`)}
		}, map[Finding]int64{Altered: 1}, 0},
		{"split", func(t *testing.T, s *system) []Record {
			parent := s.Parent(0, size-1)
			if parent == 0 {
				t.Fatal("the trace is flat; take another seed")
			}
			return []Record{s.record(0, 0, places(0, size-1)...), s.record(0, parent, size-1)}
		}, map[Finding]int64{Split: 1}, 0},
		{"misplaced", func(t *testing.T, s *system) []Record {
			return []Record{s.record(0, size-1, all...)}
		}, map[Finding]int64{Misplaced: size - 1, Split: 1}, 0},
		{"cut off", func(t *testing.T, s *system) []Record {
			r := s.record(0, 0, 18, 19)
			key := buffer.TraceKey{Project: s.Project(0), Trace: s.Trace(0)}
			id := buffer.CutOffSegment(key, s.ID(0), s.ID(18)).String()
			r.Value = bytes.ReplaceAll(r.Value, []byte(s.ID(0).String()+`"}`), []byte(id+`"}`))
			return []Record{s.record(0, 0, places(0, 18)...), reheader(r, HeaderSegment, id)}
		}, map[Finding]int64{CutOff: 2}, 0},
		{"cut off, though it fits", func(t *testing.T, s *system) []Record {
			s.ledger.SegmentBytesMax = 1 << 20
			r := s.record(0, 0, 18, 19)
			key := buffer.TraceKey{Project: s.Project(0), Trace: s.Trace(0)}
			id := buffer.CutOffSegment(key, s.ID(0), s.ID(18)).String()
			r.Value = bytes.ReplaceAll(r.Value, []byte(s.ID(0).String()+`"}`), []byte(id+`"}`))
			return []Record{s.record(0, 0, places(0, 18)...), reheader(r, HeaderSegment, id)}
		}, map[Finding]int64{Misplaced: 2}, 0},
		{"cut off, second record", func(t *testing.T, s *system) []Record {
			key := buffer.TraceKey{Project: s.Project(0), Trace: s.Trace(0)}
			id := buffer.CutOffSegment(key, s.ID(0), s.ID(17)).String()
			list := []Record{s.record(0, 0, places(0, 17)...)}
			for _, places := range [][]int{{17, 18}, {19}} {
				r := s.record(0, 0, places...)
				r.Value = bytes.ReplaceAll(r.Value, []byte(s.ID(0).String()+`"}`), []byte(id+`"}`))
				list = append(list, reheader(r, HeaderSegment, id))
			}
			return list
		}, map[Finding]int64{CutOff: 3}, 0},
		{"cut off from a parent that is missing", func(t *testing.T, s *system) []Record {
			parent := s.Parent(0, size-1)
			if parent == 0 {
				t.Fatal("the trace is flat; take another seed")
			}
			key := buffer.TraceKey{Project: s.Project(0), Trace: s.Trace(0)}
			id := buffer.CutOffSegment(key, s.ID(uint64(parent)), s.ID(size-1)).String()
			r := s.record(0, 0, size-1)
			r.Value = bytes.ReplaceAll(r.Value, []byte(s.ID(0).String()+`"}`), []byte(id+`"}`))
			return []Record{s.record(0, 0, places(0, size-1)...), reheader(r, HeaderSegment, id)}
		}, map[Finding]int64{CutOff: 1}, 0},
		{"cut off, named in its last record", func(t *testing.T, s *system) []Record {
			key := buffer.TraceKey{Project: s.Project(0), Trace: s.Trace(0)}
			id := buffer.CutOffSegment(key, s.ID(0), s.ID(19)).String()
			list := []Record{s.record(0, 0, places(0, 17)...)}
			for _, places := range [][]int{{17, 18}, {19}} {
				r := s.record(0, 0, places...)
				r.Value = bytes.ReplaceAll(r.Value, []byte(s.ID(0).String()+`"}`), []byte(id+`"}`))
				list = append(list, reheader(r, HeaderSegment, id))
			}
			return list
		}, map[Finding]int64{CutOff: 3}, 0},
		{"other trace", func(t *testing.T, s *system) []Record {
			r := reheader(s.record(0, 0, all...), HeaderTrace, s.Trace(20).String())
			r.Key = []byte(s.Trace(20).String())
			return []Record{r}
		}, map[Finding]int64{Misplaced: size}, 0},
		{"reversed", func(t *testing.T, s *system) []Record {
			reversed := slices.Clone(all)
			slices.Reverse(reversed)
			return []Record{s.record(0, 0, reversed...)}
		}, map[Finding]int64{Disordered: size - 1}, 0},
		{"two spans swapped", func(t *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, append([]int{1, 0}, all[2:]...)...)}
		}, map[Finding]int64{Disordered: 1}, 0},
		{"a span that comes again, behind newer ones", func(t *testing.T, s *system) []Record {
			s.ledger.Sent(3, 0, time.Second)
			return []Record{s.record(0, 0, all[:5]...), s.record(0, 0, append(all[5:], 3)...)}
		}, map[Finding]int64{Resent: 1}, 0},
		{"no JSON", func(t *testing.T, s *system) []Record {
			r := s.record(0, 0, all...)
			r.Value = r.Value[:len(r.Value)-1]
			return []Record{r}
		}, map[Finding]int64{Malformed: 1}, size},
		{"no header", func(t *testing.T, s *system) []Record {
			return []Record{reheader(s.record(0, 0, all...), HeaderGeneration, "")}
		}, map[Finding]int64{Malformed: 1}, size},
		{"a space between spans", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `},{"organization_id"`,
				`}, {"organization_id"`)}
		}, map[Finding]int64{Malformed: 1}, size},
		{"a space in the record", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"spans":`, `"spans": `)}
		}, map[Finding]int64{Malformed: 1}, size},
		{"a flush id in capitals", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"flush_id":"0`, `"flush_id":"A`)}
		}, map[Finding]int64{Malformed: 1}, size},
		{"enrichment skipped", func(t *testing.T, s *system) []Record {
			return []Record{edit(t, s.record(0, 0, all...), `"spans":`, `"skip_enrichment":true,"spans":`)}
		}, map[Finding]int64{Malformed: 1}, size},
		{"a span too large for a segment", func(t *testing.T, s *system) []Record {
			s.ledger.SegmentBytesMax = 100
			return []Record{edit(t, s.record(0, 0, 0), `"spans":`, `"skip_enrichment":true,"spans":`)}
		}, nil, size - 1},
		{"a span too large for a segment that does not skip enrichment",
			func(t *testing.T, s *system) []Record {
				s.ledger.SegmentBytesMax = 100
				return []Record{s.record(0, 0, 0)}
			}, map[Finding]int64{Malformed: 1}, size},
		{"a chunk that does not skip enrichment", func(t *testing.T, s *system) []Record {
			return []Record{reheader(s.record(0, 0, all...), HeaderChunkCount, "2")}
		}, map[Finding]int64{Malformed: 1}, size},
		{"chunks of one generation that disagree", func(t *testing.T, s *system) []Record {
			first, second := s.chunk(0, 2, places(0, 10)...), s.chunk(1, 3, places(10, size)...)
			return []Record{first, second}
		}, map[Finding]int64{Malformed: 1}, size - 10},
		{"chunks", func(t *testing.T, s *system) []Record {
			return []Record{s.chunk(0, 2, places(0, 10)...), s.chunk(1, 2, places(10, size)...)}
		}, nil, 0},
		{"a generation of another partition", func(t *testing.T, s *system) []Record {
			return []Record{reheader(s.record(0, 0, all...), HeaderGeneration, "9-2")}
		}, map[Finding]int64{Malformed: 1}, 0},
		{"no spans", func(t *testing.T, s *system) []Record {
			return []Record{s.record(0, 0, all...), s.record(0, 0)}
		}, map[Finding]int64{Malformed: 1}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSystem()
			if s.Size(0) != size {
				t.Fatalf("trace has %d spans", s.Size(0))
			}
			s.send(0)
			for _, r := range c.plant(t, s) {
				s.ledger.Output(r)
			}
			b := s.ledger.Balance(0)
			expectFindings(t, b, c.want)
			if b.Lost != c.lost || int(min(c.lost, lossesNamed)) != len(b.Losses) {
				t.Errorf("lost %d: %v, want %d", b.Lost, b.Losses, c.lost)
			}
		})
	}
}

func TestDeadLettersAndBufferedSpansAreNotLost(t *testing.T) {
	s := newSystem()
	s.send(0)
	s.ledger.Output(s.record(0, 0, places(0, 15)...))
	letter := Record{Offset: 1, Value: s.Append(nil, 0, 15)}
	s.ledger.DeadLetter(letter)
	s.ledger.DeadLetter(letter)
	s.ledger.DeadLetter(Record{Offset: 2, Headers: []Header{
		{Key: HeaderSpan, Value: []byte(s.ID(16).String())}}})
	b := s.ledger.Balance(2)
	if b.Flushed != 15 || b.Dropped[DeadLettered] != 2 || b.Buffered != 2 || b.Lost != 1 {
		t.Errorf("balance is %+v", b)
	}
	if sent, settled := s.ledger.Counts(); sent != 20 || settled != 17 {
		t.Errorf("counts are %d, %d", sent, settled)
	}
	s.ledger.DeadLetter(Record{Offset: 3, Value: []byte("{")})
	if got := s.ledger.Balance(0).Of(Unknown); got.Count != 1 {
		t.Errorf("a dead letter of nothing that was sent: %v", got)
	}
}

// TestBitsetAgainstAMap compares the set with a dumb twin.
func TestBitsetAgainstAMap(t *testing.T) {
	const seed = 5
	random := rand.New(rand.NewPCG(seed, seed))
	var set, other bitset
	twin := map[uint64]bool{}
	for range 2000 {
		n := random.Uint64N(5000)
		if set.set(n) == twin[n] {
			t.Fatalf("set(%d) with seed %d", n, seed)
		}
		twin[n] = true
	}
	for range 500 {
		other.set(random.Uint64N(6000))
	}
	var last uint64
	var any bool
	var minus int64
	for n := range uint64(5100) {
		if twin[n] {
			last, any = n, true
			if !other.has(n) {
				minus++
			}
		}
		if set.has(n) != twin[n] {
			t.Fatalf("has(%d) is wrong", n)
		}
		if got, ok := set.upTo(n); got != last || ok != any {
			t.Fatalf("upTo(%d) is %d, %v, want %d, %v", n, got, ok, last, any)
		}
	}
	var third bitset
	third.set(5998)
	for _, added := range []int64{minus, 0} { // the second time nothing is new
		if got := third.add(&set, &other); got != added || third.count != minus+1 {
			t.Errorf("%d added, %d in all, want %d", got, third.count, added)
		}
	}
	for n := range uint64(6000) {
		if third.has(n) != (n == 5998 || twin[n] && !other.has(n)) {
			t.Fatalf("has(%d) of the sum is wrong", n)
		}
	}
	got, first := set.minus(3, &other)
	if got != minus || len(first) != 3 || !twin[first[0]] || other.has(first[0]) ||
		set.count != int64(len(twin)) {
		t.Errorf("minus is %d, %v, want %d", got, first, minus)
	}
}
