package redisstore_test

import (
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
)

// The depth of a shard follows a segment through the steps; what a fence makes due keeps its deadline.
func TestDepths(t *testing.T) {
	for name, address := range map[string]string{
		"redis": servertest.RedisAddr(t), "cluster": servertest.NewRedisCluster(t)[0].Addr,
	} {
		t.Run(name, func(t *testing.T) {
			c := &cycle{t: t, store: open(t, config(address))}
			expect := func(now buffer.Instant, want redisstore.Depth) {
				t.Helper()
				depths, err := c.store.Depths(t.Context(), map[buffer.Shard]buffer.Instant{0: now, 1: now})
				if err != nil || depths[0] != want || depths[1] != (redisstore.Depth{}) {
					t.Errorf("depths are %+v, %v; want %+v of shard 0", depths, err, want)
				}
			}
			due := buffer.Seconds(2)
			expect(due, redisstore.Depth{})
			must(t, c.attach(1))
			must(t, c.enqueue())
			expect(due.Add(-1_000_000), redisstore.Depth{Queued: 1, Oldest: due})
			expect(due, redisstore.Depth{Queued: 1, Due: 1, Oldest: due})
			must(t, c.fence())
			must(t, c.lease())
			expect(due, redisstore.Depth{Leased: 1})
			must(t, c.fence())
			expect(0, redisstore.Depth{Queued: 1, Due: 1, Oldest: due})
			must(t, c.lease())
			for _, step := range c.steps()[4:] {
				must(t, step())
			}
			expect(due, redisstore.Depth{})
		})
	}
}
