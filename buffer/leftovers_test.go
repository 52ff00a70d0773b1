package buffer

import (
	"strings"
	"testing"
)

// TestLeftoversCountTraces, one as one.
func TestLeftoversCountTraces(t *testing.T) {
	for n, want := range map[int]string{1: "1 trace (the first is ", 2: "2 traces (the first is "} {
		if got := (Leftovers{Held: make([]TraceKey, n)}).String(); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	l := Leftovers{Shards: make([]ShardLeftovers, shardsShown+1)}
	if got, want := l.String(), "; 1 other shard: 0 queued, 0 leased"; !strings.HasSuffix(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestLeftoversSayHowMuch, shard by shard if there are few.
func TestLeftoversSayHowMuch(t *testing.T) {
	var l Leftovers
	for _, c := range []struct {
		shards int
		want   string
	}{
		{0, "nothing"},
		{2, "0 traces; shard 0: 1 queued, 2 leased; shard 1: 1 queued, 2 leased"},
		{11, "0 traces; shard 0: 1 queued, 2 leased; shard 1: 1 queued, 2 leased; " +
			"shard 2: 1 queued, 2 leased; shard 3: 1 queued, 2 leased; shard 4: 1 queued, 2 leased; " +
			"shard 5: 1 queued, 2 leased; shard 6: 1 queued, 2 leased; shard 7: 1 queued, 2 leased; " +
			"3 other shards: 3 queued, 6 leased"},
	} {
		for len(l.Shards) < c.shards {
			l.Shards = append(l.Shards, ShardLeftovers{
				Shard: Shard(len(l.Shards)), Queued: make([]Due, 1), Leased: make([]Due, 2),
			})
		}
		if got := l.String(); got != c.want {
			t.Errorf("of %d shards: %q, want %q", c.shards, got, c.want)
		}
	}
}
