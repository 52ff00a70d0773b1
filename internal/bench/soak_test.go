package bench

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/load"
	"sluice/scenarios"
)

var (
	soakFor  = flag.Duration("soak", 5*time.Second, "how long TestSoak runs; growth is judged from a minute on")
	soakRate = flag.Int("soakrate", 40_000, "spans per second that TestSoak sends")
)

// warmUp is the part of the run after which memory is expected to stay where it is.
const warmUp = 5 // of it: a fifth

// judgedFrom is how long a run must be for that: in a shorter one the garbage collector has not settled.
const judgedFrom = time.Minute

// growthMax is how much larger the average of the last fifth may be than that of the second.
const growthMax = 1.15

// TestSoak sends a sustained load for as long as -soak=DURATION says, and demands that the memory of each
// process of the program stays what it was after warming up. With all tests it runs for a moment, which
// shows that it works.
func TestSoak(t *testing.T) {
	r := open(t)
	const partitions = 8
	input := r.topic(t, "soak-in", partitions, briefly())
	output := r.topic(t, "soak-out", partitions, briefly())
	p := start(t, "--redis", r.redis.Addr, "--kafka", r.kafka.Addr, "--input-topic", input,
		"--output-topic", output, "--dlq-topic", r.topic(t, "soak-dlq", partitions, nil), "--group", input,
		"--flusher-processes", "4", "--timeout", "4s", "--root-timeout", "2s", "--http", "off")
	p.untilReading(t)
	sent := r.send(t, input)
	samples := watch(t, p)
	n := <-sent
	p.drain(t)
	t.Logf("%d spans in %v: %.0f per second", n, *soakFor, float64(n)/soakFor.Seconds())
	judge(t, samples)
}

// briefly keeps a topic from filling the disk.
func briefly() map[string]*string {
	size, every := fmt.Sprint(64<<20), fmt.Sprint(32<<20)
	return map[string]*string{"retention.bytes": &size, "segment.bytes": &every}
}

// send sends the load in the background, and hands over how many spans it was.
func (r *rig) send(t *testing.T, topic string) <-chan int {
	client := r.client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(100_000))
	scenario := workload(t, "soak", w1, int(soakFor.Seconds())**soakRate)
	scenario.Duration = *soakFor
	scenario.Workload.Rate.From = scenarios.PerSecond(*soakRate)
	generator := load.NewGenerator(scenario)
	sent := make(chan int, 1)
	go func() {
		n, begin := 0, time.Now()
		for m := (load.Message{}); generator.Next(&m) && t.Context().Err() == nil; n++ {
			if early := m.At - time.Since(begin); early > time.Millisecond {
				<-time.After(early)
			}
			client.Produce(t.Context(), &kgo.Record{Topic: topic, Partition: m.Partition, Key: m.Key,
				Value: m.Value}, nil)
		}
		if err := client.Flush(t.Context()); err != nil {
			t.Errorf("send the load: %v", err)
		}
		sent <- n
	}()
	return sent
}

// watch samples the memory of the program, first, and of its workers until the time is over.
func watch(t *testing.T, p *program) (samples [][]float64) {
	t.Helper()
	end := time.After(*soakFor)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return samples
		case err := <-p.done:
			t.Fatalf("the program ended: %v\n%s", err, p.tail())
		case <-tick.C:
		}
		own, pids, err := p.pids()
		if err != nil {
			t.Fatal(err)
		}
		var now []float64
		for _, pid := range append([]int{own}, pids...) {
			rss, err := resident(pid)
			if err != nil {
				t.Fatalf("%v\n%s", err, p.tail())
			}
			now = append(now, float64(rss)/1e6)
		}
		samples = append(samples, now)
	}
}

// judge compares the last part of the run with the first one after warming up.
func judge(t *testing.T, samples [][]float64) {
	t.Helper()
	if len(samples) < 2 {
		t.Fatalf("memory was looked at %d times, which tells nothing: give -soak=5s or more", len(samples))
	}
	fifth := max(1, len(samples)/warmUp)
	for which := range workers + 1 {
		name := "cmd/run"
		if which > 0 {
			name = fmt.Sprint("worker ", which-1)
		}
		early, late := mean(samples[fifth:2*fifth], which), mean(samples[len(samples)-fifth:], which)
		most := 0.0
		for _, s := range samples {
			most = max(most, s[which])
		}
		t.Logf("%s: %.0f MB in the second fifth, %.0f MB in the last, %.0f MB at most", name, early,
			late, most)
		if *soakFor >= judgedFrom && late > growthMax*early {
			t.Errorf("%s grows", name)
		}
	}
}

func mean(samples [][]float64, which int) float64 {
	sum := 0.0
	for _, s := range samples {
		sum += s[which]
	}
	return sum / float64(max(1, len(samples)))
}
