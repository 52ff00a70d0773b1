package calibrate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/aclements/go-moremath/stats"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/sim"
)

// compressions are the codecs whose price is told. Production's producer has none, so that no cost has it
// in it; and gzip takes several times as long as the slowest of these.
var compressions = []string{"snappy", "lz4", "zstd"}

// rate is what a producer brings to Kafka in a second.
type rate struct{ records, bytes float64 }

// outputSteps compresses and produces the messages of segments, each by itself.
func (r *rig) outputSteps(
	ctx context.Context, out *steps, pages [][]buffer.Generation, spans map[buffer.Generation][]buffer.Span,
	timed func(into *used, what string, do func() error) error,
) error {
	var records []flusher.Record
	bytes := 0
	for _, page := range pages {
		for _, g := range page {
			chunks, err := r.codec.Encode(g, spans[g])
			if err != nil {
				return err
			}
			for _, chunk := range chunks {
				records = append(records, flusher.Record{Topic: r.Place.Output, Key: g.Trace[:], Value: chunk.Value})
				bytes += len(chunk.Value)
			}
		}
	}
	out.compress = map[string]used{}
	for _, codec := range compressions {
		var took used
		if err := r.compress(records, codec, &took, timed); err != nil {
			return err
		}
		out.compress[codec] = took
	}
	return r.produce(ctx, out, records, bytes, timed)
}

// compress makes messages smaller as a producer would.
func (r *rig) compress(
	records []flusher.Record, codec string, into *used, timed func(into *used, what string, do func() error) error,
) error {
	compressor, err := kafkaio.Compressor(codec)
	if err != nil {
		return err
	}
	var buffer bytes.Buffer
	one := func(record flusher.Record) {
		buffer.Reset()
		compressor.Compress(&buffer, record.Value)
	}
	one(records[0]) // its tables
	return timed(into, "compress", func() error {
		for _, record := range records {
			one(record)
		}
		return nil
	})
}

// produce sends messages by production's producer, as fast as it takes them.
func (r *rig) produce(
	ctx context.Context, out *steps, records []flusher.Record, bytes int,
	timed func(into *used, what string, do func() error) error,
) error {
	producer, err := kafkaio.NewProducer(ctx, r.client(), kafkaio.DefaultProducerConfig(r.Place.Output))
	if err != nil {
		return err
	}
	defer producer.Close()
	send := func(records []flusher.Record) error {
		futures := make([]flusher.Future, len(records))
		for i, record := range records {
			futures[i] = producer.Produce(ctx, record)
		}
		if err := producer.Flush(ctx); err != nil {
			return err
		}
		for _, f := range futures {
			if err := f.Wait(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	if err := send(records[:min(len(records), 2*Partitions)]); err != nil { // connections
		return fmt.Errorf("produce: %w", err)
	}
	return timed(&out.produce, "produce", func() error {
		began := time.Now()
		err := send(records)
		seconds := time.Since(began).Seconds()
		out.rate = rate{float64(len(records)) / seconds, float64(bytes) / seconds}
		return err
	})
}

// throughputs sums up rates.
func throughputs(rates []rate) (list []sim.Throughput) {
	for _, of := range []struct {
		unit string
		of   func(rate) float64
	}{
		{"records", func(r rate) float64 { return r.records }},
		{"MB", func(r rate) float64 { return r.bytes / 1e6 }},
	} {
		s := stats.Sample{}
		for _, one := range rates {
			s.Xs = append(s.Xs, of.of(one))
		}
		if len(s.Xs) == 0 {
			continue
		}
		least, greatest := s.Bounds()
		list = append(list, sim.Throughput{Of: "produce", Unit: of.unit, N: len(s.Xs), Median: s.Quantile(0.5),
			Least: least, Greatest: greatest})
	}
	return list
}
