package wall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
)

// Reserved are names on servers that outlive who uses them, which no run has, with the topics of these
// names; simulate clean knows them if they are left behind.
type Reserved struct {
	Run, Namespace, Group  string
	Input, Output, Letters string

	redis, kafka []string
	pulse        *pulse
	pulsing      sync.WaitGroup
	end          context.CancelFunc
}

// Reserve makes topics of a name of their own for something that is no run, of so many partitions.
func Reserve(
	ctx context.Context, what string, redis, kafka []string, partitions int,
) (_ *Reserved, err error) {
	n := newNames(what, time.Now())
	r := &Reserved{Run: n.run, Namespace: n.namespace, Group: n.group, Input: n.input, Output: n.output,
		Letters: n.letters, redis: redis, kafka: kafka}
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	r.end = end
	// The sign of life comes before anything else.
	if r.pulse, err = startPulse(ctx, redis, n.alive); err != nil {
		end()
		return nil, fmt.Errorf("redis %s: %w", strings.Join(redis, ","), err)
	}
	r.pulsing.Go(func() { r.pulse.run(work) })
	_, err = kafkaio.CreateTopics(ctx, kafkaio.DefaultConfig(kafka...), int32(partitions),
		kafkaio.BrokerDefault, r.Input, r.Output, r.Letters)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Close removes the topics, the group and every key of the namespace.
func (r *Reserved) Close() error {
	r.end()
	r.pulsing.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), removeMax)
	defer cancel()
	err := removeKeys(ctx, r.pulse.client, r.Namespace+"*", func(string) bool { return true })
	client, err2 := kgo.NewClient(kgo.SeedBrokers(r.kafka...))
	if err2 == nil {
		err2 = removeTopics(ctx, client, r.Group, r.Input, r.Output, r.Letters)
		client.Close()
	}
	if err = errors.Join(err, err2); err != nil {
		err = fmt.Errorf("remove %s from the servers, which simulate clean can do later: %w", r.Run, err)
	}
	return errors.Join(err, r.pulse.close())
}
