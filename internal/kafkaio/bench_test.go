package kafkaio

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
	"sluice/internal/benchload"
	"sluice/internal/servers/servertest"
)

// cpuTime is what this process, without the servers, has used of all cores.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// report adds time and client CPU per message.
func report(b *testing.B, cpu time.Duration, messages int) {
	n := float64(b.N) * float64(messages)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/message")
	b.ReportMetric(float64(cpu.Nanoseconds())/n, "cpu-ns/message")
}

// BenchmarkRealSource reads 200,000 spans of 500 bytes in four partitions, as the ingest loop does.
func BenchmarkRealSource(b *testing.B) {
	cfg := DefaultConfig(strings.Split(servertest.KafkaAddr(b), ",")...)
	topic := fmt.Sprintf("bench-source-%d", time.Now().UnixNano())
	if _, err := CreateTopics(b.Context(), cfg, 4, 1, topic); err != nil {
		b.Fatal(err)
	}
	messages := fillTopic(b, cfg, topic)
	b.ReportAllocs()
	var cpu time.Duration
	for b.Loop() {
		b.StopTimer()
		s, err := NewSource(cfg, DefaultSourceConfig(topic, fmt.Sprint(time.Now().UnixNano())))
		if err != nil {
			b.Fatal(err)
		}
		for started := false; !started; {
			fetch, err := s.Poll(b.Context(), 1, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			started = len(fetch.Assigned) > 0
		}
		before := cpuTime(b)
		b.StartTimer()
		for n := 0; n < messages; {
			fetch, err := s.Poll(b.Context(), 1000, time.Second)
			if err != nil {
				b.Fatal(err)
			}
			for _, batch := range fetch.Batches {
				n += len(batch.Messages)
			}
		}
		cpu += cpuTime(b) - before
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
	report(b, cpu, messages)
}

func fillTopic(b *testing.B, cfg Config, topic string) (messages int) {
	client, err := kgo.NewClient(append(cfg.options(cfg.brokers("load")),
		kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	load := benchload.W1(1)
	for _, spans := range load.Batches() {
		for i := range spans {
			client.Produce(b.Context(), &kgo.Record{
				Topic: topic, Key: spans[i].Trace[:], Value: spans[i].Payload,
			}, nil)
			messages++
		}
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return messages
}

// BenchmarkRealProducer writes segments of 20 spans of 500 bytes, 500 at a time, as a worker does.
func BenchmarkRealProducer(b *testing.B) {
	cfg := DefaultConfig(strings.Split(servertest.KafkaAddr(b), ",")...)
	topic := fmt.Sprintf("bench-producer-%d", time.Now().UnixNano())
	if _, err := CreateTopics(b.Context(), cfg, 4, 1, topic); err != nil {
		b.Fatal(err)
	}
	load := benchload.W1(1)
	load.Spans = 10_000
	var values [][]byte
	for _, spans := range load.Batches() {
		for at := 0; at+20 <= len(spans); at += 20 {
			var value []byte
			for _, span := range spans[at : at+20] {
				value = append(value, span.Payload...)
			}
			values = append(values, value)
		}
	}
	for _, compression := range []string{"none", "snappy", "lz4", "zstd"} {
		for _, linger := range []time.Duration{0, 2 * time.Millisecond, 5 * time.Millisecond} {
			b.Run(compression+"/"+linger.String(), func(b *testing.B) {
				pc := DefaultProducerConfig(topic)
				pc.Compression, pc.Linger = compression, linger
				p, err := NewProducer(b.Context(), cfg, pc)
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					produceAll(b, p, topic, values)
				}
				report(b, cpuTime(b)-before, len(values))
			})
		}
	}
}

func produceAll(b *testing.B, p *Producer, topic string, values [][]byte) {
	futures := make([]flusher.Future, len(values))
	for i, value := range values {
		futures[i] = p.Produce(b.Context(), flusher.Record{Topic: topic, Key: value[:16], Value: value})
	}
	for _, f := range futures {
		if err := f.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
