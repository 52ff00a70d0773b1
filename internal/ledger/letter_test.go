package ledger

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"sluice/buffer"
)

// bad returns the dead letter of the bad message that follows the span at that place, as the way in
// writes it.
func (s *system) bad(root uint64, place int) Record {
	s.n++
	return Record{
		Offset: int64(s.n),
		Key:    []byte(s.BadKey(root + uint64(place)).String()),
		Value:  s.AppendBad(nil, root, place),
		Headers: []Header{
			{Key: HeaderError, Value: []byte("field " + s.BadField(root+uint64(place)) + " is missing")},
			{Key: HeaderTopic, Value: []byte("in")},
			{Key: HeaderPartition, Value: fmt.Append(nil, s.Partition(root))},
			{Key: HeaderOffset, Value: []byte("17")},
		},
	}
}

// letter returns the dead letter of the span at that place, as a worker writes it.
func (s *system) letter(root uint64, place int) Record {
	r := s.bad(root, place)
	r.Key, r.Value = []byte(s.Trace(root).String()), s.Append(nil, root, place)
	id := s.ID(root + uint64(place)).String()
	r.Headers = append(r.Headers, Header{Key: HeaderSpan, Value: []byte(id)})
	for _, h := range s.record(root, 0, place).Headers {
		if h.Key != HeaderChunkIndex && h.Key != HeaderChunkCount {
			r.Headers = append(r.Headers, h)
		}
	}
	return reheader(r, HeaderError, "produce: record is larger than the broker accepts")
}

