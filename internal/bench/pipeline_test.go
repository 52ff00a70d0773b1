package bench

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"sluice/scenarios"
)

// workload is W1: 200,000 spans of 500 bytes in traces of 20 with random earlier parents, 200
// traces at a time interleaved. W1x5 is five times as long, so that starting weighs less.
func workload(tb testing.TB, name string, spans, atOnce int) scenarios.Scenario {
	tb.Helper()
	const perSecond = 50_000
	text := `
name: ` + name + `
seed: 1
duration: ` + (time.Duration(spans) * time.Second / perSecond).String() + `
topology: {partitions: 8}
workload:
  rate: constant 50000/s
  traces_at_once: ` + strconv.Itoa(atOnce) + `
  spans_per_trace: 20
  span_bytes: 500
  depth: 20
`
	scenario, err := scenarios.Read(name, []byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return scenario
}

// figures are what one run of the program took.
type figures struct {
	elapsed time.Duration
	// Processor time by process.
	program, workers, redis, kafka, others time.Duration
	// The most memory that the program and its workers together had, in bytes.
	rss int64
}

// BenchmarkPipeline runs cmd/run with four worker processes over a topic that was filled before,
// and reports, beside the pass-through of the same records:
//
//	spans/s         from the assignment of the partitions, which starts the workers too, until the
//	                broker has the last span
//	ratio           of that to the pass-through
//	client-us/span  processor time of cmd/run and its workers, of which workers-us/span in these
//	redis-us/span, kafka-us/span, others-%   where the rest of the cores goes; others-% is what
//	                has nothing to do with this benchmark, in percent of all cores
//	rss-MB          the sum of the most memory that each of cmd/run and its workers had
func BenchmarkPipeline(b *testing.B) {
	for _, w := range []struct {
		name          string
		spans, atOnce int
	}{{"w1", 200_000, 200}, {"w1x5", 1_000_000, 200}, {"w1x5-wide", 1_000_000, 1600}} {
		b.Run(w.name, func(b *testing.B) {
			r := open(b)
			in := r.fill(b, workload(b, w.name, w.spans, w.atOnce))
			r.passThrough(b, in) // warms Kafka up
			var ours, reference time.Duration
			var sum figures
			for b.Loop() {
				b.StopTimer()
				elapsed, _ := r.passThrough(b, in)
				reference += elapsed
				b.StartTimer()
				f := r.run(b, in)
				ours += f.elapsed
				sum.add(f)
			}
			sum.report(b, len(in.sent), ours, reference)
		})
	}
}

func (f *figures) add(g figures) {
	f.elapsed += g.elapsed
	f.program, f.workers = f.program+g.program, f.workers+g.workers
	f.redis, f.kafka, f.others = f.redis+g.redis, f.kafka+g.kafka, f.others+g.others
	f.rss = max(f.rss, g.rss)
}

func (f *figures) report(b *testing.B, spans int, ours, reference time.Duration) {
	n := float64(spans) * float64(b.N)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / n }
	b.ReportMetric(n/ours.Seconds(), "spans/s")
	b.ReportMetric(n/reference.Seconds(), "pass-through/s")
	b.ReportMetric(reference.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(micros(f.program+f.workers), "client-us/span")
	b.ReportMetric(micros(f.workers), "workers-us/span")
	b.ReportMetric(micros(f.redis), "redis-us/span")
	b.ReportMetric(micros(f.kafka), "kafka-us/span")
	b.ReportMetric(100*f.others.Seconds()/ours.Seconds()/cores, "others-%")
	b.ReportMetric(float64(f.rss)/1e6, "rss-MB")
	b.ReportMetric(0, "ns/op") // the loop's own time says nothing
}

// options of the program: time-outs so short that flushing overlaps with reading, and so long that
// no segment is torn when a busy machine keeps a partition waiting for a few seconds.
var options = []string{"--flusher-processes", strconv.Itoa(workers), "--timeout", "10s",
	"--root-timeout", "5s"}

// run lets the program work off the input, and checks the account.
func (r *rig) run(b *testing.B, in *input) figures {
	b.Helper()
	output := r.topic(b, "out", arrival())
	args := append([]string{"--redis", r.redis.Addr, "--kafka", r.kafka.Addr,
		"--input-topic", in.topic, "--output-topic", output, "--group", output,
		"--dlq-topic", r.topic(b, "dlq", nil), "--http", "off"}, options...)
	p := start(b, append(args, extra()...)...)
	began := p.untilReading(b)
	before := r.sample(b, p)
	r.conclude(b, in, output)
	r.untilOut(b, p, output, in.roots)
	f := r.sample(b, p).minus(before)
	r.untilOut(b, p, output, in.roots+partitions) // the epilogue, and what came in fragments
	p.drain(b)
	f.elapsed = r.account(b, in, output).Sub(began)
	return f
}

// extra flags for experiments.
func extra() []string { return strings.Fields(os.Getenv("SLUICE_BENCH_FLAGS")) }

// lookEvery is often enough for what is used until the end, and too seldom to be seen in it. (The
// time of the end is the broker's.)
const lookEvery = 200 * time.Millisecond

// untilOut waits until so many records are out.
func (r *rig) untilOut(b *testing.B, p *program, output string, want int) {
	b.Helper()
	client := r.client(b)
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		records, err := r.records(ctx, client, output)
		if err != nil {
			b.Fatalf("%v\n%s", err, p.tail())
		}
		if records >= int64(want) {
			return
		}
		select {
		case <-look.C:
		case err := <-p.done:
			b.Fatalf("the program ended: %v\n%s", err, p.tail())
		}
	}
}

// sample is what has been used so far.
func (r *rig) sample(b *testing.B, p *program) figures {
	b.Helper()
	var f figures
	must := func(d time.Duration, err error) time.Duration {
		if err != nil {
			b.Fatalf("%v\n%s", err, p.tail())
		}
		return d
	}
	own, pids, err := p.pids()
	must(0, err)
	f.program, f.workers = must(cpuOf(own)), must(cpuOf(pids...))
	f.redis, f.kafka = must(cpuOf(r.redis.Pid())), must(cpuOf(r.kafka.Pid()))
	f.others = must(busy()) - f.program - f.workers - f.redis - f.kafka
	for _, pid := range append(pids, own) {
		most, err := residentMost(pid)
		must(0, err)
		f.rss += most
	}
	return f
}

func (f figures) minus(g figures) figures {
	f.program, f.workers = f.program-g.program, f.workers-g.workers
	f.redis, f.kafka, f.others = f.redis-g.redis, f.kafka-g.kafka, f.others-g.others
	return f
}
