package memstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/buffer"
)

// beats are how many there were of a witness, the number of the last one among those of all witnesses, and of
// that at which it last counted the witnesses.
type beats struct{ count, last, counted uint64 }

// Beat implements buffer.Auditor. Without a clock, who has lately beaten is who did since this one counted, or
// before its first count, in the last few beats of all: 10 s of one consumer.
func (s *Store) Beat(_ context.Context, witness uint64) ([]buffer.Pulse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beat++
	own := s.beats[witness]
	own.count, own.last = own.count+1, s.beat
	s.beats[witness] = own
	pulse := buffer.Pulse{Node: "memory", Beats: own.count}
	if own.count%buffer.WitnessesEvery == 1 {
		since := own.counted
		if since == 0 {
			since = s.beat - min(s.beat, 2*buffer.WitnessesEvery)
		}
		for _, other := range s.beats { //order-free: counts
			if other.last >= since {
				pulse.Witnesses++
			}
		}
		own.counted = s.beat
		s.beats[witness] = own
	}
	return []buffer.Pulse{pulse}, nil
}

// Sweep implements buffer.Auditor. The cursor is the number of the last trace.
func (s *Store) Sweep(_ context.Context, from string, limit int) (buffer.Swept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := uint64(0)
	if from != "" {
		var err error
		if last, err = strconv.ParseUint(from, 10, 64); err != nil {
			return buffer.Swept{}, fmt.Errorf("sweep from %q: %w", from, err)
		}
	}
	begin, _ := slices.BinarySearchFunc(s.order, last+1, func(p place, number uint64) int {
		return cmp.Compare(p.number, number)
	})
	var swept buffer.Swept
	for _, p := range s.order[begin:] {
		if p.trace.number != p.number {
			continue
		}
		if swept.Traces == limit {
			swept.Next = strconv.FormatUint(last, 10)
			break
		}
		swept.Held = p.trace.generations(swept.Held)
		swept.Traces++
		last = p.number
	}
	return swept, nil
}

// place is where a trace, or one that was there before, stands in the order in which they came.
type place struct {
	number uint64
	trace  *trace
}

// enter adds a trace, and from time to time takes those out of the order that are gone.
func (s *Store) enter(t *trace) {
	s.came++
	t.number = s.came
	s.traces[t.key] = t
	if len(s.order) == cap(s.order) {
		s.order = slices.DeleteFunc(s.order, func(p place) bool { return p.trace.number != p.number })
		s.order = slices.Grow(s.order, len(s.order)+1)
	}
	s.order = append(s.order, place{t.number, t})
}

// generations adds what the trace holds, in order.
func (t *trace) generations(held []buffer.Held) []buffer.Held {
	from := len(held)
	for _, s := range t.segments.values {
		if s.live != nil {
			held = append(held, buffer.Held{Generation: s.live.name, Spans: s.live.count})
		}
		for _, g := range s.inFlight {
			held = append(held, buffer.Held{Generation: g.name, Owner: *g.owner, Spans: g.count})
		}
	}
	slices.SortFunc(held[from:], func(a, b buffer.Held) int { return a.Generation.Compare(b.Generation) })
	return held
}

// Adopt implements buffer.Auditor.
func (s *Store) Adopt(
	_ context.Context, n buffer.Shard, wall buffer.Instant, after time.Duration,
	generations []buffer.Generation,
) ([]buffer.Generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sh := s.shard(n)
	now := wall
	if sh.clock.Inputs > 0 {
		now = sh.clock.Now
	}
	var adopted []buffer.Generation
	for _, name := range generations {
		_, queued := sh.queue[name]
		if _, leased := sh.leased[name]; !queued && !leased {
			sh.put(name, entry{deadline: now.Add(after)})
			adopted = append(adopted, name)
		}
	}
	return adopted, nil
}
