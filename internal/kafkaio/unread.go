package kafkaio

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Unread is what a partition of the input holds that the group has not committed.
type Unread struct {
	// Start is the offset of the oldest message that Kafka still has, Next that of the first that is not
	// committed (Start, if it is known to be gone), and End that behind the last one.
	Start, Next, End int64
}

// Messages returns how many there are, at most: the offsets of transactions count, too.
func (u Unread) Messages() int64 { return max(0, u.End-u.Next) }

// KeptForever is the retention of a topic whose messages have no age limit.
const KeptForever time.Duration = -1

// retentionAge is for how long a topic's retention is believed.
const retentionAge = time.Minute

// retention remembers the topic's.
type retention struct {
	mu    sync.Mutex
	asked time.Time
	kept  time.Duration
}

// Unread asks Kafka what has not been read of the assigned partitions, and for how long the topic keeps
// its messages.
func (s *Source) Unread(ctx context.Context) (map[int32]Unread, time.Duration, error) {
	numbers := s.assignment.assigned()
	if len(numbers) == 0 {
		return nil, KeptForever, nil
	}
	admin := kadm.NewClient(s.client)
	kept, err := s.retention.of(ctx, admin, s.cfg.Topic)
	if err != nil {
		return nil, 0, err
	}
	starts, err := admin.ListStartOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, 0, fmt.Errorf("find the start of topic %s: %w", s.cfg.Topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, s.cfg.Topic)
	if err != nil {
		return nil, 0, fmt.Errorf("find the end of topic %s: %w", s.cfg.Topic, err)
	}
	unread := make(map[int32]Unread, len(numbers))
	for _, number := range numbers {
		start, known := starts.Lookup(s.cfg.Topic, number)
		end, known2 := ends.Lookup(s.cfg.Topic, number)
		if !known || !known2 || start.Err != nil || end.Err != nil {
			continue
		}
		u := Unread{Start: start.Offset, Next: start.Offset, End: end.Offset}
		u.Next = max(u.Next, s.gaps.committed(number))
		if s.touch.well() && s.gaps.idle(number) && s.assignment.fetches(number) &&
			!s.isSilent(number) && !s.touch.more(number) {
			u.Next = u.End // what is left are the marks of transactions, or is just coming
		}
		unread[number] = u
	}
	return unread, kept, nil
}

// of asks for the retention of a topic, now and then. What is not deleted but compacted, and what may
// not be asked for, has none that is known.
func (r *retention) of(ctx context.Context, admin *kadm.Client, topic string) (time.Duration, error) {
	r.mu.Lock()
	kept, age := r.kept, time.Since(r.asked)
	r.mu.Unlock()
	if age < retentionAge {
		return kept, nil
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("ask for the retention of topic %s: %w", topic, err)
	}
	kept = KeptForever
	deletes := true
	for _, config := range configs {
		for _, entry := range config.Configs {
			switch entry.Key {
			case "cleanup.policy":
				deletes = strings.Contains(entry.MaybeValue(), "delete")
			case "retention.ms":
				if ms, err := strconv.ParseInt(entry.MaybeValue(), 10, 64); err == nil && ms >= 0 {
					kept = time.Duration(min(ms, keptMax.Milliseconds())) * time.Millisecond
				}
			}
		}
	}
	if !deletes {
		kept = KeptForever
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.asked = kept, time.Now()
	return kept, nil
}

// keptMax is the longest retention that is told from a longer one.
const keptMax = 100 * 365 * 24 * time.Hour
