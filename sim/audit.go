package sim

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"sluice/buffer"
)

var _ buffer.Auditor = client{}

// Beat implements buffer.Auditor.
func (c client) Beat(ctx context.Context, witness uint64) ([]buffer.Pulse, error) {
	ways := make([]*way[[]buffer.Pulse], len(c.nodes))
	c.cpu.settle()
	for at := range c.nodes {
		ways[at] = sendTo(ctx, c, at, 0, small, func(ctx context.Context, n *visit) ([]buffer.Pulse, error) {
			return n.store.Beat(ctx, witness)
		})
	}
	var all []buffer.Pulse
	var faults []error
	for at, w := range ways {
		pulses, err := w.wait(ctx)
		faults = append(faults, err)
		for _, p := range pulses {
			p.Marker, p.Node, p.Server = strconv.Itoa(at), c.nodes[at].name, strconv.Itoa(c.nodes[at].starts)
			all = append(all, p)
		}
	}
	return all, errors.Join(faults...)
}

// Sweep implements buffer.Auditor. The cursor is the number of the node and that of its store.
func (c client) Sweep(ctx context.Context, from string, limit int) (buffer.Swept, error) {
	number, rest, _ := strings.Cut(from, " ")
	at, _ := strconv.Atoi(number) // "" begins with the first
	cost := each(limit, c.costs.Queue)
	swept, err := call(ctx, c, "sweep", at, cost, small,
		func(ctx context.Context, n *visit) (buffer.Swept, error) { return n.store.Sweep(ctx, rest, limit) })
	switch {
	case err != nil:
	case swept.Next != "":
		swept.Next = strconv.Itoa(at) + " " + swept.Next
	case at+1 < len(c.nodes):
		swept.Next = strconv.Itoa(at+1) + " "
	}
	return swept, err
}

// Adopt implements buffer.Auditor.
func (c client) Adopt(
	ctx context.Context, shard buffer.Shard, wall buffer.Instant, after time.Duration,
	generations []buffer.Generation,
) ([]buffer.Generation, error) {
	cost := each(len(generations), c.costs.Queue)
	return call(ctx, c, "adopt", c.ofShard(shard), cost, small,
		func(ctx context.Context, n *visit) ([]buffer.Generation, error) {
			adopted, err := n.store.Adopt(ctx, shard, wall, after, generations)
			var update buffer.QueueUpdate
			for _, g := range adopted {
				update.Due = append(update.Due, buffer.Due{Generation: g})
			}
			if len(adopted) > 0 {
				c.journal.Queued(n.k.Now(), c.who, update)
			}
			return adopted, err
		})
}
