package sim

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/internal/harness"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// redis is one server over the reference store, or a cluster of them, by slots. Each call is one request
// to each node that it concerns, and has its effect there at one moment.
type redis struct {
	nodes []*node
	costs Redis
}

// node is a server with what is in its slots.
type node struct {
	*link
	own   *conn // of what belongs to no process
	store *memstore.Store
	full  int // faults under which it has no room
	// starts counts when it was started, or another took its place.
	starts int
	// gone counts the faults under which no process is there.
	gone int
	// setBack is true from when a replica gets nothing any more until it has taken over.
	setBack bool
	// bytes are those that the spans in the store take, sizes what generations that were loaded take.
	bytes buffer.Bytes
	sizes map[buffer.Generation]buffer.Bytes
}

// What Claim reads along of a trace, as redisstore does: it has no more than so many bytes and spans.
// (There the bytes are compressed.)
const (
	alongBytes = 1600
	alongSpans = 64
)

// clusterNodes is how many nodes a cluster has if nobody says how many, as on real servers.
const clusterNodes = 3

// NodesOf returns how many nodes a run has.
func (h Hosts) NodesOf(s scenarios.Scenario) int {
	if h.RedisNodes > 0 {
		return h.RedisNodes
	}
	if slices.ContainsFunc(s.Faults, func(f scenarios.Fault) bool {
		return f.Target.Kind == scenarios.TargetRedis && f.Target.N != scenarios.AllNodes
	}) {
		return clusterNodes
	}
	return 1
}

func newRedis(
	k *kernel.Kernel, costs Costs, on *hosts, options buffer.Options, nodes int,
) *redis {
	r := &redis{costs: costs.Redis}
	for n := range nodes {
		name := "redis"
		if nodes > 1 {
			name = fmt.Sprintf("redis node %d", n)
		}
		thread := k.Thread(name, on.shared)
		l := newLink(k, name, costs.Network.Hop, thread.Share(name, 1))
		l.clients, l.wire = thread, on.wire
		store := memstore.New(options)
		store.ReadAlong(alongBytes, alongSpans)
		r.nodes = append(r.nodes, &node{
			link: l, own: l.connect(), store: store,
			sizes: map[buffer.Generation]buffer.Bytes{},
		})
	}
	return r
}

// connect returns a connection to each node.
func (r *redis) connect() []*conn {
	conns := make([]*conn, len(r.nodes))
	for i, n := range r.nodes {
		conns[i] = n.connect()
	}
	return conns
}

// bytes returns what the fullest node holds and takes, and what all do.
func (r *redis) bytes() (fullest, all int64) {
	for _, n := range r.nodes {
		used := int64(r.costs.Empty + n.bytes)
		fullest, all = max(fullest, used), all+used
	}
	return fullest, all
}

// ofTrace and ofShard return which node has the slot of a key. (The hash is not Redis' own.)
func (r *redis) ofTrace(key buffer.TraceKey) int {
	if len(r.nodes) == 1 {
		return 0
	}
	return int(crc32.ChecksumIEEE(key.Trace[:]) % uint32(len(r.nodes)))
}

func (r *redis) ofShard(shard buffer.Shard) int {
	if len(r.nodes) == 1 {
		return 0
	}
	name := binary.BigEndian.AppendUint32(nil, uint32(shard))
	return int(crc32.ChecksumIEEE(name) % uint32(len(r.nodes)))
}

