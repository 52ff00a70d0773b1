package kafkaio

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"sluice/internal/check"
)

// SourceConfig says what a source reads, as which member of which group, and how much it holds.
type SourceConfig struct {
	// Topic is the input topic, Group the consumer group.
	Topic, Group string
	// InstanceID makes the membership static: a member that comes back with the same id within
	// SessionTimeout gets its partitions back without a rebalance. Empty means dynamic.
	InstanceID string
	// Uncommitted is true to read messages of transactions that are not committed, or were aborted.
	Uncommitted bool
	// Store names the store that what is read goes into. Commits carry it (see Start.Queued), so that a
	// store that was set back while no member was running is recognised. Empty: they do not.
	Store string
	// Starts hears where partitions begin that this member got, before anything of them is read. It must
	// not take long. Nil: nobody does.
	Starts func(context.Context, []Start) `json:"-"`
	// SessionTimeout is how long the group waits for a member that fell silent: how long the
	// partitions of a killed program are not read, unless it comes back with the same InstanceID.
	// Default 15 s, of which the heartbeat takes a fifth.
	SessionTimeout time.Duration
	// RebalanceTimeout is how long the group waits for a member to let go of partitions. Default
	// 60 s; the source gives up a little earlier, see ReleaseTimeout.
	RebalanceTimeout time.Duration
	// FetchWait is how long a broker waits for news before it answers a fetch. Default 500 ms.
	FetchWait time.Duration
	// FetchLateMax is how much longer it may take while the source counts as in touch, and so may the
	// answers be full of other partitions while one counts as heard: until then the clocks of shards run,
	// which must not make segments due whose spans wait to be read. Default 2 s, for time-outs well above
	// that and FetchWait.
	FetchLateMax time.Duration
	// FetchBytesMax bounds one answer of a broker, FetchPartitionBytesMax what is in it of one
	// partition (both on the wire). There is one answer at a time of each broker, so it bounds how much
	// is read of one that is far away: 40 MiB/s if a question takes 50 ms. Default 2 MiB and 512 KiB.
	FetchBytesMax, FetchPartitionBytesMax int32
	// HeldBytesMax is how many bytes of one partition are held here before its fetching pauses, and
	// HeldBytesTotal the same of all together, of which each has an equal share. Default 4 MiB and
	// 16 MiB.
	HeldBytesMax, HeldBytesTotal int
}

// DefaultSourceConfig returns the defaults for a member of the group.
func DefaultSourceConfig(topic, group string) SourceConfig {
	return SourceConfig{
		Topic:                  topic,
		Group:                  group,
		SessionTimeout:         15 * time.Second,
		RebalanceTimeout:       60 * time.Second,
		FetchWait:              500 * time.Millisecond,
		FetchLateMax:           2 * time.Second,
		FetchBytesMax:          2 << 20,
		FetchPartitionBytesMax: 512 << 10,
		HeldBytesMax:           4 << 20,
		HeldBytesTotal:         16 << 20,
	}
}

// ReleaseTimeout is how long a revoked partition may stay in work: nine tenths of
// RebalanceTimeout, so that the member can still join again in time.
func (c SourceConfig) ReleaseTimeout() time.Duration { return c.RebalanceTimeout / 10 * 9 }

// heartbeat is how often a member tells the group that it lives.
func (c SourceConfig) heartbeat() time.Duration { return c.SessionTimeout / 5 }

// mark is what a commit carries behind the id of the member. It is short, whatever the store is called:
// brokers bound what goes with an offset.
func (c SourceConfig) mark() string {
	if c.Store == "" {
		return ""
	}
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(c.Store)) // it never fails
	return fmt.Sprintf(" queued-%016x", sum.Sum64())
}

// Validate returns every fault of the config, joined, or nil.
func (c SourceConfig) Validate() error {
	var f check.Faults
	f.When(c.Topic == "", "no input topic is named")
	f.When(c.Group == "", "no consumer group is named")
	f.When(c.SessionTimeout <= 0, "session timeout %v must be positive", c.SessionTimeout)
	f.When(c.RebalanceTimeout <= 0, "rebalance timeout %v must be positive", c.RebalanceTimeout)
	f.When(c.FetchWait <= 0, "fetch wait %v must be positive", c.FetchWait)
	f.When(c.FetchLateMax <= 0, "lateness of fetches %v must be positive", c.FetchLateMax)
	f.When(c.FetchPartitionBytesMax <= 0, "fetch bytes per partition %d must be positive",
		c.FetchPartitionBytesMax)
	f.When(c.FetchBytesMax < c.FetchPartitionBytesMax,
		"fetch bytes %d must not be below those of one partition, %d",
		c.FetchBytesMax, c.FetchPartitionBytesMax)
	f.When(c.HeldBytesMax <= 0, "held bytes %d must be positive", c.HeldBytesMax)
	f.When(c.HeldBytesTotal <= 0, "held bytes in total %d must be positive", c.HeldBytesTotal)
	return f.Err()
}
