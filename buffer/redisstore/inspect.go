package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer"
)

// Memory asks every node but replicas once, and returns the answers ordered by address. miniredis does
// not know, and is reported as using nothing, without limit.
func (s *Store) Memory(ctx context.Context) ([]buffer.NodeMemory, error) {
	if !s.fake {
		return Memory(ctx, s.client)
	}
	addresses, _, err := s.nodes(ctx)
	if err != nil {
		return nil, err
	}
	nodes := make([]buffer.NodeMemory, len(addresses))
	for i, address := range addresses {
		nodes[i].Node = address
	}
	return nodes, nil
}

// Memory asks every node of a client but replicas once, all at the same time, and returns the answers
// ordered by address. If some nodes do not answer, it returns the answers of the others and the error of
// the first that does not.
func Memory(ctx context.Context, client rueidis.Client) ([]buffer.NodeMemory, error) {
	clients, err := primaries(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("memory of redis: %w", err)
	}
	addresses := slices.Sorted(maps.Keys(clients))
	answers, errs := make([]buffer.NodeMemory, len(addresses)), make([]error, len(addresses))
	var asking sync.WaitGroup
	for i, address := range addresses {
		asking.Go(func() { answers[i], errs[i] = memoryOf(ctx, address, clients[address]) })
	}
	asking.Wait()
	nodes := make([]buffer.NodeMemory, 0, len(answers))
	for i, node := range answers {
		if errs[i] == nil {
			nodes = append(nodes, node)
		}
	}
	return nodes, cmp.Or(errs...)
}

// memoryOf asks one node.
func memoryOf(ctx context.Context, address string, client rueidis.Client) (buffer.NodeMemory, error) {
	node := buffer.NodeMemory{Node: address}
	info, err := client.Do(ctx, client.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		err = classify(ctx, err)
	} else {
		node.Used, node.Max, err = ReadMemory(info)
	}
	if err != nil {
		return node, fmt.Errorf("memory of redis %s: %w", address, err)
	}
	return node, nil
}

// ReadMemory reads what a node uses, and what it may use (0: no limit), in bytes, from the answer
// of INFO memory.
func ReadMemory(info string) (used, limit int64, err error) {
	for name, value := range map[string]*int64{"used_memory": &used, "maxmemory": &limit} {
		text, _ := InfoField(info, name)
		if *value, err = strconv.ParseInt(text, 10, 64); err != nil {
			return 0, 0, fmt.Errorf("%s in INFO is %q, want a number of bytes", name, text)
		}
	}
	return used, limit, nil
}

// MainThread asks every node of a client but replicas once, and returns the processor time that its main
// thread, which does all that takes time, has used since the node was started, by address.
func MainThread(ctx context.Context, client rueidis.Client) (map[string]time.Duration, error) {
	clients, err := primaries(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("processor time of redis: %w", err)
	}
	used := make(map[string]time.Duration, len(clients))
	for address, one := range clients { //order-free: an error is one of the first that there is
		info, err := one.Do(ctx, one.B().Info().Section("cpu").Build()).ToString()
		if err != nil {
			return nil, fmt.Errorf("processor time of redis %s: %w", address, classify(ctx, err))
		}
		for _, name := range []string{"used_cpu_user_main_thread", "used_cpu_sys_main_thread"} {
			text, _ := InfoField(info, name)
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("processor time of redis %s: %s in INFO is %q, want seconds (a Redis "+
					"before 6.2 does not tell)", address, name, text)
			}
			used[address] += time.Duration(seconds * float64(time.Second))
		}
	}
	return used, nil
}

