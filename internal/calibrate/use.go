package calibrate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"

	"sluice/buffer/redisstore"
	"sluice/internal/pipeline"
	"sluice/internal/wallclock"
)

// ErrInUse means that others use a server, so that measuring would disturb them, and they the
// measuring.
var ErrInUse = errors.New("is in use")

// clientName is how Redis knows the connections of a calibration.
const clientName = "sluice-calibrate"

// watchFor is how long the servers are watched before they count as idle.
const watchFor = time.Second

// CheckUse returns an error, ErrInUse, that names every sign of others on the servers: clients and keys
// of Redis, commands that it serves, members of groups of Kafka, topics that grow. It changes nothing
// there.
func CheckUse(ctx context.Context, redis pipeline.Redis, kafka pipeline.Kafka) error {
	r, k, err := connect(redis, kafka)
	if err != nil {
		return err
	}
	defer r.Close()
	defer k.Close()
	before, err := lookAt(ctx, r, kadm.NewClient(k))
	if err != nil {
		return err
	}
	if err := (wallclock.Clock{}).Sleep(ctx, watchFor); err != nil {
		return err
	}
	after, err := lookAt(ctx, r, kadm.NewClient(k))
	if err != nil {
		return err
	}
	return after.signs(before)
}

// sight is what is seen of others on the servers at a moment.
type sight struct {
	clients  int
	keys     int64
	commands int64            // that Redis has served, of anybody
	members  map[string]int   // of groups
	ends     map[string]int64 // of topics: the sum over partitions
}

// commandsMax is how many commands the calibration itself has between two looks, at the very most.
const commandsMax = 100

// signs returns the signs of use between two looks.
func (s sight) signs(before sight) error {
	var signs []error
	found := func(of, format string, args ...any) {
		signs = append(signs, fmt.Errorf("%s %w: %s", of, ErrInUse, fmt.Sprintf(format, args...)))
	}
	if s.clients > 0 {
		found("redis", "it has %d other clients", s.clients)
	}
	if s.keys > 0 {
		found("redis", "it holds %d keys; simulate clean removes those that runs have left", s.keys)
	}
	if served := s.commands - before.commands; served > commandsMax {
		found("redis", "it has served %d commands within %v", served, watchFor)
	}
	for _, group := range slices.Sorted(maps.Keys(s.members)) {
		found("kafka", "group %s has %d members", group, s.members[group])
	}
	for _, topic := range slices.Sorted(maps.Keys(s.ends)) {
		if grown := s.ends[topic] - before.ends[topic]; grown > 0 {
			found("kafka", "topic %s has grown by %d messages within %v", topic, grown, watchFor)
		}
	}
	return errors.Join(signs...)
}

func lookAt(
	ctx context.Context, redis rueidis.Client, kafka *kadm.Client,
) (s sight, err error) {
	s = sight{members: map[string]int{}, ends: map[string]int64{}}
	for address, node := range redis.Nodes() {
		if err := s.lookAtNode(ctx, node); err != nil {
			return s, fmt.Errorf("look who uses redis %s: %w", address, err)
		}
	}
	groups, err := kafka.DescribeGroups(ctx) // all of them
	if err != nil {
		return s, fmt.Errorf("look who uses kafka: %w", err)
	}
	for name, group := range groups {
		if n := len(group.Members); n > 0 {
			s.members[name] = n
		}
	}
	ends, err := kafka.ListEndOffsets(ctx)
	if err != nil {
		return s, fmt.Errorf("look who uses kafka: %w", err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		s.ends[o.Topic] += o.Offset
	})
	return s, nil
}

// lookAtNode adds what is seen of a node of Redis.
func (s *sight) lookAtNode(ctx context.Context, node rueidis.Client) error {
	list, err := node.Do(ctx, node.B().ClientList().Build()).ToString()
	if err != nil {
		return err
	}
	for line := range strings.Lines(list) {
		replica := strings.Contains(line, " flags=S") || strings.Contains(line, " flags=M")
		if !strings.Contains(line, " name="+clientName) && !replica {
			s.clients++
		}
	}
	stats, err := node.Do(ctx, node.B().Info().Section("stats").Build()).ToString()
	if err != nil {
		return err
	}
	text, _ := redisstore.InfoField(stats, "total_commands_processed")
	served, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return err
	}
	s.commands += served
	keys, err := node.Do(ctx, node.B().Dbsize().Build()).AsInt64()
	s.keys += keys
	return err
}
