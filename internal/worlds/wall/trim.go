package wall

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// trimmer deletes from Kafka what everybody has read. It is a round behind: a consumer that was
// frozen for a moment, while another went on with its partitions, finds what it is about to ask for.
type trimmer struct {
	*System
	admin *kadm.Client
	last  kadm.Offsets // what had been read in the last round
}

// trimEvery is how long a round lasts.
const trimEvery = 5 * time.Second

// trim goes on until ctx is done.
func (s *System) trim(ctx context.Context) {
	t := trimmer{System: s, admin: kadm.NewClient(s.collector.client)}
	for s.Sleep(ctx, trimEvery) == nil {
		t.round(ctx)
	}
}

// round does what Kafka has an answer for; the rest is for a later one.
func (t *trimmer) round(ctx context.Context) {
	_, _ = t.admin.DeleteRecords(ctx, t.last)
	t.last, _ = t.read(ctx)
}

// read returns up to where nobody will read again: of the input what the group has committed, where
// each consumer begins that gets the partition; of the other topics what is in the ledger.
func (t *trimmer) read(ctx context.Context) (kadm.Offsets, error) {
	committed, err := t.committed(ctx)
	if err != nil {
		return nil, err
	}
	read := committed.Offsets()
	t.collector.mu.Lock()
	for topic, partitions := range t.collector.next { //order-free: a copy
		for partition, next := range partitions {
			read.AddOffset(topic, partition, next, -1)
		}
	}
	t.collector.mu.Unlock()
	// A partition of which nothing is committed has -1, which to delete would mean all there is.
	read.KeepFunc(func(o kadm.Offset) bool { return o.At > 0 })
	return read, nil
}
