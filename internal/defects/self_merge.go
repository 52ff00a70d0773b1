package defects

import (
	"context"

	"sluice/buffer"
	"sluice/consumer"
)

// selfMerge: a segment whose span comes again looks as if it were its own child, is merged into itself,
// and deleted as what was merged is.
var selfMerge = Defect{
	Name:     "self-merge",
	Wrong:    "a segment that a later batch names as its own child is merged into itself, and deleted",
	Caught:   "conservation",
	Shown:    "duplicates",
	Explored: "protocol",
	Changes:  []string{"duration=4s", "workload.rate=constant 300/s", "workload.traces_at_once=10"},
	consumer: func(p *consumer.Ports) {
		p.Store = cyclic{p.Store}
	},
}

// cyclic is a Store that merges a segment into itself when a batch has a span of it that was there
// before: a cycle of parents, as far as it can see.
type cyclic struct{ buffer.Store }

// Attach deletes the segments that it takes for their own children.
func (c cyclic) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	attached, err := c.Store.Attach(ctx, delivery, traces)
	var own []buffer.Generation
	for _, a := range attached {
		for _, live := range a.Live {
			if a.Duplicates > 0 && live.ID != delivery.ID {
				own = append(own, live.Generation)
			}
		}
	}
	if err != nil || len(own) == 0 {
		return attached, err
	}
	owner := buffer.Owner{Shard: buffer.Shard(delivery.ID.Partition)}
	return attached, discard(ctx, c.Store, owner, own)
}
