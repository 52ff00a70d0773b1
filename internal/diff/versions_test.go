package diff

import (
	"slices"
	"strings"
	"testing"

	"sluice/reports"
)

// TestMemoryOfAnOlderVersion: what it did not record is no difference, and its sum over the nodes of a
// virtual cluster is not compared with what the fullest has.
func TestMemoryOfAnOlderVersion(t *testing.T) {
	one := []reports.Sample{{T: 1, RedisBytes: 50, RedisBytesAll: 50}, {T: 2, RedisBytes: 80, RedisBytesAll: 80}}
	three := []reports.Sample{{T: 1, RedisBytes: 20, RedisBytesAll: 50}, {T: 2, RedisBytes: 30, RedisBytesAll: 80}}
	old := []reports.Sample{{T: 1, RedisBytes: 50}, {T: 2, RedisBytes: 80, Sent: 1}}
	set := func(samples []reports.Sample, virtual bool) Set {
		s := setOf(Drain, 1)
		s.Virtual = virtual
		s.Runs[0].Samples, s.Runs[0].Figures[RedisMemory] = samples, float64(samples[1].RedisBytes)
		return s
	}
	for name, c := range map[string]struct {
		now     []reports.Sample
		virtual bool
		known   bool
	}{"one node": {one, true, true}, "a cluster": {three, true, false}, "a real cluster": {three, false, true}} {
		before, now := set(old, c.virtual), set(c.now, c.virtual)
		for _, sets := range [][2]Set{{before, now}, {now, before}} {
			got := compare(t, sets[0], sets[1], usual())
			known := slices.ContainsFunc(got.Rows, func(r Row) bool { return r.Name == RedisMemory })
			said := strings.Contains(strings.Join(got.Notes, "; "), "redis_memory is known on one side only")
			if known != c.known || said == c.known {
				t.Errorf("%s: known: %v, notes: %q", name, known, got.Notes)
			}
		}
		if !c.virtual {
			continue // nobody looks where two real runs part
		}
		if d := FirstOf(nil, nil, old, c.now); d.Sample == nil || *d.Sample != 2 || !slices.Equal(d.Figures, []string{"sent"}) {
			t.Errorf("%s: %s", name, d.Brief())
		}
	}
	if before := set(old, true); before.Runs[0].Samples[0].RedisBytes != 50 {
		t.Error("what was read is changed")
	}
}
