package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/ledger"
	"sluice/internal/load"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
	"sluice/scenarios"
)

// traffic sends the load of a scenario, and keeps the account of what comes out.
type traffic struct {
	t      *testing.T
	kafka  string
	ledger *ledger.Ledger
	// begun is closed with the first message, sent when all messages are acknowledged.
	begun, sent chan struct{}
	scenario    scenarios.Scenario

	input, output, letters string
	unread                 func()
	stood                  func() (longest, sum time.Duration) // still, this process and with it the machine
}

// partitions of the topics.
const partitions = 8

// newTraffic creates topics of the test's own and begins to read the output.
func newTraffic(t *testing.T, kafka, workload string) *traffic {
	t.Helper()
	scenario, err := scenarios.Read(t.Name(), []byte(workload))
	if err != nil {
		t.Fatal(err)
	}
	name := strings.NewReplacer("/", "-").Replace(t.Name())
	tr := &traffic{
		t: t, kafka: kafka, scenario: scenario,
		begun: make(chan struct{}), sent: make(chan struct{}),
		input: name + "-in", output: name + "-out", letters: name + "-in-dlq",
		stood: sync.OnceValues(servertest.Standstills()),
	}
	t.Cleanup(func() { tr.stood() })
	tr.ledger = ledger.New(load.NewRecipe(scenario.Workload, partitions, scenario.Seed))
	client := tr.client()
	admin := kadm.NewClient(client)
	defer admin.Close()
	created, err := admin.CreateTopics(t.Context(), partitions, 1, nil,
		tr.input, tr.output, tr.letters)
	if err := errors.Join(err, created.Error()); err != nil {
		t.Fatalf("create topics: %v", err)
	}
	// The controller knows them before the broker does.
	until(t, time.Minute, "the broker has the topics", func() error {
		topics, err := admin.ListTopics(t.Context(), tr.input, tr.output, tr.letters)
		if err == nil {
			err = topics.Error()
		}
		return err
	})
	tr.read()
	return tr
}

func (tr *traffic) client(opts ...kgo.Opt) *kgo.Client {
	tr.t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(tr.kafka))...)
	if err != nil {
		tr.t.Fatal(err)
	}
	return client
}

// args are the program's flags for this traffic.
func (tr *traffic) args() []string {
	return []string{"--kafka", tr.kafka, "--input-topic", tr.input, "--output-topic", tr.output,
		"--dlq-topic", tr.letters, "--group", tr.input, "--instance-id", "one"}
}

// read enters everything that comes out into the ledger, until the test ends.
func (tr *traffic) read() {
	client := tr.client(kgo.ConsumeTopics(tr.output, tr.letters),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(tr.enter)
		}
	})
	tr.unread = sync.OnceFunc(func() {
		cancel()
		done.Wait()
		client.Close()
	})
	tr.t.Cleanup(tr.unread)
}

func (tr *traffic) enter(r *kgo.Record) {
	record := ledger.Record{
		Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, ledger.Header{Key: h.Key, Value: h.Value})
	}
	if r.Topic == tr.letters {
		tr.ledger.DeadLetter(record)
		return
	}
	tr.ledger.Output(record)
}

// send sends the load, each message when it is due, in the background.
func (tr *traffic) send() {
	// It is back as soon as the broker is. With the client's own pauses, of some seconds, its spans
	// would come after the time-out of their segments, whose clocks run again by then.
	const pause = 100 * time.Millisecond
	client := tr.client(kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(1_000_000), kgo.MaxBufferedBytes(1<<30),
		kgo.MetadataMinAge(pause), kgo.RetryBackoffFn(func(int) time.Duration { return pause }))
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		defer close(tr.sent)
		close(tr.begun)
		begin := time.Now()
		generator := load.NewGenerator(tr.scenario)
		var m load.Message
		for generator.Next(&m) && ctx.Err() == nil {
			if early := m.At - time.Since(begin); early > time.Millisecond {
				hold(early)
			}
			tr.ledger.Sent(m.Seq, m.Root, m.At)
			client.Produce(ctx, &kgo.Record{Topic: tr.input, Partition: m.Partition,
				Key: m.Key, Value: m.Value, Timestamp: m.Timestamp(time.Now())}, func(_ *kgo.Record, err error) {
				if err != nil && ctx.Err() == nil {
					tr.t.Errorf("send a span: %v", err)
				}
			})
		}
		if err := client.Flush(ctx); err != nil && ctx.Err() == nil {
			tr.t.Errorf("send the load: %v", err)
		}
	})
	tr.t.Cleanup(func() {
		cancel()
		done.Wait()
		client.Close()
	})
}

// sendRaw sends so many messages that are no spans to a partition, which are not in the account.
func (tr *traffic) sendRaw(partition int32, n int) {
	tr.t.Helper()
	client := tr.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer client.Close()
	for range n {
		record := &kgo.Record{Topic: tr.input, Partition: partition, Value: []byte("raw")}
		if err := client.ProduceSync(tr.t.Context(), record).FirstErr(); err != nil {
			tr.t.Fatal(err)
		}
	}
}

// end returns how many messages a topic has taken, whatever became of them.
func (tr *traffic) end(topic string) (n int64) {
	tr.t.Helper()
	admin := kadm.NewClient(tr.client())
	defer admin.Close()
	ends, err := admin.ListEndOffsets(tr.t.Context(), topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		tr.t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// settled waits until every span that was sent has come out.
func (tr *traffic) settled(within time.Duration) {
	tr.t.Helper()
	select {
	case <-tr.sent:
	case <-time.After(within):
		tr.t.Fatalf("the load was not sent within %v", within)
	}
	until(tr.t, within, "every span has come out", func() error {
		if sent, out := tr.ledger.Counts(); out < sent {
			return fmt.Errorf("%d of %d", out, sent)
		}
		return nil
	})
}

// account checks the ledger: everything out, as it was sent, under its root, repeats alike. allowed
// are findings that the test's fault may cause.
func (tr *traffic) account(allowed ...ledger.Finding) {
	tr.t.Helper()
	b := tr.ledger.Balance(0)
	tr.t.Logf("sent %d, flushed %d in %d records, repeated %v", b.Sent, b.Flushed, b.Records,
		b.Of(ledger.Repeated))
	if b.Lost > 0 {
		tr.t.Errorf("%d spans are lost: %v", b.Lost, b.Losses)
	}
	if len(b.Dropped) > 0 {
		tr.t.Errorf("spans were dropped: %v", b.Dropped)
	}
	// A clock goes on while what was sent meanwhile is still to be read, as the judge of the harness says, too.
	if longest, _ := tr.stood(); longest > rootTimeout/2 {
		tr.t.Logf("the machine stood still for %v: segments may be split", longest)
		allowed = append(slices.Clone(allowed), ledger.Split)
	}
	for _, kind := range []ledger.Finding{ledger.Malformed, ledger.Unknown, ledger.Altered,
		ledger.Misplaced, ledger.Split, ledger.CutOff, ledger.Differing, ledger.Duplicated,
		ledger.Resent} {
		if found := b.Of(kind); found.Count > 0 && !slices.Contains(allowed, kind) {
			tr.t.Errorf("%v: %v", kind, found)
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	port, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
