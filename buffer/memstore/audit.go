package memstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/buffer"
)

// Beat implements buffer.Auditor.
func (s *Store) Beat(_ context.Context, witness uint64) ([]buffer.Pulse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beats[witness]++
	return []buffer.Pulse{{Node: "memory", Beats: s.beats[witness]}}, nil
}

// Sweep implements buffer.Auditor. The cursor is the last trace.
func (s *Store) Sweep(_ context.Context, from string, limit int) (buffer.Swept, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var last buffer.TraceKey
	if from != "" {
		var err error
		if last, err = parseCursor(from); err != nil {
			return buffer.Swept{}, fmt.Errorf("sweep from %q: %w", from, err)
		}
	}
	var rest []buffer.TraceKey
	for key := range s.traces { //order-free: sorted below
		if from == "" || key.Compare(last) > 0 {
			rest = append(rest, key)
		}
	}
	slices.SortFunc(rest, buffer.TraceKey.Compare)
	var swept buffer.Swept
	if len(rest) > limit {
		rest = rest[:limit]
		swept.Next = cursor(rest[limit-1])
	}
	swept.Traces = len(rest)
	for _, key := range rest {
		swept.Held = append(swept.Held, s.traces[key].generations()...)
	}
	return swept, nil
}

func cursor(key buffer.TraceKey) string { return fmt.Sprintf("%d:%v", key.Project, key.Trace) }

func parseCursor(text string) (key buffer.TraceKey, err error) {
	project, trace, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(project, 10, 64)
	if err != nil {
		return key, err
	}
	key.Project = buffer.ProjectID(n)
	key.Trace, err = buffer.ParseTraceID(trace)
	return key, err
}

// generations returns what the trace holds, in order.
func (t *trace) generations() []buffer.Held {
	var held []buffer.Held
	for _, s := range t.segments.values {
		if s.live != nil {
			held = append(held, buffer.Held{Generation: s.live.name, Spans: s.live.count})
		}
		for _, g := range s.inFlight {
			held = append(held, buffer.Held{Generation: g.name, Owner: *g.owner, Spans: g.count})
		}
	}
	slices.SortFunc(held, func(a, b buffer.Held) int { return a.Generation.Compare(b.Generation) })
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
