package kafkaio

import (
	"context"
	"errors"
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

// KeptForever is the retention of a topic whose messages have no age limit, or none that is known.
const KeptForever time.Duration = -1

// retentionAge is for how long a topic's retention is believed.
const retentionAge = time.Minute

// retention remembers the topic's.
type retention struct {
	mu    sync.Mutex
	asked time.Time
	kept  time.Duration // as it was told last, KeptForever before the first time
}

// Unread asks Kafka what has not been read of the assigned partitions, and for how long the topic keeps
// its messages. Partitions that nobody leads, or whose leader does not answer, are left out.
func (s *Source) Unread(ctx context.Context) (map[int32]Unread, time.Duration, error) {
	numbers := s.assignment.assigned()
	if len(numbers) == 0 {
		return nil, KeptForever, nil
	}
	admin := kadm.NewClient(s.client)
	var (
		kept         time.Duration
		starts, ends kadm.ListedOffsets
		err1, err2   error
		asking       sync.WaitGroup // side by side: a broker that hangs takes all the time of those it is asked for
	)
	asking.Go(func() { kept = s.retention.of(ctx, admin, s.cfg.Topic) })
	asking.Go(func() { starts, err1 = answered(admin.ListStartOffsets(ctx, s.cfg.Topic)) })
	asking.Go(func() { ends, err2 = answered(admin.ListEndOffsets(ctx, s.cfg.Topic)) })
	asking.Wait()
	if err1 != nil {
		return nil, 0, fmt.Errorf("find the start of topic %s: %w", s.cfg.Topic, err1)
	}
	if err2 != nil {
		return nil, 0, fmt.Errorf("find the end of topic %s: %w", s.cfg.Topic, err2)
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

// Committed returns the offsets that the group has committed of the assigned partitions, from when the
// partition was joined on. Those of which it has none are left out.
func (s *Source) Committed() map[int32]int64 {
	offsets := make(map[int32]int64)
	for _, number := range s.assignment.assigned() {
		if offset, known := s.gaps.behind(number); known {
			offsets[number] = offset
		}
	}
	return offsets
}

// answered returns what was listed without the error, if only some partitions failed: they are not in it.
func answered(list kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if some, ok := errors.AsType[*kadm.ShardErrors](err); ok && !some.AllFailed {
		return list, nil
	}
	return list, err
}

// of asks for the retention of a topic, now and then. While it is not told, the last one that was stands,
// and none is known before the first. Who may not ask (the right is one that nothing else needs) asks no
// more often.
func (r *retention) of(ctx context.Context, admin *kadm.Client, topic string) time.Duration {
	r.mu.Lock()
	kept, age := r.kept, time.Since(r.asked)
	r.mu.Unlock()
	if age < retentionAge {
		return kept
	}
	told, err := readRetention(ctx, admin, topic)
	if _, denied := errors.AsType[*kadm.AuthError](err); err == nil {
		kept = told
	} else if !denied {
		return kept
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.asked = kept, time.Now()
	return kept
}

// readRetention asks for the retention of a topic. What is not deleted but compacted has none.
func readRetention(ctx context.Context, admin *kadm.Client, topic string) (time.Duration, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return 0, err
	}
	kept, deletes := KeptForever, true
	for _, config := range configs {
		if config.Err != nil {
			return 0, config.Err
		}
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
	return kept, nil
}

// keptMax is the longest retention that is told from a longer one.
const keptMax = 100 * 365 * 24 * time.Hour
