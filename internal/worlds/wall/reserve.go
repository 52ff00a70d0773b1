package wall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"sluice/internal/kafkaio"
)

// Reserved are names on servers that outlive who uses them, which no run has; simulate clean knows
// what is left behind under them.
type Reserved struct {
	Run, Namespace, Group  string
	Input, Output, Letters string

	redis, kafka []string
	access       Access
	pulse        *pulse // nil: no sign of life was given
	pulsing      sync.WaitGroup
	end          context.CancelFunc
	made         bool // there may be topics
}

// Name returns names for something that is no run. Nothing is there yet.
func Name(what string, redis, kafka []string, access Access) *Reserved {
	n := newNames(what, time.Now())
	return &Reserved{Run: n.run, Namespace: n.namespace, Group: n.group, Input: n.input,
		Output: n.output, Letters: n.letters, redis: redis, kafka: kafka, access: access}
}

// Reserve is Name with a sign of life and topics, of so many partitions.
func Reserve(
	ctx context.Context, what string, redis, kafka []string, access Access, partitions int,
) (*Reserved, error) {
	r := Name(what, redis, kafka, access)
	err := r.Live(ctx) // comes before anything else
	if err == nil {
		err = r.CreateTopics(ctx, partitions)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// Live gives signs of life in Redis from now on, so that nobody takes what is there for left behind.
func (r *Reserved) Live(ctx context.Context) (err error) {
	r.pulse, err = startPulse(ctx, r.redis, r.access, namesOf(r.Run).alive)
	if err != nil {
		return fmt.Errorf("redis %s: %w", strings.Join(r.redis, ","), err)
	}
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	r.end = end
	r.pulsing.Go(func() { r.pulse.run(work) })
	return nil
}

// CreateTopics makes the three topics.
func (r *Reserved) CreateTopics(ctx context.Context, partitions int) error {
	connection, err := r.access.Kafka(r.kafka).Connection(nil)
	if err != nil {
		return err
	}
	created, err := kafkaio.CreateTopics(ctx, connection, int32(partitions), kafkaio.BrokerDefault,
		r.Input, r.Output, r.Letters)
	_, refused := errors.AsType[*kerr.Error](err)
	r.made = len(created) > 0 || !refused // the answer may have been lost
	return err
}

// Close removes the topics, the group and every key of the namespace.
func (r *Reserved) Close() error {
	if r.pulse != nil {
		r.end()
		r.pulsing.Wait()
		defer r.pulse.client.Close()
	}
	if !r.made {
		return namesOf(r.Run).remove(r.pulse, nil)
	}
	kafka, err := r.access.Kafka(r.kafka).Connection(nil)
	return errors.Join(err, namesOf(r.Run).remove(r.pulse, &kafka))
}
