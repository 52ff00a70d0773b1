package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/config"
	"sluice/internal/load"
	"sluice/internal/pipeline"
	"sluice/internal/wallclock"
	"sluice/scenarios"
)

const (
	demoPartitions = 4
	// demoLong is longer than anyone watches.
	demoLong = 1000 * time.Hour
	// rateEvery is how often the rates are shown.
	rateEvery = time.Second
	// drainSlack is how long, beyond the time-outs, the last spans may take to come out.
	drainSlack = 5 * time.Second
)

// demo is what --embedded brings along: servers inside this program, and a load.
type demo struct {
	redis    *miniredis.Miniredis
	kafka    *kfake.Cluster
	client   *kgo.Client
	topic    string
	rate     int
	duration time.Duration
	sent     atomic.Uint64
}

// newDemo starts the servers and points the configuration at them.
func newDemo(c *pipeline.Config, cfg config.Run) (_ *demo, err error) {
	d := &demo{topic: c.InputTopic, rate: cfg.EmbeddedRate, duration: cfg.Duration}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.redis, err = miniredis.Run(); err != nil {
		return nil, err
	}
	d.kafka, err = kfake.NewCluster(kfake.NumBrokers(1),
		kfake.SeedTopics(demoPartitions, c.InputTopic, c.OutputTopic, c.DeadLetterTopic))
	if err != nil {
		return nil, err
	}
	c.Redis, c.Kafka = pipeline.DefaultRedis(), pipeline.DefaultKafka()
	c.Redis.Addresses = []string{d.redis.Addr()}
	c.Kafka.Brokers = d.kafka.ListenAddrs()
	d.client, err = kgo.NewClient(kgo.SeedBrokers(c.Kafka.Brokers...),
		kgo.DefaultProduceTopic(c.InputTopic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	return d, err
}

func (d *demo) close() {
	if d.client != nil {
		d.client.Close()
	}
	if d.kafka != nil {
		d.kafka.Close()
	}
	if d.redis != nil {
		d.redis.Close()
	}
}

// start sends the load and shows the rates until stop is done. The returned function waits for the
// end of both, and logs the sum.
func (d *demo) start(
	stop context.Context, drain func(), p *program, line *pipeline.Pipeline,
) func() {
	var tasks sync.WaitGroup
	tasks.Go(func() {
		d.load(stop)
		// The load is over: what it sent should come out before the program ends.
		until := time.Now().Add(p.cfg.Pipeline.Options.Timeout + drainSlack)
		for flushed(line).Spans < d.sent.Load() && time.Now().Before(until) &&
			sleep(stop, 50*time.Millisecond) {
		}
		drain()
	})
	tasks.Go(func() { p.showRates(stop, line) })
	return func() {
		drain()
		tasks.Wait()
		p.screen.Clear()
		p.log.Info(d.sum(line))
	}
}

// load sends spans at the rate until it ends or stop is done.
func (d *demo) load(stop context.Context) {
	s := scenarios.Default()
	s.Name, s.Duration, s.Topology.Partitions = "embedded", demoLong, demoPartitions
	if d.duration > 0 {
		s.Duration = d.duration
	}
	s.Seed = uint64(time.Now().UnixNano())
	s.Workload.Rate = scenarios.Rate{
		Shape: scenarios.ShapeConstant, From: scenarios.PerSecond(d.rate),
	}
	generator := load.NewGenerator(s)
	began := time.Now()
	var m load.Message
	for stop.Err() == nil && generator.Next(&m) {
		if wait := m.At - time.Since(began); wait > time.Millisecond && !sleep(stop, wait) {
			return
		}
		d.client.Produce(stop, &kgo.Record{Partition: m.Partition, Key: m.Key, Value: m.Value},
			func(_ *kgo.Record, err error) {
				if err == nil {
					d.sent.Add(1)
				}
			})
	}
	_ = d.client.Flush(stop)
}

// sleep returns false if stop is done first.
func sleep(stop context.Context, d time.Duration) bool {
	return wallclock.Clock{}.Sleep(stop, d) == nil
}

// sum says what became of the load.
func (d *demo) sum(line *pipeline.Pipeline) string {
	sent, out := d.sent.Load(), flushed(line)
	text := fmt.Sprintf("%s spans sent, %s came out in %s segments",
		grouped(sent), grouped(out.Spans), grouped(out.Segments))
	if out.Spans < sent {
		text += fmt.Sprintf("; %s were still buffered when it was stopped", grouped(sent-out.Spans))
	}
	return text
}
