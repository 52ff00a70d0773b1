package calibrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/buffer"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
	"sluice/internal/process"
)

// started is a process that connects to the servers as a worker does, says so, and ends.
var started = process.Register(process.Role[startSettings, struct{}]{
	Name:   "calibrate",
	Rhythm: process.Rhythm{Farewell: time.Second},
	Run: func(stop context.Context, s startSettings, parent *process.Parent[struct{}]) error {
		servers, err := pipeline.Decode(s.Servers)
		if err != nil {
			return err
		}
		connected, err := servers.Redis.Open(stop, parent.Log, buffer.DefaultOptions().MaxSegmentBytes, answerMax)
		if err != nil {
			return err
		}
		defer connected.Close()
		kafka, err := servers.Kafka.Connection(parent.Log)
		if err != nil {
			return err
		}
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
	// Servers are those of an encoded pipeline.Config, passwords and all.
	Servers []byte   `json:"servers"`
	Topics  []string `json:"topics"`
}

// starts is how many processes are started.
const starts = 5

// start measures how long a process takes from its start until it is connected, as a worker is.
func (r *rig) start(ctx context.Context) ([]time.Duration, error) {
	servers, err := pipeline.Config{Redis: r.Redis, Kafka: r.Kafka}.Encode()
	if err != nil {
		return nil, err
	}
	var took []time.Duration
	for range starts {
		began, heard := time.Now(), make(chan struct{}, 1)
		p, err := started.Start(process.Options{Log: slog.New(slog.DiscardHandler)}, startSettings{
			Servers: servers, Topics: []string{r.Place.Output, r.Place.Letters},
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
