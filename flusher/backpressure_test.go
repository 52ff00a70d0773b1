package flusher_test

import (
	"fmt"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func memoryOf(node string, used, max int64) buffer.NodeMemory {
	return buffer.NodeMemory{Node: node, Used: used, Max: max}
}

func TestGate(t *testing.T) {
	now := time.Unix(10_000, 0)
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	well := flusher.Load{Worker: 0, Shards: []buffer.Shard{0, 2}}
	load := func(change func(*flusher.Load)) flusher.Load {
		l := flusher.Load{Worker: 1, Shards: []buffer.Shard{1, 3}}
		change(&l)
		return l
	}
	both := func(reason string) string { return fmt.Sprintf("map[1:%s 3:%s]", reason, reason) }
	tests := []struct {
		name  string
		load  flusher.Load
		nodes []buffer.NodeMemory
		max   float64
		want  string
	}{
		{"all well", load(func(*flusher.Load) {}), nil, 1, "map[]"},
		{"short backpressure",
			load(func(l *flusher.Load) { l.BackpressureSince = ago(10) }), nil, 1, "map[]"},
		{"long backpressure",
			load(func(l *flusher.Load) { l.BackpressureSince = ago(11) }), nil, 1,
			both("worker 1 is under backpressure for more than 10s")},
		{"failed",
			load(func(l *flusher.Load) { l.DownSince, l.Failed = now, true }), nil, 1,
			both("worker 1 is down")},
		{"just assigned",
			load(func(l *flusher.Load) { l.DownSince = ago(10) }), nil, 1, "map[]"},
		{"not up for long",
			load(func(l *flusher.Load) { l.DownSince = ago(11) }), nil, 1,
			both("worker 1 is not up after 10s")},
		{"one full node among empty ones", load(func(*flusher.Load) {}),
			[]buffer.NodeMemory{memoryOf("a", 1, 100), memoryOf("b", 90, 100), memoryOf("c", 1, 100)}, 0.8,
			"map[0:redis node b uses 90% of its memory, above max_memory 80%" +
				" 1:redis node b uses 90% of its memory, above max_memory 80%" +
				" 2:redis node b uses 90% of its memory, above max_memory 80%" +
				" 3:redis node b uses 90% of its memory, above max_memory 80%]"},
		{"exactly at the limit", load(func(*flusher.Load) {}),
			[]buffer.NodeMemory{memoryOf("a", 80, 100)}, 0.8, "map[]"},
		{"a node without limit", load(func(*flusher.Load) {}),
			[]buffer.NodeMemory{memoryOf("a", 1<<40, 0)}, 0.1, "map[]"},
		{"off", load(func(*flusher.Load) {}),
			[]buffer.NodeMemory{memoryOf("a", 200, 100)}, flusher.MemoryOff, "map[]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rule := flusher.GateRule{After: 10 * time.Second, MaxMemory: test.max}
			got := fmt.Sprint(rule.Close([]flusher.Load{well, test.load}, test.nodes, now))
			if got != test.want {
				t.Errorf("closed\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// TestFullest: a node with a limit goes before one without, then the share counts, then the bytes.
func TestFullest(t *testing.T) {
	for _, c := range []struct {
		nodes []buffer.NodeMemory
		want  string
		share float64
	}{
		{nil, "", 0},
		{[]buffer.NodeMemory{memoryOf("a", 5, 10), memoryOf("b", 8, 100)}, "a", 0.5},
		{[]buffer.NodeMemory{memoryOf("a", 8, 100), memoryOf("b", 5, 10)}, "b", 0.5},
		{[]buffer.NodeMemory{memoryOf("a", 9, 0), memoryOf("b", 8, 0)}, "a", 0},
		{[]buffer.NodeMemory{memoryOf("a", 8, 0), memoryOf("b", 9, 0)}, "b", 0},
		{[]buffer.NodeMemory{memoryOf("a", 9, 0), memoryOf("b", 1, 10)}, "b", 0.1},
		{[]buffer.NodeMemory{memoryOf("a", 1, 10), memoryOf("b", 9, 0)}, "a", 0.1},
		{[]buffer.NodeMemory{memoryOf("a", 0, 10), memoryOf("b", 9, 0)}, "a", 0},
	} {
		if got, share := flusher.Fullest(c.nodes); got.Node != c.want || share != c.share {
			t.Errorf("of %v it is %q with %v, want %q with %v", c.nodes, got.Node, share, c.want, c.share)
		}
	}
}