// Leftovers implements buffer.Inspector. The queues are those of the store's slice; traces belong to
// all slices.
func (s *Store) Leftovers(ctx context.Context) (buffer.Leftovers, error) {
	var left buffer.Leftovers
	keys, err := s.keys(ctx)
	if err != nil {
		return left, err
	}
	shards := map[buffer.Shard]*buffer.ShardLeftovers{}
	queues := s.config.Namespace + "{s:"
	for _, key := range keys {
		if strings.HasPrefix(key, s.config.Namespace+rehearsals) {
			continue // another program is starting, or ended while it was
		}
		if strings.HasPrefix(key, s.config.Namespace+markerStem) || key == s.layoutKey() {
			continue // it stays
		}
		if name, ok := strings.CutPrefix(key, s.tracePrefix); ok {
			trace, err := parseTraceKey(name)
			if err != nil {
				return left, fmt.Errorf("key %q: %w", key, err)
			}
			left.Held = append(left.Held, trace)
		} else if !strings.HasPrefix(key, queues) {
			return left, fmt.Errorf("key %q is not one of the store's", key)
		} else if shard, list, ok := s.parseShardKey(key); ok {
			if shards[shard] == nil {
				shards[shard] = &buffer.ShardLeftovers{Shard: shard}
			}
			if err := s.readNamed(ctx, key, list, shards[shard]); err != nil {
				return left, fmt.Errorf("read %s: %w", key, err)
			}
		}
	}
	for _, shard := range shards {
		left.Shards = append(left.Shards, *shard)
	}
	left.Sort()
	return left, nil
}

// parseShardKey tells which list of which shard of this slice a key is.
func (s *Store) parseShardKey(key string) (shard buffer.Shard, list string, ok bool) {
	rest, ok := strings.CutPrefix(key, s.config.Namespace+"{s:"+s.config.Slice+":")
	number, list, _ := strings.Cut(rest, "}:")
	n, err := strconv.ParseInt(number, 10, 32)
	return buffer.Shard(n), list, ok && err == nil
}

// readNamed reads what a key of a shard says: its queue, its leased, or the epoch of its owner.
func (s *Store) readNamed(
	ctx context.Context, key, list string, to *buffer.ShardLeftovers,
) (err error) {
	switch list {
	case "queue":
		to.Queued, err = s.readQueue(ctx, key)
	case "leased":
		to.Leased, err = s.readHash(ctx, key)
	case "owner":
		to.Epoch, err = s.readEpoch(ctx, key)
	}
	return err
}

// readEpoch reads the epoch of an owner; one that only knows the clock has none.
func (s *Store) readEpoch(ctx context.Context, key string) (buffer.Epoch, error) {
	text, err := s.client.Do(ctx, s.client.B().Hget().Key(key).Field("epoch").Build()).ToString()
	switch {
	case rueidis.IsRedisNil(err):
		return 0, nil
	case err != nil:
		return 0, classify(ctx, err)
	}
	epoch, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("epoch %q is not a number", text)
	}
	return buffer.Epoch(epoch), nil
}

func (s *Store) readQueue(ctx context.Context, key string) ([]buffer.Due, error) {
	entries, err := s.client.Do(ctx,
		s.client.B().Zrange().Key(key).Min("0").Max("-1").Withscores().Build()).AsZScores()
	if err != nil {
		return nil, classify(ctx, err)
	}
	texts := make([]string, 0, 2*len(entries))
	for _, e := range entries {
		texts = append(texts, e.Member, strconv.FormatFloat(e.Score, 'f', -1, 64))
	}
	return readDue(texts)
}

func (s *Store) readHash(ctx context.Context, key string) ([]buffer.Due, error) {
	entries, err := s.client.Do(ctx, s.client.B().Hgetall().Key(key).Build()).AsStrMap()
	if err != nil {
		return nil, classify(ctx, err)
	}
	texts := make([]string, 0, 2*len(entries))
	for name, score := range entries {
		texts = append(texts, name, score)
	}
	return readDue(texts)
}

// literally takes the meaning from the letters of a pattern of keys.
var literally = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)

// allKeys is the pattern of the keys of the store's namespace.
func (s *Store) allKeys() string { return literally.Replace(s.config.Namespace) + "*" }

// keys returns every key of the store's namespace, sorted.
func (s *Store) keys(ctx context.Context) ([]string, error) {
	var keys []string
	addresses, clients, err := s.nodes(ctx)
	if err != nil {
		return nil, err
	}
	for _, address := range addresses {
		client := clients[address]
		for cursor, more := uint64(0), true; more; more = cursor != 0 {
			page, err := client.Do(ctx, client.B().Scan().Cursor(cursor).
				Match(s.allKeys()).Count(1000).Build()).AsScanEntry()
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
