package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/wallclock"
)

// answerMax is how long a server may take to connect, and to answer, before it counts as gone.
const answerMax = 10 * time.Second

// watchEvery is how long Watch waits between two questions.
const watchEvery = time.Second

// Watch asks both servers again and again whether they are there, until ctx is done, and returns why
// one is gone: as soon as it has given no answer for answerMax.
func Watch(ctx context.Context, redis pipeline.Redis, kafka pipeline.Kafka) (gone error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	var both sync.WaitGroup
	var ofRedis, ofKafka error
	both.Go(func() {
		defer end()
		ofRedis = watch(ctx, func(ctx context.Context) error { return reachRedis(ctx, redis) })
	})
	both.Go(func() {
		defer end()
		ofKafka = watch(ctx, func(ctx context.Context) error { return reachKafka(ctx, kafka) })
	})
	both.Wait()
	return errors.Join(ofRedis, ofKafka)
}

// watch returns why a server is gone once it has given no answer for answerMax, or nil at the end of
// ctx.
func watch(ctx context.Context, reach func(context.Context) error) error {
	var clock wallclock.Clock
	heard := clock.Now()
	for clock.Sleep(ctx, watchEvery) == nil {
		err := reach(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			heard = clock.Now()
		case clock.Now().Sub(heard) >= answerMax:
			return err
		}
	}
	return nil
}

// Reach returns why one of the servers cannot be reached, or nil.
func Reach(ctx context.Context, redis pipeline.Redis, kafka pipeline.Kafka) error {
	return errors.Join(reachRedis(ctx, redis), reachKafka(ctx, kafka))
}

func reachRedis(ctx context.Context, at pipeline.Redis) error {
	store, err := open(ctx, at)
	if err == nil {
		store.Close()
	}
	return err
}

func reachKafka(ctx context.Context, at pipeline.Kafka) error {
	connection, err := at.Connection(nil)
	if err == nil {
		connection.CheckTimeout = answerMax
		err = kafkaio.Check(ctx, connection)
	}
	return err
}

// open connects to a Redis, and says of one that is silent that it is.
func open(ctx context.Context, at pipeline.Redis) (*redisstore.Store, error) {
	store, err := at.Open(ctx, nil, buffer.DefaultOptions().MaxSegmentBytes, answerMax)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = fmt.Errorf("%w: no answer within %v: does it hang, or is something else there?", err, answerMax)
	}
	return store, err
}
