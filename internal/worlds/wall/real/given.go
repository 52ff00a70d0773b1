package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/scenarios"
)

// given are servers that somebody else started.
type given struct{}

func (given) inject(_ *world, f scenarios.Fault) (func() error, error) {
	return nil, fmt.Errorf("%s is not for servers of others", f.Verb)
}

func (given) seconds() (redis, kafka float64) { return 0, 0 }

// close removes all that the run left there.
func (given) close(w *world) error {
	if !w.made {
		return nil
	}
	return w.removeAll()
}

// findNodes adds to the given addresses those that the servers go by themselves, as clients will
// dial these: the nodes of a cluster, and the brokers.
func (w *world) findNodes(ctx context.Context, redis, kafka bool) error {
	ctx, cancel := context.WithTimeout(ctx, dialMax)
	defer cancel()
	if redis {
		client, err := w.dialRedis()
		if err != nil {
			return fmt.Errorf("ask redis for its nodes: %w", err)
		}
		w.redis = union(w.redis, slices.Sorted(maps.Keys(client.Nodes())))
		client.Close()
	}
	if kafka {
		client, err := kgo.NewClient(w.harnessOpts()...)
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
		w.kafka = union(w.kafka, addresses)
	}
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

func (w *world) dialRedis() (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: w.redis, DisableCache: true})
}
