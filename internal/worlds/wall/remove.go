package wall

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
)

const (
	// removeMax is how long the removal may take, from Redis and from Kafka each.
	removeMax = 20 * time.Second
	// silentMax is how long either may leave the first question unanswered: one that hangs is not waited
	// for any longer.
	silentMax = 10 * time.Second
)

// remove removes a run's keys and its sign of life, and its topics and group, from both servers at
// once: one that does not answer must not use up the time of the other. A nil pulse means that there
// are no keys, and a nil Kafka that there are no topics.
func (n names) remove(redis *pulse, kafka *kafkaio.Config) error {
	ctx, cancel := context.WithTimeout(context.Background(), removeMax)
	defer cancel()
	var keys, topics error
	var both sync.WaitGroup
	if redis != nil {
		both.Go(func() { keys = n.removeKeys(ctx, redis) })
	}
	if kafka != nil {
		both.Go(func() { topics = n.removeTopics(ctx, *kafka) })
	}
	both.Wait()
	err := errors.Join(keys, topics)
	if err != nil {
		err = fmt.Errorf("remove %s from the servers, which simulate clean can do later: %w", n.run, err)
	}
	return err
}

func (n names) removeKeys(ctx context.Context, redis *pulse) error {
	if err := redis.ask(ctx); err != nil {
		return err
	}
	err := removeKeys(ctx, redis.client, n.namespace+"*", everything)
	return errors.Join(err, redis.end(ctx)) // last: until then nobody else removes them
}

func (n names) removeTopics(ctx context.Context, kafka kafkaio.Config) error {
	kafka.CheckTimeout = silentMax
	if err := kafkaio.Check(ctx, kafka); err != nil {
		return err
	}
	// A broker that is being stopped closes connections that it has just accepted.
	client, err := kgo.NewClient(append(kafka.Dialing(), kgo.AlwaysRetryEOF(), freshMetadata)...)
	if err != nil {
		return err
	}
	defer client.Close()
	return removeTopics(ctx, client, n.group, n.input, n.output, n.letters)
}
