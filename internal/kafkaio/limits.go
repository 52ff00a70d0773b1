package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// batchBytesDefault is Kafka's and the client's own limit of a batch: message.max.bytes.
	batchBytesDefault = 1_000_012
	// batchBytesMin is the least the client takes; a topic below it would refuse what is sent.
	batchBytesMin = 512
	// batchBytesMax is the most the client sends: a request must stay below 100 MiB.
	batchBytesMax = 96 << 20
	// batchBytes is what a batch of one record adds to the record: 61 bytes of header, and the
	// record's own length, attributes and deltas.
	batchBytes = 128
)

// limits are the largest batches that topics take, in bytes before compression.
type limits map[string]int32

// of returns the limit of a topic.
func (l limits) of(topic string) int32 {
	if limit, ok := l[topic]; ok {
		return limit
	}
	return batchBytesDefault
}

func (l limits) largest() int {
	return int(slices.Max(slices.AppendSeq([]int32{batchBytesDefault}, maps.Values(l))))
}

// readLimits asks for max.message.bytes of the topics. A client that may not ask gets the default.
func readLimits(ctx context.Context, cfg Config, topics []string) (limits, error) {
	found := make(limits, len(topics))
	if len(topics) == 0 {
		return found, nil
	}
	err := ask(ctx, cfg, func(ctx context.Context, admin *kadm.Client) error {
		configs, err := admin.DescribeTopicConfigs(ctx, topics...)
		if _, denied := errors.AsType[*kadm.AuthError](err); denied {
			return nil
		}
		if err != nil {
			return err
		}
		for _, config := range configs {
			if err := found.read(config); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read max.message.bytes: %w", err)
	}
	return found, nil
}

func (l limits) read(config kadm.ResourceConfig) error {
	switch {
	case errors.Is(config.Err, kerr.TopicAuthorizationFailed),
		errors.Is(config.Err, kerr.ClusterAuthorizationFailed),
		errors.Is(config.Err, kerr.UnknownTopicOrPartition):
		return nil
	case config.Err != nil:
		return fmt.Errorf("topic %q: %w", config.Name, config.Err)
	}
	for _, entry := range config.Configs {
		if entry.Key != "max.message.bytes" || entry.Value == nil {
			continue
		}
		limit, err := strconv.ParseInt(*entry.Value, 10, 32)
		if err != nil {
			return fmt.Errorf("topic %q: max.message.bytes %q is not a number", config.Name, *entry.Value)
		}
		l[config.Name] = int32(min(max(limit, batchBytesMin), batchBytesMax))
	}
	return nil
}
