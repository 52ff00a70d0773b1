package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// NodeMemory is the memory of one node.
type NodeMemory struct {
	// Node is the node's address.
	Node string
	// Used is what the node uses, in bytes, and Max what it may use; 0 means without limit.
	Used, Max int64
}

// Memory asks every node once, and returns the answers ordered by address. miniredis does not
// know, and is reported as using nothing, without limit.
func (s *Store) Memory(ctx context.Context) ([]NodeMemory, error) {
	addresses, clients := s.nodes()
	nodes := make([]NodeMemory, 0, len(addresses))
	for _, address := range addresses {
		node := NodeMemory{Node: address}
		if !s.fake {
			if err := node.ask(ctx, clients[address]); err != nil {
				return nil, fmt.Errorf("memory of redis %s: %w", address, err)
			}
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

func (n *NodeMemory) ask(ctx context.Context, client rueidis.Client) error {
	info, err := client.Do(ctx, client.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return classify(ctx, err)
	}
	for name, value := range map[string]*int64{"used_memory": &n.Used, "maxmemory": &n.Max} {
		text, _ := infoField(info, name)
		if *value, err = strconv.ParseInt(text, 10, 64); err != nil {
			return fmt.Errorf("%s in INFO is %q, want a number of bytes", name, text)
		}
	}
	return nil
}

// Leftovers names, in sorted lines, every key of the store but the owners and clocks of shards. It
// is empty when all was flushed. It reads all names, so it is for tests.
func (s *Store) Leftovers(ctx context.Context) ([]string, error) {
	keys, err := s.keys(ctx)
	return slices.DeleteFunc(keys, func(key string) bool {
		return strings.HasSuffix(key, "}:owner")
	}), err
}

// keys returns every key of the store's namespace, sorted.
func (s *Store) keys(ctx context.Context) ([]string, error) {
	var keys []string
	addresses, clients := s.nodes()
	for _, address := range addresses {
		client := clients[address]
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			page, err := client.Do(ctx, client.B().Scan().Cursor(cursor).
				Match(s.config.Namespace+"*").Count(1000).Build()).AsScanEntry()
			if err != nil {
				return nil, fmt.Errorf("scan redis %s: %w", address, classify(ctx, err))
			}
			keys = append(keys, page.Elements...)
			cursor = page.Cursor
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