// TestPlantedFaultsAmongLetters sends a trace of which all spans but the last come out, that one as
// a dead letter, and a bad message after each span, and plants one fault each.
func TestPlantedFaultsAmongLetters(t *testing.T) {
	const size = 20
	for _, c := range []struct {
		name string
		// plant returns what comes out instead of the letters.
		plant   func(s *system, letters []Record) []Record
		want    map[Finding]int64
		badLost int64
		lost    int64
	}{
		{"none", func(_ *system, letters []Record) []Record { return letters }, nil, 0, 0},
		{"a lost bad message", func(_ *system, letters []Record) []Record {
			return letters[1:]
		}, nil, 1, 0},
		{"a lost span", func(_ *system, letters []Record) []Record {
			return letters[:size]
		}, nil, 0, 1},
		{"a repeat", func(_ *system, letters []Record) []Record {
			return append(letters, letters[3], letters[size])
		}, map[Finding]int64{RepeatedLetter: 2}, 0, 0},
		{"an altered bad message", func(_ *system, letters []Record) []Record {
			letters[4].Value = append(letters[4].Value, ' ')
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"an altered span", func(_ *system, letters []Record) []Record {
			letters[size].Value = bytes.Replace(letters[size].Value, []byte(`:90`), []byte(`:30`), 1)
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a bad message under another key", func(s *system, letters []Record) []Record {
			letters[4].Key = []byte(s.Trace(0).String())
			letters[4].Value = []byte("[]")
			return letters
		}, map[Finding]int64{Unknown: 1}, 1, 0},
		{"a bad message that was never sent", func(s *system, letters []Record) []Record {
			return append(letters, s.bad(size, 0))
		}, map[Finding]int64{Unknown: 1}, 0, 0},
		{"no error", relabel(HeaderError, ""), map[Finding]int64{Altered: 1}, 0, 0},
		{"another topic", relabel(HeaderTopic, "out"), map[Finding]int64{Altered: 1}, 0, 0},
		{"another partition", relabel(HeaderPartition, "9"), map[Finding]int64{Altered: 1}, 0, 0},
		{"no offset", relabel(HeaderOffset, "-1"), map[Finding]int64{Altered: 1}, 0, 0},
		{"a span that the way in refused", func(s *system, letters []Record) []Record {
			letters[size].Headers = letters[size].Headers[:4]
			return letters
		}, map[Finding]int64{Refused: 1}, 0, 0},
		{"a span without its value", func(s *system, letters []Record) []Record {
			return bare(s, letters, len(letters[size].Value))
		}, nil, 0, 0},
		{"a span without its value, of another size", func(s *system, letters []Record) []Record {
			return bare(s, letters, 7)
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a span without its value, though that fits", func(s *system, letters []Record) []Record {
			s.ledger.LetterBytesMax = 1 << 20
			return bare(s, letters, len(letters[size].Value))
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a span that a record takes", func(s *system, letters []Record) []Record {
			s.ledger.RecordBytesMax = len(letters[size].Value) + frameBytesMax
			return letters
		}, map[Finding]int64{Refused: 1}, 0, 0},
		{"a good span on a whim", func(s *system, letters []Record) []Record {
			letters[size] = reheader(letters[size], HeaderError, "whim")
			return letters
		}, map[Finding]int64{Refused: 1}, 0, 0},
		{"a span of another trace", func(s *system, letters []Record) []Record {
			letters[size].Key = []byte(s.Trace(size).String())
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a span of another project", func(s *system, letters []Record) []Record {
			letters[size] = reheader(letters[size], HeaderProject, "99")
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a span of another generation", func(s *system, letters []Record) []Record {
			letters[size] = reheader(letters[size], HeaderGeneration, "9-9")
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a span with one header more", func(s *system, letters []Record) []Record {
			letters[size].Headers = append(letters[size].Headers, Header{Key: "extra"})
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"a bad message with one header more", func(s *system, letters []Record) []Record {
			letters[4].Headers = append(letters[4].Headers, Header{Key: HeaderSpan})
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"another error", func(s *system, letters []Record) []Record {
			place := 0
			for s.BadField(uint64(place)) == "" {
				place++
			}
			letters[place] = reheader(letters[place], HeaderError, "whim")
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"another offset", func(s *system, letters []Record) []Record {
			s.ledger.Placed(2, true, 16)
			return letters
		}, map[Finding]int64{Altered: 1}, 0, 0},
		{"offsets", func(s *system, letters []Record) []Record {
			s.ledger.Placed(2, true, 17)
			s.ledger.Placed(size-1, false, 17)
			return letters
		}, nil, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSystem()
			s.ledger.InputTopic, s.ledger.RecordBytesMax = "in", 1000
			s.send(0)
			var letters []Record
			for place := range size {
				s.ledger.SentBad(uint64(place), 0)
				letters = append(letters, s.bad(0, place))
			}
			s.ledger.Output(s.record(0, 0, places(0, size-1)...))
			for _, r := range c.plant(s, append(letters, s.letter(0, size-1))) {
				s.ledger.DeadLetter(r)
			}
			b := s.ledger.Balance(0)
			expectFindings(t, b, c.want)
			if b.BadSent != size || b.BadLettered != size-c.badLost || b.BadLost != c.badLost ||
				b.Lost != c.lost || b.Dropped[DeadLettered] != 1-c.lost ||
				len(b.Losses) != int(c.lost+c.badLost) || b.Messages != 2*size {
				t.Errorf("balance is %+v", b)
			}
			if pending := s.ledger.Pending(); pending != c.lost+c.badLost {
				t.Errorf("%d are pending", pending)
			}
		})
	}
}

// bare leaves out the value of the last letter, and says that it had so many bytes.
func bare(s *system, letters []Record, bytes int) []Record {
	last := &letters[len(letters)-1]
	last.Value = nil
	last.Headers = append(last.Headers, Header{HeaderValueBytes, fmt.Append(nil, bytes)})
	return letters
}

// TestALetterIsReadBeforeItsOffsetIsKnown tells it afterwards.
func TestALetterIsReadBeforeItsOffsetIsKnown(t *testing.T) {
	s := newSystem()
	s.send(0)
	s.ledger.SentBad(3, 0)
	s.ledger.DeadLetter(s.bad(0, 3))
	s.ledger.Placed(3, true, 17)
	expectFindings(t, s.ledger.Balance(0), nil)
	s.ledger.SentBad(4, 0)
	s.ledger.DeadLetter(s.bad(0, 4))
	s.ledger.Placed(4, true, 18)
	b := s.ledger.Balance(0)
	expectFindings(t, b, map[Finding]int64{Altered: 1})
	at := s.Partition(0)
	want := fmt.Sprintf("the bad message after span 4 was read at %d@17, and stands at %d@18", at, at)
	if got := b.Findings[Altered].First; !strings.Contains(got, want) {
		t.Errorf("the finding is %q, want %q", got, want)
	}
}

// relabel gives one letter another header.
func relabel(key, value string) func(*system, []Record) []Record {
	return func(_ *system, letters []Record) []Record {
		letters[2] = reheader(letters[2], key, value)
		return letters
	}
}

func expectFindings(t *testing.T, b Balance, want map[Finding]int64) {
	t.Helper()
	for kind := range findings {
		if got := b.Of(kind); got.Count != want[kind] {
			t.Errorf("%v: %v, want %d", kind, got, want[kind])
		}
	}
}

// TestABadMessageInTheOutput lets a bad message pass for a span of its trace.
func TestABadMessageInTheOutput(t *testing.T) {
	s := newSystem()
	s.send(0)
	leaked := 0
	for place := range 20 {
		s.ledger.SentBad(uint64(place), 0)
		value := string(s.AppendBad(nil, 0, place))
		id, ok := stringField([]byte(value), "span_id")
		if _, err := buffer.ParseSpanID(id); !ok || err != nil || !strings.HasSuffix(value, "}") {
			continue // it could not even be written out
		}
		leaked++
		r := s.record(0, 0, place)
		r.Value = append(bytes.TrimSuffix(r.Value, []byte("]}")), ","+value+"]}"...)
		s.ledger.Output(r)
	}
	if leaked == 0 {
		t.Fatal("no bad message has a span id; take another seed")
	}
	b := s.ledger.Balance(0)
	expectFindings(t, b, map[Finding]int64{Leaked: int64(leaked)})
	if b.BadLost != 20 {
		t.Errorf("%d bad messages are lost: what came out elsewhere is", b.BadLost)
	}
}

// TestALetterOfASpanThatWasSentTwice may come twice, as any span does then, and no more often.
func TestALetterOfASpanThatWasSentTwice(t *testing.T) {
	s := newSystem()
	s.ledger.InputTopic, s.ledger.RecordBytesMax = "in", 1000
	s.send(0)
	s.send(0)
	for range 3 {
		s.ledger.DeadLetter(s.letter(0, 19))
	}
	expectFindings(t, s.ledger.Balance(0), map[Finding]int64{Resent: 1, RepeatedLetter: 1})
}
