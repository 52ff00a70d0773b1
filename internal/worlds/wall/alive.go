package wall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"sluice/internal/process"
)

const (
	// aliveMax is how long a run counts as alive after its last sign of life; whyAlive says it, too.
	aliveMax = time.Minute
	// aliveEvery is how often it gives one.
	aliveEvery = aliveMax / 6
)

// pulse is a run's sign of life on servers that outlive it: a key that expires when nobody renews
// it, and says whose it is.
type pulse struct {
	client rueidis.Client
	where  string // the addresses
	key    string
	value  string
}

// startPulse gives the first sign. It comes before anything else of the run is there.
func startPulse(
	ctx context.Context, redis []string, access Access, key string,
) (*pulse, error) {
	value, err := json.Marshal(process.Self())
	if err != nil {
		return nil, err
	}
	client, err := access.DialRedis(redis)
	if err != nil {
		return nil, err
	}
	p := &pulse{client, strings.Join(redis, ","), key, string(value)}
	if err := p.set(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("set key %s: %w", key, err)
	}
	return p, nil
}

func (p *pulse) set(ctx context.Context) error {
	return p.client.Do(ctx, p.client.B().Set().Key(p.key).Value(p.value).Ex(aliveMax).Build()).Error()
}

// run renews the sign until ctx is done.
func (p *pulse) run(ctx context.Context) {
	ticker := time.NewTicker(aliveEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			asking, cancel := context.WithTimeout(ctx, aliveEvery)
			_ = p.renew(asking) // a Redis that is away for a while is asked again
			cancel()
		}
	}
}

// renew does not need room: a Redis that is full still renews what it holds.
func (p *pulse) renew(ctx context.Context) error {
	held, err := p.client.Do(ctx, p.client.B().Expire().Key(p.key).
		Seconds(int64(aliveMax.Seconds())).Build()).AsInt64()
	if err == nil && held == 0 {
		err = p.set(ctx)
	}
	return err
}

// ask returns why Redis does not answer, or nil.
func (p *pulse) ask(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, silentMax)
	defer cancel()
	err := p.client.Do(asking, p.client.B().Ping().Build()).Error()
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("no answer within %v", silentMax)
	}
	if err != nil {
		return fmt.Errorf("redis %s: %w", p.where, err)
	}
	return nil
}

// end ends the signs, of which nothing is left.
func (p *pulse) end(ctx context.Context) error {
	ending, cancel := context.WithTimeout(ctx, silentMax)
	defer cancel()
	if err := p.client.Do(ending, p.client.B().Del().Key(p.key).Build()).Error(); err != nil {
		return fmt.Errorf("delete key %s, which expires after %v: %w", p.key, aliveMax, err)
	}
	return nil
}

// whyAlive says why a run counts as alive by the value of its sign, or returns "".
func whyAlive(value string) string {
	var of process.Identity
	if err := json.Unmarshal([]byte(value), &of); err != nil {
		return fmt.Sprintf("its sign of life reads %q", value)
	}
	if of.Ended() {
		return ""
	}
	return fmt.Sprintf("process %d on %s gave a sign of life in the last minute", of.Pid, of.Host)
}
