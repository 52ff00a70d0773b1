package wall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
	"sluice/scenarios"
)

// DialMax bounds connecting to a server.
const DialMax = 10 * time.Second

// createTopics makes the run's topics, those that take what comes out with what is wanted of them.
func (s *System) createTopics(ctx context.Context) error {
	topology := s.setup.Scenario.Topology
	made, err := kafkaio.CreateTopics(ctx, s.harnessConfig(), int32(topology.Partitions), kafkaio.BrokerDefault,
		s.input, s.output, s.letters)
	s.made = len(made) > 0
	if err != nil {
		return err
	}
	if hear := s.servers.Made; hear != nil {
		for _, topic := range []string{s.input, s.output, s.letters} {
			if err := hear(topic, topology.Partitions); err != nil {
				return err
			}
		}
	}
	settings := maps.Clone(s.servers.Takers)
	if topology.OutputRecordMax > 0 {
		if settings == nil {
			settings = map[string]int64{}
		}
		// What the broker judges is a batch; one with a single record is a little larger than that.
		settings["max.message.bytes"] = int64(topology.OutputRecordMax)
	}
	if err := s.set(ctx, s.output, settings); err != nil {
		return err
	}
	return s.set(ctx, s.letters, s.servers.Takers)
}

// set changes settings of a topic.
func (s *System) set(ctx context.Context, topic string, settings map[string]int64) error {
	var changes []kadm.AlterConfig
	for name, value := range settings {
		changes = append(changes, kadm.AlterConfig{
			Op: kadm.SetConfig, Name: name, Value: kadm.StringPtr(strconv.FormatInt(value, 10)),
		})
	}
	if len(changes) == 0 {
		return nil
	}
	return s.Administer(ctx, func(ctx context.Context, admin *kadm.Client) error {
		answers, err := admin.AlterTopicConfigs(ctx, changes, topic)
		if err == nil {
			_, err = answers.On(topic, func(r *kadm.AlterConfigsResponse) error { return r.Err })
		}
		if err != nil {
			return fmt.Errorf("set %v of topic %s: %w", settings, topic, err)
		}
		return nil
	})
}

// administerMax bounds a change of topics.
const administerMax = 10 * time.Second

// Administer does something to topics, with a client of its own.
func (s *System) Administer(
	ctx context.Context, do func(ctx context.Context, admin *kadm.Client) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, administerMax)
	defer cancel()
	client, err := kgo.NewClient(s.harnessOpts()...)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(ctx, kadm.NewClient(client))
}

// deleteGroup deletes a group that has no members; that there is none is no error.
func deleteGroup(ctx context.Context, admin *kadm.Client, group string) error {
	answer, err := admin.DeleteGroup(ctx, group)
	if err = cmp.Or(err, answer.Err); errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return err
}

// Failing are the topics that take nothing while the broker fails: output and dead letters; of a partition
// that fails the output's alone.
func (s *System) Failing(t scenarios.Target) []string {
	if t.Kind == scenarios.TargetPartition {
		return []string{s.output}
	}
	return []string{s.output, s.letters}
}

// Redis are the addresses of Redis.
func (s *System) Redis() []string { return s.redis }

// Partitions are those of each topic.
func (s *System) Partitions() []int32 {
	all := make([]int32, s.setup.Scenario.Topology.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	return all
}
