package calibrate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/aclements/go-moremath/stats"

	"sluice/flusher"
	"sluice/internal/kafkaio"
	"sluice/sim"
)

// compressions are the codecs whose price is told. Production's producer has none, so that no cost has it
// in it; and gzip takes several times as long as the slowest of these.
var compressions = []string{"snappy", "lz4", "zstd"}

// rate is what a producer brings to Kafka in a second.
type rate struct{ records, bytes float64 }

// output compresses and produces the messages of segments, each by itself, if the shape is one for that.
func (w *walk) output(ctx context.Context) error {
	spans := w.spans
	w.spans = nil
	if !w.out.alone {
		return nil
	}
	var records []flusher.Record
	bytes := 0
	for _, page := range w.pages {
		for _, g := range page {
			chunks, err := w.rig.codec.Encode(g, spans[g])
			if err != nil {
				return err
			}
			for _, chunk := range chunks {
				records = append(records, flusher.Record{Topic: w.rig.Place.Output, Key: g.Trace[:],
					Value: chunk.Value})
				bytes += len(chunk.Value)
			}
		}
	}
	w.out.compress = map[string]used{}
	for _, codec := range compressions {
		if err := w.compress(ctx, records, codec); err != nil {
			return err
		}
	}
	return w.produce(ctx, records, bytes)
}

// compress makes messages smaller as a producer would.
func (w *walk) compress(ctx context.Context, records []flusher.Record, codec string) error {
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
	var took used
	err = w.timed(ctx, &took, "compress", func() error {
		for _, record := range records {
			one(record)
		}
		return nil
	})
	w.out.compress[codec] = took
	return err
}

// produce sends messages by production's producer, as fast as it takes them.
func (w *walk) produce(ctx context.Context, records []flusher.Record, bytes int) error {
	producer, err := kafkaio.NewProducer(ctx, w.rig.client(), kafkaio.DefaultProducerConfig(w.rig.Place.Output))
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
	return w.timed(ctx, &w.out.produce, "produce", func() error {
		began := time.Now()
		err := send(records)
		seconds := time.Since(began).Seconds()
		w.out.rate = rate{float64(len(records)) / seconds, float64(bytes) / seconds}
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
