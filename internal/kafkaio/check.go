package kafkaio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// MissingTopicsError names topics that do not exist.
type MissingTopicsError struct {
	Topics []string
	where  string
}

// Error names the topics and the cluster.
func (e *MissingTopicsError) Error() string {
	return fmt.Sprintf("%s has no topic %s: create it, or let it be created at start",
		e.where, strings.Join(e.Topics, ", "))
}

// Check asks the cluster, within CheckTimeout, whether it answers and has the topics. The error
// names the addresses and the cause, or is a *MissingTopicsError.
func Check(ctx context.Context, cfg Config, topics ...string) error {
	return ask(ctx, cfg, func(ctx context.Context, admin *kadm.Client) error {
		missing, err := missingTopics(ctx, admin, topics)
		if err == nil && len(missing) > 0 {
			err = &MissingTopicsError{Topics: missing, where: cfg.where()}
		}
		return err
	})
}

// Partitions returns how many partitions a topic has, within CheckTimeout.
func Partitions(ctx context.Context, cfg Config, topic string) (n int, err error) {
	err = ask(ctx, cfg, func(ctx context.Context, admin *kadm.Client) error {
		details, err := admin.ListTopics(ctx, topic)
		if err == nil {
			err = details[topic].Err
		}
		n = len(details[topic].Partitions)
		return err
	})
	return n, err
}

// BrokerDefault as the number of partitions or replicas of a new topic leaves it to the broker.
const BrokerDefault = -1

// CreateTopics creates those of the topics that do not exist, and returns their names. partitions
// and replication may be BrokerDefault.
func CreateTopics(
	ctx context.Context, cfg Config, partitions int32, replication int16, topics ...string,
) ([]string, error) {
	var created []string
	err := ask(ctx, cfg, func(ctx context.Context, admin *kadm.Client) error {
		missing, err := missingTopics(ctx, admin, topics)
		if err != nil || len(missing) == 0 {
			return err
		}
		answers, err := admin.CreateTopics(ctx, partitions, replication, nil, missing...)
		if err != nil {
			return err
		}
		for _, answer := range answers.Sorted() {
			switch {
			case answer.Err == nil:
				created = append(created, answer.Topic)
			case !errors.Is(answer.Err, kerr.TopicAlreadyExists):
				return fmt.Errorf("create topic %q: %w %s", answer.Topic, answer.Err, answer.ErrMessage)
			}
		}
		return awaitTopics(ctx, admin, missing)
	})
	return created, err
}

// awaitTopics returns when the brokers' metadata shows the topics: the answer to a creation may
// be ahead of it.
func awaitTopics(ctx context.Context, admin *kadm.Client, topics []string) error {
	for {
		missing, err := missingTopics(ctx, admin, topics)
		if err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topic %s was created but is not there: %w",
				strings.Join(missing, ", "), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// missingTopics returns, sorted, those of the topics that do not exist.
func missingTopics(ctx context.Context, admin *kadm.Client, topics []string) ([]string, error) {
	if len(topics) == 0 {
		_, err := admin.BrokerMetadata(ctx)
		return nil, err
	}
	details, err := admin.ListTopics(ctx, topics...)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, topic := range topics {
		detail, ok := details[topic]
		switch {
		case !ok || errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, topic)
		case detail.Err != nil && !kerr.IsRetriable(detail.Err):
			return nil, fmt.Errorf("topic %q: %w", topic, detail.Err)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

// ask runs one question with a client of its own, bounded by CheckTimeout.
func ask(
	ctx context.Context, cfg Config, question func(context.Context, *kadm.Client) error,
) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cause := &lastFailure{}
	cfg.Hooks = nil
	client, err := kgo.NewClient(append(cfg.options(cause), // no log: at start the error says it
		kgo.RequestRetries(2),
		kgo.RetryTimeout(cfg.CheckTimeout),
		kgo.DialTimeout(cfg.CheckTimeout),
		kgo.MetadataMinAge(10*time.Millisecond), // answers are cached for that long
		// The client waits this long for an answer that the context has given up.
		kgo.RequestTimeoutOverhead(max(cfg.CheckTimeout, 100*time.Millisecond)))...)
	if err != nil {
		return fmt.Errorf("%s: %w", cfg.where(), err)
	}
	defer client.Close()
	bounded, cancel := context.WithTimeout(ctx, cfg.CheckTimeout)
	defer cancel()
	err = question(bounded, kadm.NewClient(client))
	_, missing := errors.AsType[*MissingTopicsError](err)
	switch {
	case err == nil, missing:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil, timedOut(cause.or(err)):
		// "deadline exceeded" says nothing; the last failed attempt to connect does.
		return fmt.Errorf("%s did not answer within %v: %w",
			cfg.where(), cfg.CheckTimeout, cause.or(err))
	}
	return fmt.Errorf("%s: %w", cfg.where(), cause.or(err))
}

// timedOut tells whether nobody took a connection in time, which is noticed a moment before or after
// the time for an answer is over.
func timedOut(err error) bool {
	failed, ok := errors.AsType[net.Error](err)
	return ok && failed.Timeout()
}

// lastFailure remembers why a connection could not be made.
type lastFailure struct{ err atomic.Pointer[error] }

// OnBrokerConnect is called by the client with the outcome of every attempt to connect.
func (f *lastFailure) OnBrokerConnect(
	meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error,
) {
	if err != nil {
		err = fmt.Errorf("connect to %s:%d: %w", meta.Host, meta.Port, err)
	}
	f.err.Store(&err)
}

// or returns the failure to connect if there was one, else err.
func (f *lastFailure) or(err error) error {
	if failed := f.err.Load(); failed != nil {
		return cmp.Or(*failed, err)
	}
	return err
}
