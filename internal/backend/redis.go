package backend

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/conformance"
	"sluice/buffer/redisstore"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/wallclock"
)

// answerMax is how long a server may take to connect, and to answer.
const answerMax = 10 * time.Second

// watchEvery is how often Watch asks, and goneAfter how many times in a row it must get no answer.
const (
	watchEvery = 2 * time.Second
	goneAfter  = 3
)

// Watch asks the servers from time to time whether they are there, until ctx is done, and returns why
// one is gone: at once if it has been for some time.
func Watch(ctx context.Context, redis pipeline.Redis, kafka pipeline.Kafka) (gone error) {
	failed := 0
	for (wallclock.Clock{}).Sleep(ctx, watchEvery) == nil {
		err := Reach(ctx, redis, kafka)
		if ctx.Err() != nil {
			break
		}
		if failed++; err == nil {
			failed = 0
		}
		if gone = err; failed == goneAfter {
			break
		}
	}
	return gone
}

// Reach returns why one of the servers cannot be reached, or nil.
func Reach(ctx context.Context, redis pipeline.Redis, kafka pipeline.Kafka) error {
	store, err := redis.Open(ctx, buffer.DefaultOptions().MaxSegmentBytes, answerMax)
	if err == nil {
		store.Close()
	}
	connection, err2 := kafka.Connection(nil)
	if err2 == nil {
		err2 = kafkaio.Check(ctx, connection)
	}
	return errors.Join(err, err2)
}

// Redis makes the checks of a Redis, in its namespace, and says how each went. Live is called before
// anything that stays until it is removed is written. It returns whether all passed.
func Redis(
	ctx context.Context, at pipeline.Redis, live func(context.Context) error, say func(Check),
) bool {
	var store *redisstore.Store
	defer func() {
		if store != nil {
			store.Close()
		}
	}()
	return series(ctx, "redis", say, []step{
		{"connection", func(ctx context.Context) (_ string, err error) {
			store, err = at.Open(ctx, buffer.DefaultOptions().MaxSegmentBytes, answerMax)
			if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				err = fmt.Errorf("%w: no answer within %v: does it hang, or is something else there?", err, answerMax)
			}
			if err != nil {
				return "", pipeline.Advised(ctx, err, at.Routes, at.Addresses, at.TLS.Enabled)
			}
			return strings.Join(append([]string{store.Server()}, store.Doubts()...), "; "), nil
		}},
		{"every step once", func(ctx context.Context) (string, error) {
			return "write, script, read and delete", store.Rehearse(ctx)
		}},
		{"conformance", func(ctx context.Context) (string, error) {
			if err := live(ctx); err != nil {
				return "", err
			}
			return conform(ctx, store, at.Namespace)
		}},
	})
}

// conform runs all conformance cases, each variant under a prefix of its own, and returns how many
// they were.
func conform(ctx context.Context, store *redisstore.Store, namespace string) (string, error) {
	files, err := conformance.Files()
	if err != nil {
		return "", err
	}
	opened := 0
	subject := conformance.Subject{
		Open: func(o buffer.Options) (conformance.Store, error) {
			opened++
			return store.Fork(fmt.Sprintf("%s%d:", namespace, opened), o.MaxSegmentBytes), nil
		},
		Codec:    func(max buffer.Bytes) conformance.Codec { return codec.New(max) },
		ShardMap: flusher.ShardMap,
	}
	cases, variants := 0, 0
	for _, file := range files {
		for _, c := range file.Cases {
			n, err := c.Run(ctx, subject)
			if err != nil && wrong(err) {
				err = fmt.Errorf("%w: %w", errWrong, err)
			}
			if err != nil {
				return "", fmt.Errorf("%s: %w", file.Name, err)
			}
			cases++
			variants += n
		}
	}
	return fmt.Sprintf("%d cases in %d variants", cases, variants), nil
}
