package real

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/buffer/redisstore"
	"sluice/internal/kafkaio"
	"sluice/internal/process"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// given are servers that somebody else started. What Redis computes its nodes say themselves.
type given struct {
	kafka []*wall.Usage // the processes of all brokers; none if not all can be looked at
}

// lookFor finds the processes of brokers. Those of a Kafka that is not all on this machine count as unknown.
func lookFor(brokers []string) (g given) {
	pids, _ := process.Listeners(brokers) // why not does not matter: nobody can tell then
	for _, pid := range pids {
		u := &wall.Usage{}
		u.Began(pid)
		g.kafka = append(g.kafka, u)
	}
	return g
}

// Break implements wall.Backend.
func (given) Break(_ *wall.System, f scenarios.Fault) (func() error, error) {
	return nil, fmt.Errorf("%s is not for servers of others", f.Verb)
}

// Seconds implements wall.Backend.
func (g given) Seconds() (redis, kafka float64) {
	for _, u := range g.kafka {
		kafka += u.Seconds()
	}
	return 0, kafka
}

// Close implements wall.Backend: they stay.
func (given) Close() error { return nil }

// nodes are all that given servers consist of, by the addresses that they go by themselves, as clients will
// dial these: of a Redis Cluster all, and its primaries among them.
type nodes struct{ redis, primaries, brokers []string }

// findNodes asks the servers, of which any addresses are given.
func (w World) findNodes(ctx context.Context) (found nodes, err error) {
	ctx, cancel := context.WithTimeout(ctx, wall.DialMax)
	defer cancel()
	redis, err := w.Access.DialRedis(w.Redis)
	if err != nil {
		return found, fmt.Errorf("ask redis %s for its nodes: %w", strings.Join(w.Redis, ","), err)
	}
	defer redis.Close()
	found.redis = slices.Sorted(maps.Keys(redis.Nodes()))
	if found.primaries, err = redisstore.Primaries(ctx, redis); err != nil {
		return found, fmt.Errorf("redis %s: %w", strings.Join(w.Redis, ","), err)
	}
	client, err := w.Access.DialKafka(w.Kafka)
	if err != nil {
		return found, err
	}
	defer client.Close()
	found.brokers, err = kafkaio.BrokerAddresses(ctx, kadm.NewClient(client))
	return found, err
}

// Where tells how many nodes of Redis serve, and whether these and all brokers are on this machine.
func (w World) Where(ctx context.Context) (redisNodes int, here bool, err error) {
	if w.Servers != Given {
		return w.Servers.nodes(), true, nil
	}
	found, err := w.findNodes(ctx)
	return len(found.primaries), process.Local(slices.Concat(found.primaries, found.brokers)...), err
}

// union is the first list and what the second has beside it. The order of the first stays: it is
// that of the nodes' numbers.
func union(first, second []string) []string {
	all := slices.Clone(first)
	for _, s := range second {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
