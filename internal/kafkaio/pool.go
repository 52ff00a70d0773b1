package kafkaio

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordPool lends the client the memory that fetched records are decoded into, a batch at a time. Only
// what a message needs of a record is kept (see message), so each is given back at once.
type recordPool struct{ pool sync.Pool }

var _ kgo.PoolRecords = (*recordPool)(nil)

// GetRecords returns room for n records.
func (p *recordPool) GetRecords(n int) []kgo.Record {
	if room, ok := p.pool.Get().(*[]kgo.Record); ok && cap(*room) >= n {
		return (*room)[:0]
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords takes room back, which the client has cleared.
func (p *recordPool) PutRecords(room []kgo.Record) { p.pool.Put(&room) }
