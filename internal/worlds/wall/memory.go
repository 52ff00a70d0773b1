package harness

import (
	"context"
	"sync"
	"time"
)

// memoryMeter asks Redis how full it is, beside the observer: a Redis that does not answer must not
// keep it from looking.
type memoryMeter struct {
	mu        sync.Mutex
	used, max int64
}

const (
	// memoryEvery is how often Redis is asked.
	memoryEvery = 500 * time.Millisecond
	// memoryAnswerMax is how long it may take to answer.
	memoryAnswerMax = 2 * time.Second
)

// run asks until ctx is done.
func (m *memoryMeter) run(ctx context.Context, w *world) {
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, memoryAnswerMax)
		used, most, err := w.redisMemory(asking)
		cancel()
		if err != nil {
			used, most = 0, 0 // not known
		}
		m.mu.Lock()
		m.used, m.max = used, most
		m.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(memoryEvery):
		}
	}
}

// last returns the last answer; 0 if there was none.
func (m *memoryMeter) last() (used, most int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used, m.max
}
