package calibrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/buffer/redisstore"
	"sluice/internal/kafkaio"
	"sluice/internal/process"
)

// started is a process that connects to the servers as a worker does, says so, and ends.
var started = process.Register(process.Role[startSettings, struct{}]{
	Name:   "calibrate",
	Rhythm: process.Rhythm{Farewell: time.Second},
	Run: func(stop context.Context, s startSettings, parent *process.Parent[struct{}]) error {
		store := redisstore.DefaultConfig()
		store.Addresses, store.Namespace = s.Redis, s.Namespace
		connected, err := redisstore.Open(stop, store)
		if err != nil {
			return err
		}
		defer connected.Close()
		kafka := kafkaio.DefaultConfig(s.Kafka...)
		kafka.Log = parent.Log
		producer, err := kafkaio.NewProducer(stop, kafka, kafkaio.DefaultProducerConfig(s.Topics...))
		if err != nil {
			return err
		}
		defer producer.Close()
		parent.Report(func() []struct{} { return []struct{}{{}} })
		parent.Ring()
		<-stop.Done()
		return nil
	},
})

type startSettings struct {
	Redis     []string `json:"redis"`
	Kafka     []string `json:"kafka"`
	Namespace string   `json:"namespace"`
	Topics    []string `json:"topics"`
}

// starts is how many processes are started.
const starts = 5

// start measures how long a process takes from its start until it is connected, as a worker is.
func (r *rig) start(ctx context.Context) ([]time.Duration, error) {
	var took []time.Duration
	for range starts {
		began, heard := time.Now(), make(chan struct{}, 1)
		p, err := started.Start(process.Options{Log: slog.New(slog.DiscardHandler)}, startSettings{
			Redis: r.Redis, Kafka: r.Kafka, Namespace: r.Place.Namespace,
			Topics: []string{r.Place.Output, r.Place.Letters},
		}, func(struct{}) {
			select {
			case heard <- struct{}{}:
			default:
			}
		})
		if err != nil {
			return nil, err
		}
		select {
		case <-heard:
			took = append(took, time.Since(began))
		case <-p.Done():
			err = errors.Join(errors.New("a process that was started ended early"), p.Exit().Err)
		case <-ctx.Done():
			err = ctx.Err()
		}
		p.Stop()
		if err != nil {
			p.Kill()
		}
		<-p.Done()
		if err != nil {
			return nil, fmt.Errorf("start a process: %w", err)
		}
	}
	return took, nil
}
