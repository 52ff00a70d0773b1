package kafkaio

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
)

// solo judges records alone that were refused in a batch. A broker refuses a batch as a whole, so
// with a limit below what the client believes (it was lowered, or the client may not read it) a
// small record would be taken for one that is too large, and end in the dead-letter topic:
//
//	topic takes 500 kB, client batches to 1 MB
//	batch of 900 records of 1 kB: MESSAGE_TOO_LARGE for each of them
//	each alone: taken
type solo struct {
	cfg    Config
	client *renewable // made when it is first needed

	turn chan struct{} // holds one: who has it may produce

	mu      sync.Mutex
	pending []*future // not yet judged
}

func newSolo(cfg Config, compression kgo.Opt) *solo {
	client := &renewable{opts: append(cfg.options(cfg.brokers("producer")), compression,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchMaxBytes(batchBytesMax),
		kgo.ProducerLinger(0))}
	s := &solo{cfg: cfg, client: client, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// judge finishes the future with the outcome of sending the record in a batch of its own:
// flusher.ErrRecordTooLarge if the broker does not take it like that either. It returns at once.
func (s *solo) judge(ctx context.Context, record *kgo.Record, f *future) {
	s.mu.Lock()
	s.pending = append(s.pending, f)
	s.mu.Unlock()
	go func() {
		err := s.produce(ctx, record)
		s.mu.Lock()
		s.pending = slices.DeleteFunc(s.pending, func(p *future) bool { return p == f })
		s.mu.Unlock()
		f.finish(err)
	}()
}

func (s *solo) produce(ctx context.Context, record *kgo.Record) error {
	select {
	case <-s.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	client, err := s.client.get()
	if err != nil {
		return fmt.Errorf("%s: producer: %w", s.cfg.where(), err)
	}
	again := &kgo.Record{
		Topic: record.Topic, Key: record.Key, Value: record.Value, Headers: record.Headers,
	}
	err = client.ProduceSync(ctx, again).FirstErr()
	switch {
	case isTooLarge(err):
		return fmt.Errorf("%w: topic %s, value of %d bytes: %w",
			flusher.ErrRecordTooLarge, record.Topic, len(record.Value), err)
	case err != nil:
		s.client.note(client, record.Topic, err)
		return fmt.Errorf("produce to %s: %w", record.Topic, err)
	}
	return nil
}

// wait returns when every record that was to be judged is, or with the context's error.
func (s *solo) wait(ctx context.Context) error {
	s.mu.Lock()
	pending := slices.Clone(s.pending)
	s.mu.Unlock()
	for _, f := range pending {
		if _ = f.Wait(ctx); ctx.Err() != nil { // its own error is for who produced it
			return ctx.Err()
		}
	}
	return nil
}
