package flusher

import (
	"cmp"
	"context"
	"slices"

	"sluice/buffer"
)

// Closed returns the shards whose input is to pause, each with the reason in words, as of the last
// time the supervisor looked. Nobody may change the map.
func (s *Supervisor) Closed() map[buffer.Shard]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed // it is replaced, never changed
}

// Full tells whether a Redis node uses more than MaxMemory of its memory.
func (s *Supervisor) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gateRule().full(s.nodes) != ""
}

func (s *Supervisor) gateRule() GateRule {
	return GateRule{After: s.cfg.BackpressureAfter, MaxMemory: s.cfg.MaxMemory}
}

// judgeGate decides which shards are closed from now on, and reports what changed.
func (s *Supervisor) judgeGate() {
	now := s.ports.Clock.Now()
	s.mu.Lock()
	loads := make([]Load, len(s.keepers))
	workers := make(map[buffer.Shard]int)
	for i, k := range s.keepers {
		loads[i] = Load{
			Worker: k.worker, Shards: k.job.shards, DownSince: k.downSince, Failed: k.failed,
			BackpressureSince: k.status.BackpressureSince,
		}
		for _, shard := range k.job.shards {
			workers[shard] = k.worker
		}
	}
	before, after := s.closed, s.gateRule().Close(loads, s.nodes, now)
	s.closed = after
	s.mu.Unlock()
	var events []Event // one for all shards of a worker that pause for one reason, or go on
	note := func(kind EventKind, shard buffer.Shard) {
		worker, assigned := workers[shard]
		if !assigned {
			worker = NoWorker
		}
		e := Event{Kind: kind, Worker: worker, Cause: after[shard]}
		at := slices.IndexFunc(events, func(o Event) bool {
			return o.Kind == e.Kind && o.Worker == e.Worker && o.Cause == e.Cause
		})
		if at < 0 {
			at, events = len(events), append(events, e)
		}
		events[at].Shards = append(events[at].Shards, shard)
	}
	for _, shard := range SortedShards(after) {
		if before[shard] != after[shard] {
			note(EventGateClosed, shard)
		}
	}
	for _, shard := range SortedShards(before) {
		if _, still := after[shard]; !still {
			note(EventGateOpened, shard)
		}
	}
	for _, e := range events {
		s.tell(e)
	}
}

// watchMemory asks the Redis nodes how full they are. What cannot be asked stays as it was, and is
// reported once.
func (s *Supervisor) watchMemory(ctx context.Context) {
	of := Operation{Name: "memory", Partition: NoPartition}
	for ctx.Err() == nil {
		nodes, err := s.ports.Memory.Memory(ctx)
		s.mu.Lock()
		if err != nil {
			nodes = update(s.nodes, nodes)
		}
		s.nodes = nodes
		s.mu.Unlock()
		if err == nil {
			s.troubles.Works(of)
		} else if ctx.Err() == nil {
			known := s.troubles.Of(of) != nil
			s.troubles.Fails(of, of.Name, err)
			if !known {
				s.tell(Event{Kind: EventMemoryFailed, Worker: NoWorker, Cause: err.Error()})
			}
		}
		_ = s.ports.Clock.Sleep(ctx, s.cfg.MemoryEvery) // its error ends the loop
	}
}

// update returns what is known of the nodes: what those that answered say now, and what the others said
// before.
func update(before, answers []buffer.NodeMemory) []buffer.NodeMemory {
	known := slices.Clone(answers)
	for _, node := range before {
		if !slices.ContainsFunc(answers, func(a buffer.NodeMemory) bool { return a.Node == node.Node }) {
			known = append(known, node)
		}
	}
	slices.SortFunc(known, func(a, b buffer.NodeMemory) int { return cmp.Compare(a.Node, b.Node) })
	return known
}
