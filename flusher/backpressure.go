package flusher

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"sluice/buffer"
)

// MemoryOff is the share of a node's memory above which no node can be: it switches the check off.
const MemoryOff = 1.0

// Fullest returns the node with the highest share of its memory in use, and that share. Without a
// node that has a limit it is the one that uses most, and the share is 0.
func Fullest(nodes []buffer.NodeMemory) (fullest buffer.NodeMemory, share float64) {
	for _, node := range nodes {
		if node.Max > 0 {
			used := float64(node.Used) / float64(node.Max)
			if fullest.Max == 0 || used > share {
				fullest, share = node, used
			}
		} else if fullest.Max == 0 && node.Used > fullest.Used {
			fullest = node
		}
	}
	return fullest, share
}

// Load is what the gate knows of one worker.
type Load struct {
	Worker int
	Shards []buffer.Shard
	// DownSince is since when no healthy worker has flushed the shards; zero if one does. Failed
	// is true if that is so because a worker failed, not because one was just assigned.
	DownSince time.Time
	Failed    bool
	// BackpressureSince is the worker's own report; zero if it keeps up.
	BackpressureSince time.Time
}

// GateRule says when input is to pause.
type GateRule struct {
	// After is how long a worker may be under backpressure, or be on its way up without having
	// failed, before the input of its shards pauses.
	After time.Duration
	// MaxMemory is the share of a node's memory above which the input of all shards pauses.
	// MemoryOff, or more, switches it off.
	MaxMemory float64
}

// Close returns the shards whose input is to pause at now, each with the reason in words. A worker
// that is down or lags closes its own shards and no others; a full node closes all, since any
// trace may live there. It looks at nothing but its arguments, so what closes a shard also opens
// it when it is over.
func (r GateRule) Close(
	loads []Load, nodes []buffer.NodeMemory, now time.Time,
) map[buffer.Shard]string {
	closed := make(map[buffer.Shard]string)
	full := r.full(nodes)
	for _, load := range loads {
		reason := cmp.Or(r.reason(load, now), full)
		if reason == "" {
			continue
		}
		for _, shard := range load.Shards {
			closed[shard] = reason
		}
	}
	return closed
}

// full returns why the nodes close all shards, or "".
func (r GateRule) full(nodes []buffer.NodeMemory) string {
	node, share := Fullest(nodes)
	if r.MaxMemory >= MemoryOff || share <= r.MaxMemory {
		return ""
	}
	return fmt.Sprintf("redis node %s uses %.0f%% of its memory, above max_memory %.0f%%",
		node.Node, 100*share, 100*r.MaxMemory)
}

// reason returns why a worker's own state closes its shards, or "". It names no duration, so that
// it stays the same as long as its cause does.
func (r GateRule) reason(load Load, now time.Time) string {
	switch {
	case !load.DownSince.IsZero() && load.Failed:
		return fmt.Sprintf("worker %d is down", load.Worker)
	case !load.DownSince.IsZero() && now.Sub(load.DownSince) > r.After:
		return fmt.Sprintf("worker %d is not up after %v", load.Worker, r.After)
	case !load.BackpressureSince.IsZero() && now.Sub(load.BackpressureSince) > r.After:
		return fmt.Sprintf("worker %d is under backpressure for more than %v", load.Worker, r.After)
	}
	return ""
}

// SortedShards returns the shards of a gate's answer in order.
func SortedShards(closed map[buffer.Shard]string) []buffer.Shard {
	return slices.Sorted(maps.Keys(closed))
}
