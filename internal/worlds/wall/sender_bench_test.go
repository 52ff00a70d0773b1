package wall

import (
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/harness"
	"sluice/internal/load"
	"sluice/internal/servers"
	"sluice/scenarios"
)

// BenchmarkSender sends a second's load of a million spans a second, which is more than anything
// takes, to a real Kafka: what a span costs this process, and how fast it goes, by producers.
func BenchmarkSender(b *testing.B) {
	kafka, err := servers.StartKafka()
	if errors.Is(err, servers.ErrMissing) {
		b.Skip(err)
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := kafka.Stop(); err != nil {
			b.Error(err)
		}
	}()
	const topic, partitions = "in", 8
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addr))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.CreateTopic(b.Context(), partitions, 1, nil, topic); err != nil {
		b.Fatal(err)
	}
	for _, producers := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			s := scenarios.Default()
			s.Duration = time.Second
			s.Topology.Partitions = partitions
			s.Workload.Rate.From, s.Workload.TracesAtOnce = 1_000_000, 200
			s.Workload.Producers = producers
			sent, began := int64(0), processTime(b)
			for b.Loop() {
				sent += sendAll(b, s, to([]string{kafka.Addr}, topic))
			}
			spent := processTime(b) - began
			b.ReportMetric(float64(spent.Nanoseconds())/float64(sent), "cpu-ns/span")
			b.ReportMetric(float64(sent)/spent.Seconds(), "spans/cpu-s")
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

// sendAll sends the load of a scenario, and returns how many spans that were.
func sendAll(b *testing.B, sc scenarios.Scenario, e endpoints) int64 {
	g := load.NewGenerator(sc)
	sink := harness.NewSink(sc, g, nil)
	s, err := newSender(&System{endpoints: e,
		setup: harness.Setup{Scenario: sc, Load: g, Sink: sink}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	if err := s.run(b.Context(), time.Now()); err != nil {
		b.Fatal(err)
	}
	sent, _ := sink.Ledger.Counts()
	return sent
}

// processTime is what this process has used of all cores.
func processTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
