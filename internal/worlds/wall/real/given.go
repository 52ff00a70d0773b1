package real

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/internal/process"
	"sluice/internal/worlds/wall"
	"sluice/scenarios"
)

// given are servers that somebody else started.
type given struct {
	// redis and kafka are their processes, of those that are on this machine and may be looked at.
	redis, kafka []*wall.Usage
}

// lookFor finds the processes of given servers. Those of a server that is not all on this machine count
// as unknown.
func lookFor(servers wall.Servers) (g given) {
	find := func(addresses []string) (list []*wall.Usage) {
		pids, _ := process.Listeners(addresses) // why not does not matter: nobody can tell then
		for _, pid := range pids {
			u := &wall.Usage{}
			u.Began(pid)
			list = append(list, u)
		}
		return list
	}
	g.redis, g.kafka = find(servers.Redis), find(servers.Kafka)
	return g
}

// Break implements wall.Backend.
func (given) Break(_ *wall.System, f scenarios.Fault) (func() error, error) {
	return nil, fmt.Errorf("%s is not for servers of others", f.Verb)
}

// Seconds implements wall.Backend.
func (g given) Seconds() (redis, kafka float64) {
	for _, u := range g.redis {
		redis += u.Seconds()
	}
	for _, u := range g.kafka {
		kafka += u.Seconds()
	}
	return redis, kafka
}

// Close implements wall.Backend: they stay.
func (given) Close() error { return nil }

// findNodes adds to the given addresses those that the servers go by themselves, as clients will
// dial these: the nodes of a cluster, and the brokers.
func findNodes(ctx context.Context, to *wall.Servers) error {
	ctx, cancel := context.WithTimeout(ctx, wall.DialMax)
	defer cancel()
	redis, err := to.Access.DialRedis(to.Redis)
	if err != nil {
		return fmt.Errorf("ask redis for its nodes: %w", err)
	}
	to.Redis = union(to.Redis, slices.Sorted(maps.Keys(redis.Nodes())))
	redis.Close()
	client, err := to.Access.DialKafka(to.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	brokers, err := kadm.NewClient(client).ListBrokers(ctx)
	if err != nil {
		return fmt.Errorf("ask kafka for its brokers: %w", err)
	}
	var addresses []string
	for _, b := range brokers {
		addresses = append(addresses, fmt.Sprintf("%s:%d", b.Host, b.Port))
	}
	to.Kafka = union(to.Kafka, addresses)
	return nil
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
