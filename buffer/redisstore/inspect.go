package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Memory asks every node once, and returns the answers ordered by address. miniredis does not
// know, and is reported as using nothing, without limit.
func (s *Store) Memory(ctx context.Context) ([]buffer.NodeMemory, error) {
	if !s.fake {
		return Memory(ctx, s.client)
	}
	addresses, _ := s.nodes()
	nodes := make([]buffer.NodeMemory, len(addresses))
	for i, address := range addresses {
		nodes[i].Node = address
	}
	return nodes, nil
}

// Memory asks every node of a client once, and returns the answers ordered by address.
func Memory(ctx context.Context, client rueidis.Client) ([]buffer.NodeMemory, error) {
	clients := client.Nodes()
	nodes := make([]buffer.NodeMemory, 0, len(clients))
	for _, address := range slices.Sorted(maps.Keys(clients)) {
		one := clients[address]
		info, err := one.Do(ctx, one.B().Info().Section("memory").Build()).ToString()
		node := buffer.NodeMemory{Node: address}
		if err != nil {
			err = classify(ctx, err)
		} else {
			node.Used, node.Max, err = ReadMemory(info)
		}
		if err != nil {
			return nil, fmt.Errorf("memory of redis %s: %w", address, err)
		}
		nodes = append(nodes, node)
	}
	return nodes, nil
}

// ReadMemory reads what a node uses, and what it may use (0: no limit), in bytes, from the answer
// of INFO memory.
func ReadMemory(info string) (used, limit int64, err error) {
	for name, value := range map[string]*int64{"used_memory": &used, "maxmemory": &limit} {
		text, _ := infoField(info, name)
		if *value, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("%s in INFO is %q, want a number of bytes", name, text)
		}
	}
	return used, limit, nil
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
