package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"sluice/buffer/redisstore"
	"sluice/internal/judge"
)

// remainsMax is how long asking the servers what is left may take.
const remainsMax = 10 * time.Second

// remains asks the servers. The input is asked first: a message is committed after its span is in
// the store.
func (r *run) remains(ctx context.Context) (left judge.Remains) {
	ctx, cancel := context.WithTimeout(ctx, remainsMax)
	defer cancel()
	if left.Waiting, left.Err = r.waiting(ctx); left.Err != nil {
		return left
	}
	c := redisstore.DefaultConfig()
	c.Addresses, c.Namespace = r.servers.redis, r.servers.namespace
	var store *redisstore.Store
	if store, left.Err = redisstore.Open(ctx, c); left.Err != nil {
		return left
	}
	defer store.Close()
	left.Store, left.Err = store.Leftovers(ctx)
	return left
}

// waiting returns how many messages of the input the group has not committed.
func (r *run) waiting(ctx context.Context) (int64, error) {
	admin := kadm.NewClient(r.collector.client)
	committed, err := admin.FetchOffsetsForTopics(ctx, r.servers.group, r.servers.input)
	if err == nil {
		err = committed.Error()
	}
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) { // without a group nothing is committed
		return 0, fmt.Errorf("ask for the offsets of group %s: %w", r.servers.group, err)
	}
	ends, err := admin.ListEndOffsets(ctx, r.servers.input)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("find the end of the input: %w", err)
	}
	waiting := int64(0)
	ends.Each(func(end kadm.ListedOffset) {
		done := int64(0)
		if o, ok := committed.Lookup(end.Topic, end.Partition); ok {
			done = max(done, o.At)
		}
		waiting += end.Offset - done
	})
	return waiting, nil
}
