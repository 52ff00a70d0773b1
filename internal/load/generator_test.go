package load

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"sluice/scenarios"
)

func busy() scenarios.Scenario {
	s := scenarios.Default()
	s.Duration = 2 * time.Second
	s.Workload.Rate = scenarios.Rate{Shape: scenarios.ShapeRamp, From: 1000, To: 12_000}
	s.Workload.SpansPerTrace = scenarios.Spread{Kind: scenarios.SpreadUniform, Low: 1, High: 40}
	s.Workload.Disorder = 0.3
	s.Workload.Duplicates = 0.05
	s.Workload.Late = scenarios.Late{Share: 0.05, By: 100 * time.Millisecond}
	s.Workload.Headless, s.Workload.Bad = 0.1, 0.05
	return s
}

func digest(s scenarios.Scenario) string {
	g, hash := NewGenerator(s), sha256.New()
	for m := (Message{}); g.Next(&m); {
		fmt.Fprintf(hash, "%d %d %v %v %v %d %s %s\n",
			m.Seq, m.Root, m.Repeat, m.Bad, m.At, m.Partition, m.Key, m.Value)
	}
	return fmt.Sprintf("%x", hash.Sum(nil))
}

func TestSameSeedSameLoad(t *testing.T) {
	s := busy()
	one, two := digest(s), digest(s)
	s.Seed++
	if other := digest(s); one != two || one == other {
		t.Errorf("digests are %s, %s, and %s with another seed", one, two, other)
	}
}

// TestEverySpanIsSentOnce checks the whole load: each span of each trace once, apart from repeats
// and roots of headless traces, in due time, to its trace's partition; and each bad message once,
// after its span.
func TestEverySpanIsSentOnce(t *testing.T) {
	s := busy()
	g := NewGenerator(s)
	sent := map[uint64]int{}
	size := map[uint64]int{}
	var repeats, messages, swaps, bad, headless int
	var last time.Duration
	var before uint64
	for m := (Message{}); g.Next(&m); before = m.Seq {
		if m.At < last {
			t.Fatalf("message %d is due at %v, after one at %v", messages, m.At, last)
		}
		last = m.At
		checkMessage(t, g, &m)
		if m.Bad {
			if bad++; before != m.Seq || !g.BadAfter(m.Seq) || sent[m.Seq] != 1 {
				t.Fatalf("a bad message follows span %d, which was sent %d times, after span %d",
					m.Seq, sent[m.Seq], before)
			}
			continue
		}
		messages++
		sent[m.Seq]++
		if m.Repeat {
			repeats++
		} else {
			if m.Seq > m.Root && sent[m.Root] == 0 && !g.Headless(m.Root) {
				swaps++
			}
			size[m.Root]++
		}
		if (sent[m.Seq] > 1) != m.Repeat {
			t.Fatalf("span %d was sent %d times, repeat is %v", m.Seq, sent[m.Seq], m.Repeat)
		}
	}
	wantBad := 0
	for root, n := range size {
		want := g.Size(root)
		if g.Headless(root) {
			headless++
			want--
		}
		if n != want || (sent[root] == 0) != g.Headless(root) {
			t.Errorf("%d spans of the trace of %d were sent, want %d; its root %d times",
				n, root, want, sent[root])
		}
		for seq := root; seq < root+uint64(g.Size(root)); seq++ {
			if sent[seq] > 0 && g.BadAfter(seq) {
				wantBad++
			}
		}
	}
	if bad != wantBad || bad < messages/25 || bad > messages/17 {
		t.Errorf("%d bad messages beside %d others, want %d", bad, messages, wantBad)
	}
	if share := float64(headless) / float64(len(size)); share < 0.05 || share > 0.15 {
		t.Errorf("%d of %d traces are headless", headless, len(size))
	}
	share := float64(repeats) / float64(messages)
	if share < 0.03 || share > 0.07 || swaps == 0 {
		t.Errorf("%d repeats and %d spans before their root in %d messages", repeats, swaps, messages)
	}
	total := int(s.Pacer().Total())
	if messages < total || messages > total+s.Workload.TracesAtOnce*45 {
		t.Errorf("%d messages, the pacer says %d", messages, total)
	}
}

