package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// checkNodes refuses nodes that would throw spans away when they are full, and notes those that would
// if they were given a limit.
func (s *Store) checkNodes(ctx context.Context) error {
	if s.fake {
		return nil
	}
	needed, err := primaries(ctx, s.client)
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	clients := s.client.Nodes()
	addresses := slices.Sorted(maps.Keys(clients))
	evictions, errs := evictionsOf(ctx, addresses, clients)
	var faults []error
	for i, address := range addresses {
		e, err := evictions[i], errs[i]
		if err != nil && needed[address] == nil && errors.Is(err, buffer.ErrUnavailable) {
			s.doubts = append(s.doubts, fmt.Sprintf("redis %s, a replica, cannot be asked what it does when "+
				"it is full: %v", address, err))
			continue
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("redis %s: %w", address, err))
			continue
		}
		doubt, err := e.judge()
		if err != nil {
			faults = append(faults, fmt.Errorf("redis %s %w", address, err))
		}
		if doubt != "" {
			s.doubts = append(s.doubts, fmt.Sprintf("redis %s %s", address, doubt))
		}
	}
	return errors.Join(faults...)
}

// NodeEviction is what a node does when it is full.
type NodeEviction struct {
	// Node is its address.
	Node string
	// Words say, with the address, that it throws spans away; empty if it does not.
	Words string
	// Err is why it could not be asked.
	Err error
}

// Evictions asks every node but replicas what it does when it is full, ordered by address. Open refuses those that
// throw spans away then, but since then another node may have taken over, or somebody may have changed what it is
// set to. The error is that the nodes are not known.
func (s *Store) Evictions(ctx context.Context) ([]NodeEviction, error) {
	if s.fake {
		return nil, nil
	}
	addresses, clients, err := s.nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	evictions, errs := evictionsOf(ctx, addresses, clients)
	nodes := make([]NodeEviction, len(addresses))
	for i, address := range addresses {
		nodes[i].Node = address
		if errs[i] != nil {
			nodes[i].Err = fmt.Errorf("redis %s: %w", address, errs[i])
		} else if _, fault := evictions[i].judge(); fault != nil {
			nodes[i].Words = fmt.Sprintf("redis %s %v", address, fault)
		}
	}
	return nodes, nil
}

// evictionsOf asks all nodes at once: who opens a store gives no sign of life meanwhile, and those that hang would
// add up.
func evictionsOf(
	ctx context.Context, addresses []string, clients map[string]rueidis.Client,
) ([]eviction, []error) {
	evictions, errs := make([]eviction, len(addresses)), make([]error, len(addresses))
	var asked sync.WaitGroup
	for i, address := range addresses {
		asked.Go(func() { evictions[i], errs[i] = evictionWithin(ctx, clients[address]) })
	}
	asked.Wait()
	return evictions, errs
}

// evictionWithin is evictionOf that waits no longer than the context lets it, also for a client that does, as one
// that has to dial a node that hangs.
func evictionWithin(ctx context.Context, node rueidis.Client) (eviction, error) {
	type answer struct {
		eviction
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		found, err := evictionOf(ctx, node)
		answered <- answer{found, err}
	}()
	select {
	case a := <-answered:
		return a.eviction, a.err
	case <-ctx.Done():
		return eviction{}, ctx.Err()
	}
}

// eviction is what a node is set to do when it is full.
type eviction struct {
	policy string
	// limited is true if it has a maxmemory: without one it is never full.
	limited bool
}

// judge returns an error if the node throws spans away, or a doubt if it would. The policies
// noeviction and volatile-... do not: no key of the store has a time to live.
func (e eviction) judge() (doubt string, err error) {
	switch {
	case e.policy == "noeviction" || strings.HasPrefix(e.policy, "volatile-"):
		return "", nil
	case e.limited:
		return "", fmt.Errorf("has maxmemory-policy %s and a maxmemory, so it would throw spans away: set "+
			"the policy to noeviction (CONFIG SET maxmemory-policy noeviction)", e.policy)
	}
	return fmt.Sprintf("has maxmemory-policy %s: it would throw spans away if it were given a maxmemory; "+
		"noeviction would not", e.policy), nil
}

// evictionOf asks INFO, and CONFIG where INFO is not allowed or does not tell. A node that does not answer the one
// is not asked the other.
func evictionOf(ctx context.Context, node rueidis.Client) (eviction, error) {
	info, err := node.Do(ctx, node.B().Info().Section("memory").Build()).ToString()
	if err == nil {
		policy, ok := InfoField(info, "maxmemory_policy")
		limit, ok2 := InfoField(info, "maxmemory")
		if ok && ok2 {
			return eviction{policy, limit != "0"}, nil
		}
	} else if _, answered := rueidis.IsRedisErr(err); !answered {
		return eviction{}, fmt.Errorf("cannot find out its maxmemory-policy: %w", classify(ctx, err))
	}
	ask := node.B().ConfigGet().Parameter("maxmemory-policy", "maxmemory").Build()
	settings, err2 := node.Do(ctx, ask).AsStrMap()
	if policy, ok := settings["maxmemory-policy"]; err2 == nil && ok {
		return eviction{policy, settings["maxmemory"] != "0"}, nil
	}
	return eviction{}, fmt.Errorf("cannot find out its maxmemory-policy: the user must be allowed INFO or "+
		"CONFIG GET: %w", errors.Join(classify(ctx, err), classify(ctx, err2)))
}
