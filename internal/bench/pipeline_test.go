package bench

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"sluice/internal/calibrate"
	"sluice/scenarios"
)

// w1 is the load that the project has always been measured with: spans of 500 bytes in traces of 20 with
// random earlier parents, 200 traces at a time interleaved.
const w1 = `
topology: {partitions: 8}
workload:
  traces_at_once: 200
  spans_per_trace: 20
  span_bytes: 500
  depth: 20
`

// w1Wide is w1 with 200 traces open in each partition.
const w1Wide = `
topology: {partitions: 8}
workload:
  traces_at_once: 1600
  spans_per_trace: 20
  span_bytes: 500
  depth: 20
`

// w2 is the mix that users have: half of the traces are one span, a few have ten thousand, the spans'
// sizes have a long tail (none under 400 bytes, which a message of the generator takes), and there are
// many shards.
const w2 = `
topology: {partitions: 64}
workload:
  traces_at_once: 1000
  spans_per_trace: mix 50% 1, 30% 2..10, 17% 11..100, 2.9% 101..1000, 0.1% 10000
  span_bytes: mix 70% 400..700, 25% 701..1500, 5% 1501..3000
  depth: 20
`

// workload is a scenario with so many spans of a load.
func workload(tb testing.TB, name, load string, spans int) scenarios.Scenario {
	tb.Helper()
	const perSecond = 50_000
	scenario, err := scenarios.Read(name, []byte("name: "+name+"\nseed: 1\nduration: "+
		(time.Duration(spans)*time.Second/perSecond).String()+load))
	if err != nil {
		tb.Fatal(err)
	}
	scenario.Workload.Rate = scenarios.Constant(perSecond)
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

// stream is a load, in so many spans.
type stream struct {
	name, load string
	spans      int
}

// loads are what BenchmarkPipeline and TestBeside run.
var loads = []stream{
	{"w1", w1, 200_000}, {"w1x5", w1, 1_000_000}, {"w1x5-wide", w1Wide, 1_000_000}, {"w2", w2, 500_000},
}

// BenchmarkPipeline runs cmd/run with four worker processes over a topic that was filled before,
// and reports, beside the pass-through of the same records:
//
//	spans/s         from the assignment of the partitions, which starts the workers too, until the
//	                broker has the last span
//	ratio           of that to the pass-through
//	us/span         processor time of everything: program, workers, Redis, broker
//	us-ratio        of that to what the pass-through takes for a record, its broker included
//	client-us/span  processor time of cmd/run and its workers, of which workers-us/span in these
//	redis-us/span, kafka-us/span, others-%   where the rest of the cores goes; others-% is what
//	                has nothing to do with this benchmark, in percent of all cores
//	rss-MB          the sum of the most memory that each of cmd/run and its workers had
//	yardstick-ms    processor time of a fixed piece of work, see calibrate.Yardstick: what takes
//	                longer on another day may do so because the machine does
//	call-us         of Redis' main thread, for a script that does nothing, one call at a time
//
// The first run of each load counts for nothing: it warms the broker up, whose Java compiles what is
// done often.
func BenchmarkPipeline(b *testing.B) {
	for _, w := range loads {
		b.Run(w.name, func(b *testing.B) {
			r := open(b)
			in := r.fill(b, workload(b, w.name, w.load, w.spans))
			if !in.warm {
				r.passThrough(b, in)
				r.run(b, in)
				in.warm = true
			}
			var ours, reference figures
			for b.Loop() {
				b.StopTimer()
				reference.add(r.passThrough(b, in))
				b.StartTimer()
				ours.add(r.run(b, in))
			}
			ours.report(b, len(in.sent), reference)
			r.yardsticks(b)
		})
	}
}

// TestPipeline holds that what BenchmarkPipeline does can be done, with a load that takes a moment, since
// only people run benchmarks.
func TestPipeline(t *testing.T) {
	r := open(t)
	in := r.fill(t, workload(t, "short", w1, 5000))
	if f := r.passThrough(t, in); f.elapsed <= 0 {
		t.Errorf("the pass-through took %v", f.elapsed)
	}
	f := r.run(t, in)
	if f.elapsed <= 0 || f.program <= 0 || f.workers <= 0 || f.redis <= 0 || f.kafka <= 0 || f.rss <= 0 {
		t.Errorf("the program took nothing of something: %+v", f)
	}
}

func (f *figures) add(g figures) {
	f.elapsed += g.elapsed
	f.program, f.workers = f.program+g.program, f.workers+g.workers
	f.redis, f.kafka, f.others = f.redis+g.redis, f.kafka+g.kafka, f.others+g.others
	f.rss = max(f.rss, g.rss)
}

// all is the processor time of everything that has to do with the run.
func (f *figures) all() time.Duration { return f.program + f.workers + f.redis + f.kafka }

func (f *figures) report(b *testing.B, spans int, reference figures) {
	n := float64(spans) * float64(b.N)
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / n }
	b.ReportMetric(n/f.elapsed.Seconds(), "spans/s")
	b.ReportMetric(n/reference.elapsed.Seconds(), "pass-through/s")
	b.ReportMetric(reference.elapsed.Seconds()/f.elapsed.Seconds(), "ratio")
	b.ReportMetric(micros(f.all()), "us/span")
	b.ReportMetric(f.all().Seconds()/reference.all().Seconds(), "us-ratio")
	b.ReportMetric(micros(f.program+f.workers), "client-us/span")
	b.ReportMetric(micros(f.workers), "workers-us/span")
	b.ReportMetric(micros(f.redis), "redis-us/span")
	b.ReportMetric(micros(f.kafka), "kafka-us/span")
	b.ReportMetric(100*f.others.Seconds()/f.elapsed.Seconds()/cores, "others-%")
	b.ReportMetric(float64(f.rss)/1e6, "rss-MB")
	b.ReportMetric(0, "ns/op") // the loop's own time says nothing
}