// Break does a fault to a node or all of them, or to the way there.
func (r *redis) Break(f scenarios.Fault) (undo func() error, err error) {
	targets := r.targets(f)
	if f.Verb == scenarios.VerbWipe && slices.ContainsFunc(targets, func(n *node) bool { return n.setBack }) {
		return nil, harness.ErrBusy // before any of them is touched: who is told so tries again
	}
	var undos []func() error
	for _, node := range targets {
		end, err := node.fault(f, r.costs)
		if err != nil {
			return nil, err
		}
		if end != nil {
			undos = append(undos, end)
		}
	}
	if len(undos) == 0 {
		return nil, nil
	}
	return func() error {
		for _, undo := range undos {
			if err := undo(); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// targets are the nodes that a fault is for.
func (r *redis) targets(f scenarios.Fault) (list []*node) {
	for n, node := range r.nodes {
		if f.Target.N == scenarios.AllNodes || f.Target.N == n {
			list = append(list, node)
		}
	}
	return list
}

func (n *node) fault(f scenarios.Fault, costs Redis) (undo func() error, err error) {
	switch f.Verb {
	case scenarios.VerbFill:
		n.full++
		return func() error {
			n.full--
			return nil
		}, nil
	case scenarios.VerbStop:
		return n.stop(costs), nil
	case scenarios.VerbWipe:
		n.store, n.bytes = n.store.Wiped(), 0
		clear(n.sizes)
		return n.end(costs), nil
	}
	undo, ok := n.breakDown(f)
	if !ok {
		return nil, fmt.Errorf("world virtual knows no %s of redis", f.Verb)
	}
	return undo, nil
}

// stop has the server save what it holds, once it has served what came before, and end. From then on it
// answers nobody, and does nothing of what it is asked. The result starts it again.
func (n *node) stop(costs Redis) (start func() error) {
	if n.gone > 0 { // nobody is there to save
		return n.end(costs)
	}
	n.gone++
	defer func() { n.gone-- }() // end counts it
	n.works(0)
	thaw := n.freeze()
	n.works(n.bulk(costs.SaveTrace, costs.SaveKB))
	n.wait(costs.Stop)
	start = n.end(costs)
	_ = thaw() // it cannot fail, and nobody waits any more
	return start
}

// end has the process be gone. The result starts another one, which first reads what was saved.
func (n *node) end(costs Redis) (start func() error) {
	n.gone++
	n.starts++
	admit := n.refuse()
	return func() error {
		if n.gone == 1 {
			n.wait(costs.Start)
			n.works(n.bulk(costs.LoadTrace, costs.LoadKB))
		}
		n.gone--
		return admit()
	}
}

// bulk is what all that is held takes.
func (n *node) bulk(trace, kb time.Duration) time.Duration {
	return each(n.store.Traces(), trace) + perKB(int(n.bytes), kb)
}

// works returns when the server has done what it was given before, and so much more.
func (n *node) works(more time.Duration) {
	n.used += more
	n.wait(n.Take(more))
}

// failOver has a replica take over from some nodes: it has what they had when the fault began, and not
// what they were told since. Lose hears of that.
func (r *redis) failOver(
	ctx context.Context, f scenarios.Fault, lose func(of func(buffer.TraceKey) bool),
) (undo func() error, err error) {
	var nodes []int
	for at, n := range r.nodes {
		if f.Target.N != scenarios.AllNodes && f.Target.N != at {
			continue
		}
		if n.setBack {
			return nil, harness.ErrBusy
		}
		nodes = append(nodes, at)
	}
	type state struct {
		store *memstore.Store
		bytes buffer.Bytes
		sizes map[buffer.Generation]buffer.Bytes
	}
	var states []state
	for _, at := range nodes {
		n := r.nodes[at]
		n.setBack = true
		states = append(states, state{n.store.Clone(), n.bytes, maps.Clone(n.sizes)})
	}
	err = r.nodes[0].k.Sleep(ctx, f.By)
	lose(func(trace buffer.TraceKey) bool { return slices.Contains(nodes, r.ofTrace(trace)) })
	var undos []func() error
	for i, at := range nodes {
		n := r.nodes[at]
		n.setBack = false
		n.starts++
		states[i].store.TakeOver(n.store)
		n.store, n.bytes, n.sizes = states[i].store, states[i].bytes, states[i].sizes
		undos = append(undos, n.refuse())
	}
	return func() error {
		for _, undo := range undos {
			_ = undo() // it cannot fail
		}
		return nil
	}, err
}

// Memory implements flusher.MemoryMeter: a node is full, or it has room.
func (r *redis) Memory(ctx context.Context) ([]buffer.NodeMemory, error) {
	var list []buffer.NodeMemory
	for _, n := range r.nodes {
		memory := buffer.NodeMemory{Node: n.name}
		err := n.own.ask(ctx, patient, r.costs.Call, small, func() (int, time.Duration) {
			if n.full > 0 {
				memory.Used, memory.Max = 1, 1
			}
			return small, 0
		})
		if err != nil {
			return nil, err
		}
		list = append(list, memory)
	}
	return list, nil
}

// leftovers are those of all nodes.
func (r *redis) leftovers(ctx context.Context) (all buffer.Leftovers, err error) {
	for _, n := range r.nodes {
		left, err := n.store.Leftovers(ctx)
		if err != nil {
			return all, err
		}
		all.Held, all.Shards = append(all.Held, left.Held...), append(all.Shards, left.Shards...)
	}
	all.Sort()
	return all, nil
}

// used is what all nodes have served.
func (r *redis) used() (sum time.Duration) {
	for _, n := range r.nodes {
		sum += n.used
	}
	return sum
}

// small is how many bytes a request or an answer has that carries no spans.
const small = 100
