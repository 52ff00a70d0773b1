package harness

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"sluice/buffer/redisstore"
	"sluice/flusher"
	"sluice/internal/process"
)

// redisMemory returns what the fullest node of Redis uses and what it may use, in bytes; a max of 0
// means that it has no limit. Both are 0 for a Redis that does not tell.
func (w *world) redisMemory(ctx context.Context) (used, max int64, err error) {
	if w.cfg.World == WorldFakes {
		return 0, 0, nil
	}
	client, err := w.redisClient()
	if err != nil {
		return 0, 0, err
	}
	nodes, err := redisstore.Memory(ctx, client)
	fullest, _ := flusher.Fullest(nodes)
	return fullest.Used, fullest.Max, err
}

// redisClient is the harness's own, which goes past the proxies.
func (w *world) redisClient() (rueidis.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errClosed
	}
	if w.client != nil {
		return w.client, nil
	}
	client, err := w.dialRedis()
	if err != nil {
		return nil, errors.Join(errors.New("ask redis for its memory"), err)
	}
	w.client = client
	return client, nil
}

// cpu returns the seconds of processor time that servers of this run have used so far; 0 for those
// that it did not start.
func (w *world) cpu() (redis, kafka float64) { return w.backend.seconds() }

// usage sums up the processor time of a server over its restarts.
type usage struct {
	mu        sync.Mutex
	pid       int // 0: not running
	past, now time.Duration
}

func (u *usage) began(pid int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pid = pid
}

// ended comes when the process has ended; what it used since it was last asked is not known.
func (u *usage) ended() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.past, u.now, u.pid = u.past+u.now, 0, 0
}

func (u *usage) seconds() float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	p, _ := process.Look(u.pid)
	u.now = max(u.now, p.CPU)
	return (u.past + u.now).Seconds()
}
