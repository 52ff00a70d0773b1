package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
	"sluice/internal/servers"
)

// dialMax bounds connecting to a server.
const dialMax = 10 * time.Second

// createTopics makes the run's topics, the output topic with what the scenario wants of it.
func (w *world) createTopics(ctx context.Context) error {
	c := kafkaio.DefaultConfig(w.kafka...)
	c.Routes = w.ownRoutes
	topology := w.cfg.Scenario.Topology
	made, err := kafkaio.CreateTopics(ctx, c, int32(topology.Partitions), kafkaio.BrokerDefault,
		w.input, w.output, w.letters)
	w.made = len(made) > 0
	if err != nil {
		return err
	}
	settings := map[string]int64{}
	if topology.OutputRecordMax > 0 {
		// What the broker judges is a batch; one with a single record is a little larger than that.
		settings["max.message.bytes"] = int64(topology.OutputRecordMax)
	}
	if w.cfg.failsProduce() && w.cfg.Servers != ServersGiven {
		settings["min.insync.replicas"] = 2 // see replicate
	}
	return w.setOutput(ctx, settings)
}

// setOutput changes settings of the output topic.
func (w *world) setOutput(ctx context.Context, settings map[string]int64) error {
	var changes []kadm.AlterConfig
	for name, value := range settings {
		changes = append(changes, kadm.AlterConfig{
			Op: kadm.SetConfig, Name: name, Value: kadm.StringPtr(strconv.FormatInt(value, 10)),
		})
	}
	if len(changes) == 0 {
		return nil
	}
	return w.administer(ctx, func(ctx context.Context, admin *kadm.Client) error {
		answers, err := admin.AlterTopicConfigs(ctx, changes, w.output)
		if err == nil {
			_, err = answers.On(w.output, func(r *kadm.AlterConfigsResponse) error { return r.Err })
		}
		if err != nil {
			return fmt.Errorf("set %v of topic %s: %w", settings, w.output, err)
		}
		return nil
	})
}

// replicate puts a second replica of partitions of the output topic on the broker that is never
// there, or takes it away. With it there are fewer replicas in sync than the topic wants, and the
// broker takes no record.
func (w *world) replicate(partitions []int32, absent bool) error {
	changes := kadm.AlterPartitionAssignmentsReq{}
	for _, p := range partitions {
		if absent {
			changes.Assign(w.output, p, []int32{servers.FirstBroker, servers.AbsentBroker})
		} else {
			changes.CancelAssign(w.output, p)
		}
	}
	return w.administer(context.Background(), func(ctx context.Context, admin *kadm.Client) error {
		answers, err := admin.AlterPartitionAssignments(ctx, changes)
		if err = errors.Join(err, answers.Error()); err != nil {
			return fmt.Errorf("change the replicas of topic %s: %w", w.output, err)
		}
		return nil
	})
}

// partitions are those of each topic.
func (w *world) partitions() []int32 {
	all := make([]int32, w.cfg.Scenario.Topology.Partitions)
	for p := range all {
		all[p] = int32(p)
	}
	return all
}

// administerMax bounds a change of topics.
const administerMax = 10 * time.Second

// administer does something to topics, with a client of its own.
func (w *world) administer(
	ctx context.Context, do func(ctx context.Context, admin *kadm.Client) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, administerMax)
	defer cancel()
	client, err := kgo.NewClient(w.harnessOpts()...)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(ctx, kadm.NewClient(client))
}

// removeMax is how long the removal may take.
const removeMax = 20 * time.Second

// removeAll deletes the run's topics, group and keys.
func (w *world) removeAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeMax)
	defer cancel()
	err := errors.Join(w.removeTopics(ctx), w.removeKeys(ctx))
	if err != nil {
		err = fmt.Errorf("remove what the run left on the servers: %w", err)
	}
	return err
}

func (w *world) removeTopics(ctx context.Context) error {
	client, err := kgo.NewClient(w.harnessOpts()...)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.DeleteTopics(ctx, w.input, w.output, w.letters)
	return errors.Join(cmp.Or(err, topics.Error()), emptyGroup(ctx, client, w.group),
		deleteGroup(ctx, admin, w.group))
}

// deleteGroup deletes a group that has no members; that there is none is no error.
func deleteGroup(ctx context.Context, admin *kadm.Client, group string) error {
	answer, err := admin.DeleteGroup(ctx, group)
	if err = cmp.Or(err, answer.Err); errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return err
}

func (w *world) removeKeys(ctx context.Context) error {
	client, err := w.dialRedis()
	if err != nil {
		return err
	}
	defer client.Close()
	var errs []error
	for _, node := range client.Nodes() {
		for cursor := uint64(0); ; {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(w.namespace+"*").
				Count(1000).Build()).AsScanEntry()
			if err != nil {
				errs = append(errs, err)
				break
			}
			for _, key := range page.Elements {
				errs = append(errs, client.Do(ctx, client.B().Unlink().Key(key).Build()).Error())
			}
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	return errors.Join(errs...)
}
