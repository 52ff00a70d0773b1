package e2e

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/servers/servertest"
)

// giants are spans of 30 to 80 kB, alone in their traces.
const giants = `
name: e2e
seed: 7
duration: 2s
topology: {partitions: 8}
workload: {rate: constant 20/s, traces_at_once: 1, spans_per_trace: 1, span_bytes: uniform 30000..80000}
`

// Spans that the output topic does not take go to the dead-letter topic, and the program says so of
// each kind: of those that it takes, of those that it does not take either, so that their bytes are in
// the input topic alone, and of messages that are no spans.
func TestDeadLettersAreSaid(t *testing.T) {
	t.Parallel()
	redis := oneRedis(t)
	tr := newTraffic(t, servertest.KafkaAddr(t), giants)
	client := tr.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	for topic, most := range map[string]string{tr.output: "20000", tr.letters: "50000"} {
		answers, err := admin.AlterTopicConfigs(t.Context(),
			[]kadm.AlterConfig{{Name: "max.message.bytes", Value: &most}}, topic)
		if err == nil {
			_, err = answers.On(topic, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	p := start(t, append(append(tr.args(), "--redis", redis.addrs()), options...)...)
	tr.send()
	<-tr.sent
	for _, large := range []int{100, 80_000} {
		record := &kgo.Record{Topic: tr.input, Value: bytes.Repeat([]byte("x"), large)}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	sent, _ := tr.ledger.Counts()
	until(t, time.Minute, "a letter of each message", func() error {
		if n := tr.end(tr.letters); n != sent+2 {
			return fmt.Errorf("%d letters of %d spans and 2 others", n, sent)
		}
		return nil
	})
	for _, words := range [][]string{
		{"WARN", "a span goes to the dead-letter topic", "bytes="},
		{"ERROR", "a span goes to the dead-letter topic without its bytes", "bytes="},
		{"dead letters", "partition"},
		{"dead letter without its value"},
	} {
		if !p.logged(words...) {
			t.Errorf("the log has no line with %q", words)
		}
	}
	p.drain(20 * time.Second)
}
