package flusher_test

import (
	"slices"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/flusher"
)

func TestShardMap(t *testing.T) {
	tests := []struct {
		name      string
		shards    []buffer.Shard
		processes int
		want      [][]buffer.Shard
		err       string
	}{
		{"round robin by position", []buffer.Shard{3, 5, 7, 9, 11}, 2,
			[][]buffer.Shard{{3, 7, 11}, {5, 9}}, ""},
		{"no more workers than shards", []buffer.Shard{1, 2}, 8,
			[][]buffer.Shard{{1}, {2}}, ""},
		{"one per shard", []buffer.Shard{4, 1, 9}, flusher.PerShard,
			[][]buffer.Shard{{4}, {1}, {9}}, ""},
		{"one process", []buffer.Shard{2, 1}, 1, [][]buffer.Shard{{2, 1}}, ""},
		{"no process", []buffer.Shard{1, 2}, 0, nil, "0 flusher processes, want 1 or more"},
		{"less than none", []buffer.Shard{1, 2}, -2, nil, "-2 flusher processes"},
		{"no shards", nil, 2, nil, "no shards"},
		{"twice", []buffer.Shard{1, 2, 1}, 2, nil, "shard 1 stands at positions 0 and 2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := flusher.ShardMap(test.shards, test.processes)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want one with %q", err, test.err)
				}
				return
			}
			if err != nil || !slices.EqualFunc(got, test.want, slices.Equal) {
				t.Errorf("%v, %v; want %v", got, err, test.want)
			}
		})
	}
}
