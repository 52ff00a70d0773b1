package calibrate

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer/redisstore"
	"sluice/internal/process"
)

// meters tell what this process and the servers have computed.
type meters struct {
	redis rueidis.Client
	// brokers are the processes of Kafka on this machine; none if there is a broker elsewhere, or one
	// that may not be looked at, and then why.
	brokers      []int
	whyNoBrokers string
}

// used is what was computed so far, or in between.
type used struct{ own, redis, kafka time.Duration }

// read reads the meters. Its own part of what they show is far below what a stage takes.
func (m *meters) read(ctx context.Context) (used, error) {
	u := used{own: process.Own().CPU}
	threads, err := redisstore.MainThread(ctx, m.redis)
	if err != nil {
		return u, err
	}
	for _, used := range threads {
		u.redis += used
	}
	for _, pid := range m.brokers {
		cpu, err := cpuOf(pid)
		if err != nil {
			return u, err
		}
		u.kafka += cpu
	}
	return u, nil
}

// during returns what is computed while a function runs.
func (m *meters) during(ctx context.Context, do func() error) (used, error) {
	before, err := m.read(ctx)
	if err != nil {
		return used{}, err
	}
	if err := do(); err != nil {
		return used{}, err
	}
	after, err := m.read(ctx)
	return used{after.own - before.own, after.redis - before.redis, after.kafka - before.kafka}, err
}
