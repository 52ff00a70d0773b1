package kafkaio

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/flusher"
	"sluice/internal/check"
)

// ProducerConfig bounds a producer and says how it batches.
type ProducerConfig struct {
	// Topics are those it will produce to: their max.message.bytes is read at start.
	Topics []string
	// BufferedRecordsMax and BufferedBytesMax bound what is handed over and not acknowledged;
	// Produce blocks beyond them. Default 20,000 records and 256 MiB.
	BufferedRecordsMax int
	BufferedBytesMax   int
	// Linger is how long a record waits for others to share its batch. Default 2 ms.
	Linger time.Duration
	// Compression of batches: "none", "lz4", "zstd", "snappy" or "gzip". Default none, as Kafka's
	// own: for a segment of 20 spans of 500 bytes a producer needs 10 us of CPU, and with snappy
	// 19, with lz4 38, with zstd 80 (BenchmarkRealProducer). Worth it where the network is scarce.
	Compression string
}

// DefaultProducerConfig returns the defaults for a producer to these topics.
func DefaultProducerConfig(topics ...string) ProducerConfig {
	return ProducerConfig{
		Topics:             topics,
		BufferedRecordsMax: 20_000,
		BufferedBytesMax:   256 << 20,
		Linger:             2 * time.Millisecond,
		Compression:        noCompression,
	}
}

// Validate returns every fault of the config, joined, or nil.
func (c ProducerConfig) Validate() error {
	var f check.Faults
	f.When(c.BufferedRecordsMax <= 0, "buffered records %d must be positive", c.BufferedRecordsMax)
	f.When(c.BufferedBytesMax <= 0, "buffered bytes %d must be positive", c.BufferedBytesMax)
	f.When(c.Linger < 0 || c.Linger > time.Minute, "linger %v must be 0 to 1m", c.Linger)
	_, known := codecs[c.Compression]
	f.When(!known, "compression %q is unknown: want none, lz4, zstd, snappy or gzip", c.Compression)
	return f.Err()
}

const noCompression = "none"

var codecs = map[string]kgo.CompressionCodec{
	noCompression: kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	"snappy": kgo.SnappyCompression(), "gzip": kgo.GzipCompression(),
}

// Compressor is what a producer with this compression makes batches smaller with; nil for none.
func Compressor(compression string) (kgo.Compressor, error) {
	return kgo.DefaultCompressor(codecs[compression])
}

// Producer sends records with acks=all and an idempotent sequence. It never gives up on a broker
// that is away: the record's future is simply not done.
type Producer struct {
	client *renewable
	limits limits
	solo   *solo
	// compressed is true if batches are.
	compressed bool
}

var _ flusher.Producer = (*Producer)(nil)

// NewProducer connects a producer. It reads the topics' limits, so the cluster must answer within
// CheckTimeout.
func NewProducer(ctx context.Context, cfg Config, pc ProducerConfig) (*Producer, error) {
	if err := errors.Join(cfg.Validate(), pc.Validate()); err != nil {
		return nil, err
	}
	limits, err := readLimits(ctx, cfg, pc.Topics)
	if err != nil {
		return nil, err
	}
	compression := kgo.ProducerBatchCompression(codecs[pc.Compression], kgo.NoCompression())
	opts := append(cfg.options(cfg.brokers("producer")), compression,
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(pc.Linger),
		kgo.ProducerBatchMaxBytesFn(limits.of),
		kgo.MaxBufferedRecords(pc.BufferedRecordsMax),
		kgo.MaxBufferedBytes(max(pc.BufferedBytesMax, limits.largest())),
	)
	client := &renewable{opts: opts}
	if _, err := client.get(); err != nil {
		return nil, fmt.Errorf("%s: producer: %w", cfg.where(), err)
	}
	return &Producer{client: client, limits: limits, solo: newSolo(cfg, compression),
		compressed: pc.Compression != noCompression}, nil
}

// Produce hands a record over, or blocks while BufferedRecordsMax or BufferedBytesMax are in
// flight.
func (p *Producer) Produce(ctx context.Context, record flusher.Record) flusher.Future {
	f := &future{done: make(chan struct{})}
	out := kafkaRecord(record)
	client, err := p.client.get()
	if err != nil {
		f.finish(fmt.Errorf("produce to %s: %w", out.Topic, err))
		return f
	}
	client.Produce(ctx, out, func(_ *kgo.Record, err error) {
		if isTooLarge(err) {
			// The broker may have refused a whole batch, so the record is judged alone, off the
			// client's own goroutine.
			p.solo.judge(ctx, out, f)
			return
		}
		if err != nil {
			p.client.note(client, out.Topic, err)
			err = fmt.Errorf("produce to %s: %w", out.Topic, err)
		}
		f.finish(err)
	})
	return f
}

// Flush returns when every record handed over is done, or with the context's error.
func (p *Producer) Flush(ctx context.Context) error {
	client, err := p.client.get()
	if err == nil {
		err = client.Flush(ctx)
	}
	if err != nil {
		return err
	}
	return p.solo.wait(ctx)
}

// RecordBytesMax returns how large a record the topic takes, keys and headers included, in bytes
// before compression. What the brokers did not tell is Kafka's default.
func (p *Producer) RecordBytesMax(topic string) int { return int(p.limits.of(topic)) - batchBytes }

// RefusesAbove returns above how many bytes the topic is known to refuse a record, keys and headers
// included; 0 if that is not known: the brokers did not tell the limit, or batches are compressed, so
// that what is larger may do.
func (p *Producer) RefusesAbove(topic string) int {
	if _, known := p.limits[topic]; !known || p.compressed {
		return 0
	}
	return p.RecordBytesMax(topic)
}

// Close ends the producer. Records that are not acknowledged have an error.
func (p *Producer) Close() {
	p.client.close()
	p.solo.client.close()
}

func kafkaRecord(record flusher.Record) *kgo.Record {
	out := &kgo.Record{Topic: record.Topic, Key: record.Key, Value: record.Value}
	if len(record.Headers) > 0 {
		out.Headers = make([]kgo.RecordHeader, len(record.Headers))
		for i, header := range record.Headers {
			out.Headers[i] = kgo.RecordHeader{Key: header.Key, Value: header.Value}
		}
	}
	return out
}

// isTooLarge tells whether a record or the batch it was in is over a limit of the client or the
// broker.
func isTooLarge(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge)
}

// future is done when finish was called.
type future struct {
	done chan struct{}
	err  error // written before done is closed
}

func (f *future) finish(err error) {
	f.err = err
	close(f.done)
}

// Wait returns the outcome, or the context's error.
func (f *future) Wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	default:
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
