package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// endpoints are the world's Redis and Kafka, with names that no other run uses.
type endpoints struct {
	redis, kafka           []string
	namespace              string
	input, output, letters string
	group                  string
	close                  func() error
}

// openWorld starts or names the servers. close removes what the run left on them.
func openWorld(c Config) (*endpoints, error) {
	var unique [4]byte
	if _, err := rand.Read(unique[:]); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("sluice-sim-%s-%s", c.Scenario.Name, hex.EncodeToString(unique[:]))
	s := &endpoints{
		redis: c.Redis, kafka: c.Kafka, namespace: name + ":", group: name,
		input: name + "-spans", output: name + "-segments", letters: name + "-dlq",
	}
	if c.World == WorldReal {
		s.close = s.removeAll
		return s, nil
	}
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("start the fake Redis: %w", err)
	}
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		redis.Close()
		return nil, fmt.Errorf("start the fake Kafka: %w", err)
	}
	s.redis, s.kafka = []string{redis.Addr()}, kafka.ListenAddrs()
	s.close = func() error {
		kafka.Close()
		redis.Close()
		return nil
	}
	return s, nil
}

// removeMax is how long the removal may take.
const removeMax = 20 * time.Second

// removeAll deletes the run's topics, group and keys.
func (s *endpoints) removeAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), removeMax)
	defer cancel()
	err := errors.Join(s.removeTopics(ctx), s.removeKeys(ctx))
	if err != nil {
		err = fmt.Errorf("remove what the run left on the servers: %w", err)
	}
	return err
}

func (s *endpoints) removeTopics(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka...))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.DeleteTopics(ctx, s.input, s.output, s.letters)
	_, err2 := admin.DeleteGroup(ctx, s.group)
	return errors.Join(err, err2)
}

func (s *endpoints) removeKeys(ctx context.Context) error {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: s.redis, DisableCache: true})
	if err != nil {
		return err
	}
	defer client.Close()
	var errs []error
	for _, node := range client.Nodes() {
		for cursor := uint64(0); ; {
			page, err := node.Do(ctx, node.B().Scan().Cursor(cursor).Match(s.namespace+"*").
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
