package kafkaio

import (
	"errors"
	"sync"

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
