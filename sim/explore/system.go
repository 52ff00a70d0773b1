package explore

import (
	"cmp"
	"fmt"
	"slices"

	"sluice/buffer"
	"sluice/internal/check"
	"sluice/internal/defects"
)

// project is the one to which all spans belong.
const project buffer.ProjectID = 1

// Size bounds a small system.
type Size struct {
	// Workers is also the number of shards and of partitions: each has one of each. For the preset
	// supervisor there may be more Shards; 0 means as many.
	Workers int `json:"workers"`
	Shards  int `json:"shards"`
	// Traces are dealt to partitions in turn; Spans to traces. A trace is a chain, each span the parent
	// of the next.
	Traces int `json:"traces"`
	Spans  int `json:"spans"`
	// Faults is how many there are at most.
	Faults int `json:"faults"`
	// Lease is how many segments a worker takes at a time.
	Lease int `json:"lease"`
	// Scattered deals the spans of each trace to partitions in turn, instead of whole traces.
	Scattered bool `json:"scattered"`
}

// DefaultSize is the system of which docs/simulation.md gives figures.
func DefaultSize() Size { return Size{Workers: 2, Traces: 2, Spans: 4, Faults: 2, Lease: 1} }

func (s Size) shards() int { return max(s.Workers, s.Shards) }

// Validate returns every fault of the size, joined, or nil.
func (s Size) Validate() error {
	var f check.Faults
	f.When(s.Workers < 1 || s.Workers > 4, "%d workers: want 1 to 4", s.Workers)
	f.When(s.Shards != 0 && (s.Shards < s.Workers || s.Shards > 8), "%d shards: want at least one for "+
		"each of %d workers, and at most 8", s.Shards, s.Workers)
	f.When(s.Traces < 1 || s.Traces > 8, "%d traces: want 1 to 8", s.Traces)
	f.When(s.Spans < s.Traces || s.Spans > 12, "%d spans: want at least one for each of %d traces, and "+
		"at most 12", s.Spans, s.Traces)
	f.When(s.Faults < 0 || s.Faults > 4, "%d faults: want 0 to 4", s.Faults)
	f.When(s.Lease < 1 || s.Lease > 4, "%d segments at a time: want 1 to 4", s.Lease)
	return f.Err()
}

// smaller returns the sizes of smaller systems, the smallest first. A supervisor's has no data, which
// stays as it is.
func (c Config) smaller() []Size {
	s, all := c.Size, []Size{}
	for faults := range s.Faults + 1 {
		if c.preset().Supervises {
			for workers := 1; workers <= s.Workers; workers++ {
				all = append(all, s.with(workers, s.Traces, s.Spans, faults))
			}
			continue
		}
		for spans := 1; spans <= s.Spans; spans++ {
			for traces := 1; traces <= min(s.Traces, spans); traces++ {
				for workers := 1; workers <= min(s.Workers, max(traces, spans)); workers++ {
					all = append(all, s.with(workers, traces, spans, faults))
				}
			}
		}
	}
	all = slices.DeleteFunc(all, func(smaller Size) bool { return smaller == s })
	slices.SortStableFunc(all, func(a, b Size) int {
		return cmp.Compare(a.Workers+a.Traces+a.Spans+a.Faults, b.Workers+b.Traces+b.Spans+b.Faults)
	})
	return all
}

func (s Size) with(workers, traces, spans, faults int) Size {
	s.Workers, s.Traces, s.Spans, s.Faults = workers, traces, spans, faults
	return s
}

// system is a small system: what is read, and what is wrong with it.
type system struct {
	size   Size
	defect defects.Defect
	// restarts is what a supervisor is told that each worker may have: budget, but in a test.
	restarts int
	spans    map[buffer.SpanID]buffer.Span
	logs     [][]buffer.SpanID // by partition, in the order of their offsets
}

func newSystem(size Size, defect defects.Defect) *system {
	s := &system{
		size: size, defect: defect, restarts: budget, spans: make(map[buffer.SpanID]buffer.Span),
		logs: make([][]buffer.SpanID, size.Workers),
	}
	depth := (size.Spans + size.Traces - 1) / size.Traces
	for d := depth - 1; d >= 0; d-- {
		for t := range size.Traces {
			if d*size.Traces+t >= size.Spans {
				continue
			}
			column, row := byte(t%size.Workers), byte(t/size.Workers)
			span := buffer.Span{ID: buffer.SpanID{column, row, byte(d)}, Root: d == 0, Size: 1}
			span.Project, span.Trace = project, buffer.TraceID{column, row}
			span.Parent = buffer.SpanID{column, row, byte(max(0, d-1))}
			s.spans[span.ID] = span
			partition := t % size.Workers
			if size.Scattered {
				partition = (t + d) % size.Workers
			}
			s.logs[partition] = append(s.logs[partition], span.ID)
		}
	}
	return s
}

// Decode implements buffer.Decoder: a message is the id of a span.
func (s *system) Decode(value []byte) (buffer.Decoded, error) {
	span, ok := s.spans[buffer.SpanID(value)]
	if !ok {
		return buffer.Decoded{}, fmt.Errorf("no span %x", value)
	}
	return buffer.Decoded{Span: span}, nil
}

// fits tells whether a renaming makes the same system of this one.
func (s *system) fits(r renaming) bool {
	for p, log := range s.logs {
		renamed := make([]buffer.SpanID, len(log))
		for i, id := range log {
			id[0] = byte(r[id[0]])
			renamed[i] = id
		}
		if !slices.Equal(renamed, s.logs[r[p]]) {
			return false
		}
	}
	return true
}

// components numbers the parts of the system that share nothing, by partition.
func (s *system) components() []int {
	part := make([]int, len(s.logs))
	for i := range part {
		part[i] = i
	}
	home := make(map[buffer.TraceID]int)
	for p, log := range s.logs {
		for _, id := range log {
			trace := s.spans[id].Trace
			first, known := home[trace]
			if !known {
				home[trace] = p
				continue
			}
			for i, from := 0, part[p]; i < len(part); i++ {
				if part[i] == from {
					part[i] = part[first]
				}
			}
		}
	}
	numbers := make(map[int]int)
	for i, p := range part {
		if _, known := numbers[p]; !known {
			numbers[p] = len(numbers)
		}
		part[i] = numbers[p]
	}
	return part
}
