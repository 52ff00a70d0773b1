package backend

import (
	"context"
	"fmt"
	"strings"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/conformance"
	"sluice/buffer/redisstore"
	"sluice/flusher"
	"sluice/internal/pipeline"
)

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
	reach := func(ctx context.Context) error { return reachRedis(ctx, at) }
	return series(ctx, "redis", reach, say, []step{
		{"connection", func(ctx context.Context) (_ string, err error) {
			if store, err = open(ctx, at); err != nil {
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
