package ingest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/proptest"
)

// However wrong the timestamps of one message in ten are, the clock of each batch is that of its
// good messages, and no batch moves the clock ahead of what is still to be read: of an input that is
// read as it comes or from far behind, dense or sparse, with gaps, in polls of any size.
func TestPropertySkewedMessagesMoveNobodysClock(t *testing.T) {
	property := prop.ForAll(
		func(seed int64) string { return newStream(seed).read() },
		gen.Int64().WithLabel("seed"),
	)
	proptest.Check(t, "skewed clocks", property, proptest.Cases(500))
}

// stream is an input with what its clocks should have been.
type stream struct {
	random *rand.Rand
	good   []buffer.Instant
	skewed []bool
	log    []flusher.Message
	text   string

	live bool
	poll int
}

const (
	streamGrain = 1250 * time.Millisecond
	// misplaced is by how many messages one may be out of place without being seen.
	misplaced = 3
	// nearby is among how many messages at most two are skewed, and one of the first: of more nobody can
	// tell.
	nearby = 8
)

func newStream(seed int64) *stream {
	s := &stream{random: rand.New(rand.NewPCG(uint64(seed), 7))}
	pick := func(of ...time.Duration) time.Duration { return of[s.random.IntN(len(of))] }
	step := pick(time.Millisecond, 20*time.Millisecond, 300*time.Millisecond, 3*time.Second, time.Hour)
	share := s.random.Float64() / 10
	gaps := s.random.IntN(3)
	s.live, s.poll = s.random.IntN(2) == 0, 1+s.random.IntN([]int{2, 30, 1000}[s.random.IntN(3)])
	s.text = fmt.Sprintf("live %v, a message each %v, %.3f skewed, %d gaps, polls up to %d",
		s.live, step, share, gaps, s.poll)
	at := time.Unix(1_700_000_000, 0)
	count := 20 + s.random.IntN(2000)
	for i := range count {
		at = at.Add(time.Duration(s.random.Float64() * 2 * float64(step)))
		if s.random.IntN(count) < gaps {
			at = at.Add(time.Duration(s.random.Float64() * float64(10*time.Hour)))
		}
		m := flusher.Message{Time: at, Position: buffer.Position{Offset: int64(i)}}
		most := 2
		if i < nearby {
			most = 1
		}
		wrong := s.random.Float64() < share && s.wrongOf(nearby) < most
		if wrong {
			m.Time = s.skew(at)
		}
		s.good = append(s.good, buffer.InstantOf(at))
		s.skewed = append(s.skewed, wrong)
		s.log = append(s.log, m)
	}
	return s
}

// wrongOf counts the skewed ones among the next message and those before it, n in all.
func (s *stream) wrongOf(n int) (wrong int) {
	for _, skewed := range s.skewed[max(0, len(s.skewed)-n+1):] {
		if skewed {
			wrong++
		}
	}
	return wrong
}

func (s *stream) skew(at time.Time) time.Time {
	spread := []time.Duration{2 * time.Second, time.Minute, time.Hour, 30 * 24 * time.Hour}
	by := time.Duration(s.random.Float64() * float64(spread[s.random.IntN(len(spread))]))
	switch s.random.IntN(6) {
	case 0:
		return time.UnixMilli(0)
	case 1:
		return time.UnixMilli(-1)
	case 2, 3:
		return at.Add(by)
	}
	return at.Add(-by)
}

// read has the stream read, and returns what is wrong with a clock.
func (s *stream) read() string {
	c := &course{grain: streamGrain}
	end := s.good[len(s.good)-1]
	now := end.Add(time.Duration(1+s.random.IntN(1000)) * time.Minute)
	var pending []flusher.Message
	for next := 0; next < len(s.log); {
		n := min(1+s.random.IntN(s.poll), len(s.log)-next)
		if s.live {
			n = 1
			for next+n < len(s.log) && s.good[next+n].Sub(s.good[next]) < 100*time.Millisecond {
				n++
			}
			now = s.good[next+n-1].Add(10 * time.Millisecond)
		}
		now = now.Add(2 * time.Millisecond)
		pending = append(pending, s.log[next:next+n]...)
		next += n
		waited := next == len(s.log) || s.live && s.good[next].Sub(s.good[next-1]) > settleWait
		for wall := now; len(pending) > 0; {
			n, agreed := reach{c, pending, now, wall, waited}.cut(4000)
			if n == 0 {
				break
			}
			clock := c.advance(pending[:n], agreed, wall, true)
			if fault := s.check(pending[:n], clock); fault != "" {
				return fmt.Sprintf("%s: %s", s.text, fault)
			}
			pending = pending[n:]
		}
	}
	return ""
}

func (s *stream) check(batch []flusher.Message, clock buffer.Instant) string {
	first, last := int(batch[0].Position.Offset), int(batch[len(batch)-1].Position.Offset)
	for i := first; i <= last; i++ {
		if s.skewed[i] {
			continue
		}
		// Who is out of place by a few messages cannot be seen.
		if early := s.good[i].Sub(clock); early > 2*streamGrain+time.Second &&
			s.good[max(0, i-misplaced)] > clock.Add(2*streamGrain+time.Second) {
			return fmt.Sprintf("message %d, with a good clock, has one that is %v too early "+
				"(batch %d to %d)", i, early, first, last)
		}
	}
	// The few before a gap at the start of a tenure wait for what is behind it.
	for i := max(first, min(few, last)); i < len(s.good); i++ {
		if s.skewed[i] {
			continue
		}
		if ahead := clock.Sub(s.good[i]); clock > s.good[min(i+misplaced, len(s.good)-1)].Add(2*streamGrain) {
			return fmt.Sprintf("batch %d to %d has a clock that is %v ahead", first, last, ahead)
		}
		break
	}
	return ""
}
