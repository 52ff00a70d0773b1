package kafkaio

import (
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// renewable is a producing client that does not fail for ever of what is over. The client itself would:
//
//   - It knows a topic by its id, and is refused one that was deleted and created again. So it is made
//     to forget the topic.
//   - It keeps a broker's refusal of a producer id, and gives it to every record without asking again.
//     So another client takes its place.
type renewable struct {
	opts []kgo.Opt

	mu       sync.Mutex
	client   *kgo.Client // made when it is first needed
	closed   bool
	under    map[string]bool // topics that are being forgotten
	doubted  *kgo.Client     // it is being found out whether it has a producer id
	renewals sync.WaitGroup
}

// get returns the client of now.
func (r *renewable) get() (*kgo.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, kgo.ErrClientClosed
	}
	if r.client == nil {
		client, err := kgo.NewClient(r.opts...)
		if err != nil {
			return nil, err
		}
		r.client = client
	}
	return r.client, nil
}

// note looks at the error of a record. What was handed over for a topic that is being forgotten, or to
// a client that is being replaced, fails, too, and is to be handed over again.
func (r *renewable) note(client *kgo.Client, topic string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case errors.Is(err, kerr.UnknownTopicID) && !r.under[topic]:
		if r.under == nil {
			r.under = make(map[string]bool)
		}
		r.under[topic] = true
		r.renewals.Go(func() { r.forget(client, topic) }) // not on the client's own goroutine, which it waits for
	case isFinal(err) && client == r.client && client != r.doubted && !r.closed:
		r.doubted = client
		r.renewals.Go(func() { r.replace(client) })
	}
}

func (r *renewable) forget(client *kgo.Client, topic string) {
	client.PurgeTopicsFromProducing(topic)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.under, topic)
}

// replace ends a client that was refused a producer id; get makes another one then, since the first must be
// closed before: a Flush of the next would not wait for what it holds.
func (r *renewable) replace(client *kgo.Client) {
	_, _, err := client.ProducerID(client.Context())
	refused := isFinal(err) // else the record was refused for another reason
	if refused {
		client.Close()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.doubted == client {
		r.doubted = nil
	}
	if refused && r.client == client && !r.closed {
		r.client = nil
	}
}

// isFinal tells whether a broker has refused something and the client does not ask again.
func isFinal(err error) bool {
	refusal, is := errors.AsType[*kerr.Error](err)
	return is && !refusal.Retriable
}

// close ends the client, and returns when nothing is being renewed any more.
func (r *renewable) close() {
	r.mu.Lock()
	r.closed = true
	client := r.client
	r.mu.Unlock()
	if client != nil {
		client.Close()
	}
	r.renewals.Wait()
}
