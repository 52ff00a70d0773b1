package bench

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/ledger"
)

// account reads the whole output topic, checks that every span is in it exactly once, as it was
// sent and under its root, and returns when the last one arrived.
func (r *rig) account(tb testing.TB, in *input, output string) (last time.Time) {
	tb.Helper()
	book := ledger.New(in.recipe)
	for _, m := range in.sent {
		book.Sent(m[0], m[1], 0)
	}
	client := r.client(tb, kgo.ConsumeTopics(output),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	records, err := r.records(ctx, client, output)
	if err != nil {
		tb.Fatal(err)
	}
	for n := int64(0); n < records; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			tb.Fatalf("read %s, %d of %d records: %v", output, n, records, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			n++
			if isEpilogue(record) {
				return
			}
			if record.Timestamp.After(last) {
				last = record.Timestamp
			}
			book.Output(entry(record))
		})
	}
	balance := book.Balance(0)
	check(tb, balance)
	if extra := balance.Records - int64(in.roots); extra > 0 {
		tb.Logf("%d more records than the %d segments: in more than one generation, or in chunks", extra,
			in.roots)
	}
	return last
}

func entry(r *kgo.Record) ledger.Record {
	out := ledger.Record{Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, ledger.Header{Key: h.Key, Value: h.Value})
	}
	return out
}

// check demands a balance without any finding: nothing was broken, so nothing may be repeated or
// split either.
func check(tb testing.TB, b ledger.Balance) {
	tb.Helper()
	if b.Lost > 0 || len(b.Dropped) > 0 || b.Flushed != b.Sent {
		tb.Errorf("sent %d, flushed %d, lost %d %v, dropped %v", b.Sent, b.Flushed, b.Lost, b.Losses,
			b.Dropped)
	}
	for kind, found := range b.Findings {
		if found.Count > 0 {
			tb.Errorf("%v: %v", ledger.Finding(kind), found)
		}
	}
}