func checkMessage(t *testing.T, g *Generator, m *Message) {
	t.Helper()
	key, value := g.Trace(m.Root), g.Append
	if m.Bad {
		key, value = g.BadKey(m.Seq), g.AppendBad
	}
	if want := value(nil, m.Root, int(m.Seq-m.Root)); !bytes.Equal(want, m.Value) {
		t.Fatalf("value is %s, want %s", m.Value, want)
	}
	if m.Partition != g.Partition(m.Root) || string(m.Key) != key.String() {
		t.Fatalf("key or partition of %+v", m)
	}
}

func TestMessagesAreDueAsThePacerSays(t *testing.T) {
	for _, shape := range []string{
		"constant 2000/s", "ramp 5000/s to 0/s", "step 1000/s, 5000/s at 2s, 0/s at 4s, 300/s at 5s",
		"sine 5000/s +- 5000/s every 3s", "burst 100/s to 20000/s for 500ms every 2s",
	} {
		s := scenarios.Default()
		s.Duration = 7 * time.Second
		if err := s.Workload.Rate.UnmarshalText([]byte(shape)); err != nil {
			t.Fatal(err)
		}
		g := NewGenerator(s)
		n := int64(0)
		for m := (Message{}); g.Next(&m) && n < g.total; {
			if n++; n%29 != 0 {
				continue
			}
			if off := m.At - g.pacer.At(n); off < -straightMax || off > straightMax {
				t.Errorf("%s: message %d is due at %v, want %v", shape, n, m.At, g.pacer.At(n))
				break
			}
		}
	}
}

func TestLateSpansAreHeldBack(t *testing.T) {
	s := busy()
	s.Workload.Disorder, s.Workload.Duplicates, s.Workload.Bad = 0, 0, 0
	s.Workload.Rate = scenarios.Rate{Shape: scenarios.ShapeConstant, From: 5000}
	g := NewGenerator(s)
	done := map[uint64]uint64{} // trace -> greatest number sent
	late, marked, messages := 0, 0, 0
	for m := (Message{}); g.Next(&m); messages++ {
		if m.Seq < done[m.Root] {
			late++
			if !m.Late {
				t.Fatalf("span %d comes behind %d and is not marked late", m.Seq, done[m.Root])
			}
		}
		if m.Late {
			marked++
		}
		done[m.Root] = max(done[m.Root], m.Seq)
	}
	if share := float64(late) / float64(messages); share < 0.02 || share > 0.06 {
		t.Errorf("%d of %d spans came late", late, messages)
	}
	if share := float64(marked) / float64(messages); share < 0.02 || share > 0.06 {
		t.Errorf("%d of %d spans are marked late", marked, messages)
	}
}

// TestLateSpansAreSpansOfTheLoad: however many are held back, the load has as many spans as its rate says;
// each comes when it would have, and so much later. What waits is never more than comes in that time.
func TestLateSpansAreSpansOfTheLoad(t *testing.T) {
	for _, share := range []float64{0, 0.05, 0.5, 0.99, 1} {
		s := busy()
		s.Workload.Disorder, s.Workload.Duplicates, s.Workload.Bad, s.Workload.Headless = 0, 0, 0, 0
		s.Workload.Rate = scenarios.Rate{Shape: scenarios.ShapeConstant, From: 5000}
		s.Workload.Late = scenarios.Late{Share: share, By: 500 * time.Millisecond}
		g := NewGenerator(s)
		messages, early, waiting := int64(0), 0, 0
		var last time.Duration
		for m := (Message{}); g.Next(&m); messages++ {
			if m.At < last {
				t.Fatalf("share %v: message %d is due at %v, after one at %v", share, messages, m.At, last)
			}
			last = m.At
			if m.At < s.Workload.Late.By {
				early++
			}
			waiting = max(waiting, len(g.late.items)-g.late.head)
		}
		const inTime, noise = 2500, 150 // spans in the time by which some are late
		if want := (1 - share) * inTime; float64(early) < want-noise || float64(early) > want+noise {
			t.Errorf("share %v: %d spans came before those held back, want %v", share, early, want)
		}
		if want := share * inTime; float64(waiting) > want+noise {
			t.Errorf("share %v: %d spans waited, want %v", share, waiting, want)
		}
		if most := g.total + int64(s.Workload.TracesAtOnce*45); messages < g.total || messages > most {
			t.Fatalf("share %v: %d messages, the pacer says %d", share, messages, g.total)
		}
		rest := time.Duration(messages-g.total) * time.Second / 5000
		if most := s.Duration + s.Workload.Late.By + rest; last > most {
			t.Errorf("share %v: the last comes at %v, want %v at the latest", share, last, most)
		}
	}
}
