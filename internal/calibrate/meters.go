package calibrate

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"sluice/internal/process"
)

// meters tell what this process and the servers have computed.
type meters struct {
	redis rueidis.Client
	// brokers are the processes of Kafka on this machine; none if there is a broker elsewhere, or one
	// that may not be looked at.
	brokers []int
}

// used is what was computed so far, or in between.
type used struct{ own, redis, kafka time.Duration }

// read reads the meters. Its own part of what they show is far below what a stage takes.
func (m *meters) read(ctx context.Context) (used, error) {
	u := used{own: process.Own().CPU}
	var err error
	if u.redis, err = redisTime(ctx, m.redis); err != nil {
		return u, err
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

// redisTime is what the main threads of Redis' nodes, which do all that takes time, have computed.
func redisTime(ctx context.Context, client rueidis.Client) (time.Duration, error) {
	sum := 0.0
	for address, node := range client.Nodes() {
		info, err := node.Do(ctx, node.B().Info().Section("cpu").Build()).ToString()
		if err != nil {
			return 0, fmt.Errorf("ask redis %s for its processor time: %w", address, err)
		}
		for _, name := range []string{"used_cpu_user_main_thread", "used_cpu_sys_main_thread"} {
			seconds, err := strconv.ParseFloat(infoField(info, name), 64)
			if err != nil {
				return 0, fmt.Errorf("redis %s does not tell its %s: %w", address, name, err)
			}
			sum += seconds
		}
	}
	return time.Duration(sum * float64(time.Second)), nil
}

// infoField returns the value of "name:value" among the lines of INFO, "" if there is none.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
