package harness

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
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
	if err != nil || topology.OutputRecordMax == 0 {
		return err
	}
	// What the broker judges is a batch; one with a single record is a little larger than that.
	return w.alterOutput(kadm.AlterConfig{
		Op: kadm.SetConfig, Name: "max.message.bytes",
		Value: kadm.StringPtr(strconv.FormatInt(int64(topology.OutputRecordMax), 10)),
	})
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
	_, err = admin.DeleteTopics(ctx, w.input, w.output, w.letters)
	_, err2 := admin.DeleteGroup(ctx, w.group)
	return errors.Join(err, err2)
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
