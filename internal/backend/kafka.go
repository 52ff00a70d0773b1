package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/options"
	"sluice/internal/pipeline"
)

// Topics are where the checks of a Kafka are made.
type Topics struct {
	Input, Output, Letters, Group string
	// Create makes the topics.
	Create func(context.Context) error
}

const (
	// groupMax bounds joining a group and reading from it: a broker may let the first member wait.
	groupMax = 30 * time.Second
	// leaveMax bounds leaving it.
	leaveMax = 5 * time.Second
)

// Kafka makes the checks of a Kafka and says how each went. It returns whether all passed.
func Kafka(ctx context.Context, at pipeline.Kafka, topics Topics, say func(Check)) bool {
	t := trial{topics: topics}
	var err error
	silent := slog.New(slog.DiscardHandler) // the checks say it
	if t.config, err = at.Connection(silent); err == nil {
		t.config.CheckTimeout = answerMax
	}
	reach := func(ctx context.Context) error { return reachKafka(ctx, at) }
	return series(ctx, "kafka", reach, say, []step{
		{"connection", func(ctx context.Context) (string, error) {
			if err != nil {
				return "", err
			}
			found, err := t.cluster(ctx)
			return found, pipeline.Advised(ctx, err, at.Routes, at.Brokers, at.TLS.Enabled)
		}},
		{"create topics", func(ctx context.Context) (string, error) {
			return "", topics.Create(ctx)
		}},
		{"produce", t.produce},
		{"read in a group", func(ctx context.Context) (string, error) { return "", t.read(ctx, "1") }},
		// What was committed must not come again.
		{"go on where it stopped", func(ctx context.Context) (string, error) {
			if err := t.send(ctx, topics.Input, "2"); err != nil {
				return "", err
			}
			return "", t.read(ctx, "2")
		}},
	})
}

// trial is the checks in progress.
type trial struct {
	topics Topics
	config kafkaio.Config
}

// cluster returns what the cluster is.
func (t *trial) cluster(ctx context.Context) (string, error) {
	if err := kafkaio.Check(ctx, t.config); err != nil {
		return "", err
	}
	client, err := kgo.NewClient(t.config.Dialing()...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	admin := kadm.NewClient(client)
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return "", err
	}
	version := "which does not tell its version"
	if all, err := admin.ApiVersions(ctx); err == nil {
		for _, broker := range all.Sorted() {
			if broker.Err == nil {
				version = "it speaks the protocol of Kafka " + broker.VersionGuess()
				break
			}
		}
	}
	return fmt.Sprintf("%s, %s", options.FormatCount(len(brokers), "broker"), version), nil
}

// produce sends a record to each topic as workers do.
func (t *trial) produce(ctx context.Context) (string, error) {
	for _, topic := range []string{t.topics.Output, t.topics.Letters, t.topics.Input} {
		if err := t.send(ctx, topic, "1"); err != nil {
			return "", err
		}
	}
	return "acks=all, idempotent", nil
}

func (t *trial) send(ctx context.Context, topic, value string) error {
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	p, err := kafkaio.NewProducer(ctx, t.config, kafkaio.DefaultProducerConfig(topic))
	if err != nil {
		return err
	}
	defer p.Close()
	err = p.Produce(ctx, flusher.Record{Topic: topic, Value: []byte(value)}).Wait(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("produce to %s: no acknowledgement within %v", topic, answerMax)
	}
	return err
}

// read joins the group, reads up to a message that no other may come before, and commits it.
func (t *trial) read(ctx context.Context, want string) error {
	ctx, cancel := context.WithTimeout(ctx, groupMax)
	defer cancel()
	source, err := kafkaio.NewSource(t.config,
		kafkaio.DefaultSourceConfig(t.topics.Input, t.topics.Group))
	if err != nil {
		return err
	}
	defer leave(source)
	for {
		fetch, err := source.Poll(ctx, 100, time.Second)
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("group %s: nothing could be read within %v: %w", t.topics.Group, groupMax,
				errors.Join(troubles(source), err))
		}
		if err != nil {
			return err
		}
		for _, batch := range fetch.Batches {
			if came := batch.Messages; string(came[0].Value) != want || len(came) > 1 {
				return fmt.Errorf("%w: %d messages came, the first %q, want %q alone", errWrong, len(came),
					came[0].Value, want)
			}
			return source.Commit(ctx, batch.Messages)
		}
	}
}

// leave closes a source, but does not wait for a group that does not let it go.
func leave(source *kafkaio.Source) {
	left := make(chan struct{})
	go func() {
		defer close(left)
		source.Close()
	}()
	select {
	case <-left:
	case <-time.After(leaveMax):
	}
}

// troubles returns why nothing can be read, if the source knows.
func troubles(s *kafkaio.Source) error {
	for _, t := range s.Troubles().All() {
		return t.Err
	}
	return nil
}
