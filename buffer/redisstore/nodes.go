package redisstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// primaries returns a client for each node that serves slots, by address: a single server, or all nodes of
// a cluster but its replicas. Those hold nothing of their own, and one that is away keeps nobody from it.
func primaries(ctx context.Context, client rueidis.Client) (map[string]rueidis.Client, error) {
	nodes := client.Nodes()
	if client.Mode() != rueidis.ClientModeCluster {
		return nodes, nil
	}
	owners, err := slotOwners(ctx, client)
	if err != nil && refuses(err.Error()) {
		return nodes, nil // the user may not ask: then all are needed
	}
	if err != nil {
		return nil, fmt.Errorf("ask which node has which slots: %w", err)
	}
	serving := make(map[string]rueidis.Client)
	for _, address := range owners { //order-free: a set
		if nodes[address] == nil {
			return nodes, nil // the client has not heard of it yet, or knows it by another name
		}
		serving[address] = nodes[address]
	}
	return serving, nil
}

// Primaries returns the addresses of the nodes that serve slots: a single server, or all nodes of a cluster
// but its replicas, sorted.
func Primaries(ctx context.Context, client rueidis.Client) ([]string, error) {
	clients, err := primaries(ctx, client)
	return slices.Sorted(maps.Keys(clients)), err
}

// nodes returns the addresses of the primaries, sorted, and a client for each.
func (s *Store) nodes(ctx context.Context) ([]string, map[string]rueidis.Client, error) {
	clients, err := primaries(ctx, s.client)
	return slices.Sorted(maps.Keys(clients)), clients, err
}

// slotOwners asks which node has which slot: any node knows, so one that is away is not the only one asked.
func slotOwners(ctx context.Context, client rueidis.Client) (map[uint16]string, error) {
	one, cancel := halfOf(ctx) // it may be one that hangs
	answer, err := slotsOfAny(one, map[string]rueidis.Client{"": client})
	cancel()
	nodes := client.Nodes()
	if err != nil && ctx.Err() == nil {
		answer, err = slotsOfAny(ctx, nodes)
	}
	if err != nil {
		return nil, classify(ctx, err)
	}
	owners := make(map[uint16]string)
	for i := range answer {
		from, to, node, err := readSlots(&answer[i])
		if err != nil {
			return nil, err
		}
		node = fullAddress(node, nodes)
		for slot := from; slot <= to; slot++ {
			owners[uint16(slot)] = node
		}
	}
	return owners, nil
}

// halfOf returns a context that ends in half of the time that is left, if that is bounded.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	end, bounded := ctx.Deadline()
	if !bounded {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(end)/2)
}

// slotsOfAny returns the first answer of any node, or the error of one. It waits no longer than the context lets
// it, also for a client that does.
func slotsOfAny(ctx context.Context, nodes map[string]rueidis.Client) (answer []rueidis.RedisMessage, err error) {
	type result struct {
		answer []rueidis.RedisMessage
		err    error
	}
	results := make(chan result, len(nodes))
	for _, node := range nodes { //order-free: all at once
		go func() {
			answer, err := node.Do(ctx, node.B().ClusterSlots().Build()).ToArray()
			results <- result{answer, err}
		}()
	}
	for range len(nodes) {
		select {
		case r := <-results:
			if answer, err = r.answer, r.err; err == nil {
				return answer, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return answer, err
}

// fullAddress adds the host to an address that lacks it: that of the client for a node of this port.
func fullAddress(address string, nodes map[string]rueidis.Client) string {
	if !strings.HasPrefix(address, ":") {
		return address
	}
	for _, known := range slices.Sorted(maps.Keys(nodes)) {
		if strings.HasSuffix(known, address) {
			return known
		}
	}
	return address
}