// yardsticks reports how fast the machine and its Redis are now.
func (r *rig) yardsticks(b *testing.B) {
	b.Helper()
	work, err := calibrate.Yardstick()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(work.Median.Seconds()*1e3, "yardstick-ms")
	const calls = 20_000
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.redis.Addr},
		DisableCache: true})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	nothing := rueidis.NewLuaScript("return 0")
	cpu := func() time.Duration {
		used, err := cpuOf(r.redis.Pid())
		if err != nil {
			b.Fatal(err)
		}
		return used
	}
	before := cpu()
	for range calls {
		if err := nothing.Exec(b.Context(), client, []string{"nothing"}, nil).Error(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/calls, "call-us")
}

// options of the program: time-outs so short that flushing overlaps with reading, and so long that
// no segment is torn when a busy machine keeps a partition waiting for a few seconds.
var options = []string{"--flusher-processes", strconv.Itoa(workers), "--timeout", "10s",
	"--root-timeout", "5s"}

// run lets the program work off the input, and checks the account.
func (r *rig) run(tb testing.TB, in *input) figures {
	tb.Helper()
	path, err := binary()
	if err != nil {
		tb.Fatal(err)
	}
	return r.runBuild(tb, in, path)
}

// runBuild is run for a build of the program.
func (r *rig) runBuild(tb testing.TB, in *input, path string) figures {
	tb.Helper()
	if answer, err := r.redis.Do("FLUSHALL"); err != nil {
		tb.Fatal(answer, err)
	}
	shards := in.scenario.Topology.Partitions
	output := r.topic(tb, "out", shards, arrival())
	args := append([]string{"--redis", r.redis.Addr, "--kafka", r.kafka.Addr,
		"--input-topic", in.topic, "--output-topic", output, "--group", output,
		"--dlq-topic", r.topic(tb, "dlq", shards, nil), "--http", "127.0.0.1:0"}, options...)
	p := startBuild(tb, path, append(args, extra()...)...)
	began := p.untilReading(tb)
	before := r.sample(tb, p)
	r.conclude(tb, in, output)
	// What stays are the epilogue, a trace and an entry of the queue in each shard, the shards' owners,
	// the mark of the node, and the layout.
	r.untilKeys(tb, p, 3*shards+2)
	p.wantNoneSkewed(tb)
	f := r.sample(tb, p).minus(before)
	r.untilKeys(tb, p, shards+2)
	p.drain(tb)
	f.elapsed = r.account(tb, in, output).Sub(began)
	return f
}

// extra flags for experiments.
func extra() []string { return strings.Fields(os.Getenv("SLUICE_BENCH_FLAGS")) }

// lookEvery is often enough for what is used until the end, and too seldom to be seen in it. (The
// time of the end is the broker's.)
const lookEvery = 200 * time.Millisecond

// untilKeys waits until Redis has no more than so many keys.
func (r *rig) untilKeys(tb testing.TB, p *program, most int) {
	tb.Helper()
	late := time.After(5 * time.Minute)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		answer, err := r.redis.Do("DBSIZE")
		keys, bad := strconv.Atoi(strings.TrimSpace(answer))
		if err = errors.Join(err, bad); err != nil {
			tb.Fatalf("%v\n%s", err, p.tail())
		}
		if keys <= most {
			return
		}
		select {
		case <-look.C:
		case err := <-p.done:
			tb.Fatalf("the program ended: %v\n%s", err, p.tail())
		case <-late:
			tb.Fatalf("redis still has %d keys, want %d\n%s", keys, most, p.tail())
		}
	}
}

// sample is what has been used so far.
func (r *rig) sample(tb testing.TB, p *program) figures {
	tb.Helper()
	var f figures
	must := func(d time.Duration, err error) time.Duration {
		if err != nil {
			tb.Fatalf("%v\n%s", err, p.tail())
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
