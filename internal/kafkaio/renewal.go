package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// renewals lets a producing client forget topics that were deleted and created again: it knows a
// topic by its id, and would be refused for ever. The zero value is ready.
type renewals struct {
	mu      sync.Mutex
	under   map[string]bool // topics that are being forgotten
	forgets sync.WaitGroup
}

// note looks at the error of a record. What was handed over for a topic that is being forgotten
// fails, too, and is to be handed over again.
func (r *renewals) note(client *kgo.Client, topic string, err error) {
	if !errors.Is(err, kerr.UnknownTopicID) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.under[topic] {
		return
	}
	if r.under == nil {
		r.under = make(map[string]bool)
	}
	r.under[topic] = true
	r.forgets.Go(func() { // not on the client's own goroutine, which it waits for
		client.PurgeTopicsFromProducing(topic)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.under, topic)
	})
}

// wait returns when nothing is being forgotten any more. The client is to be closed before.
func (r *renewals) wait() { r.forgets.Wait() }

const (
	// renewedAfter is for how long a topic's id must be unknown: brokers hear of a new topic one
	// after the other.
	renewedAfter = 3 * time.Second
	// renewedAskMax bounds the question.
	renewedAskMax = time.Second
)

// renewed returns an error if the topic was deleted and created again. What was read of it, and not
// yet committed, is of a topic that is gone, and its offsets mean nothing in the other.
func (s *Source) renewed(ctx context.Context) error {
	if s.troubles.Of(fetching) == nil {
		s.lookForTopic(ctx)
		return nil
	}
	if s.troubledFor() < renewedAfter || !errors.Is(s.troubles.Of(fetching), kerr.UnknownTopicID) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, renewedAskMax)
	defer cancel()
	topics, err := kadm.NewClient(s.client).ListTopics(ctx, s.cfg.Topic)
	if err != nil || !topics.Has(s.cfg.Topic) {
		return nil
	}
	return fmt.Errorf("topic %s was deleted and created again, with %d partitions: it is read from its "+
		"start after another start of the program", s.cfg.Topic, len(topics[s.cfg.Topic].Partitions))
}

// lookForTopic asks for the topic if nothing of it is fetched although it should be, and notes that it
// is not there: a client that looks for offsets of a topic that was deleted does so for ever, and says
// nothing.
func (s *Source) lookForTopic(ctx context.Context) {
	if s.touch.well() || !s.assignment.wanted() {
		s.starved = time.Time{}
		return
	}
	now := time.Now()
	if s.starved.IsZero() {
		s.starved = now
	}
	if now.Sub(s.starved) < renewedAfter || now.Sub(s.looked) < renewedAfter {
		return
	}
	s.looked = now
	ctx, cancel := context.WithTimeout(ctx, renewedAskMax)
	defer cancel()
	topics, err := kadm.NewClient(s.client).ListTopics(ctx, s.cfg.Topic)
	if err == nil && !topics.Has(s.cfg.Topic) {
		s.troubles.Fails(fetching, "fetch", fmt.Errorf("topic %s: %w", s.cfg.Topic,
			kerr.UnknownTopicOrPartition))
	}
}

// troubledFor returns for how long fetching has failed. If it has not failed again for a while, and
// the brokers answer, it is over: there is only nothing to read.
func (s *Source) troubledFor() time.Duration {
	for _, t := range s.troubles.All() {
		if t.Operation != fetching {
			continue
		}
		if time.Since(t.Last) < s.touch.fetchAgeMax || !s.touch.well() {
			return time.Since(t.Since)
		}
		s.troubles.Works(fetching)
	}
	return 0
}
