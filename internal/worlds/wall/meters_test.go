package wall

import (
	"os"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/reports"
	"sluice/scenarios"
)

// worked is a backend whose servers have served others before.
type worked struct{ redis, kafka float64 }

func (*worked) Break(*System, scenarios.Fault) (func() error, error) { return nil, nil }
func (w *worked) Seconds() (redis, kafka float64)                    { return w.redis, w.kafka }
func (*worked) Close() error                                         { return nil }

// TestProcessorTimeIsThatOfTheRun, and not what the servers and this process had used before.
func TestProcessorTimeIsThatOfTheRun(t *testing.T) {
	var m meters
	for m.own.seconds([]int{os.Getpid()}) == 0 { // until the first tick
		if t.Context().Err() != nil {
			t.Fatal("this process has used no time")
		}
	}
	servers := &worked{redis: 100, kafka: 200}
	m.begin(servers)
	servers.redis, servers.kafka = 101, 203
	var got reports.Sample
	m.enter(&got, servers)
	if got.CPURedis != 1 || got.CPUKafka != 3 {
		t.Errorf("the servers used %v and %v s, want 1 and 3", got.CPURedis, got.CPUKafka)
	}
	if before := m.before.CPUHarness; before == 0 || got.CPUHarness >= m.own.seconds([]int{os.Getpid()}) {
		t.Errorf("this process used %v s before the run, and %v in it", before, got.CPUHarness)
	}
}

// TestMemoryOfNodes: what is beside a limit is that of one node, and all have what all have.
func TestMemoryOfNodes(t *testing.T) {
	nodes := []buffer.NodeMemory{{Used: 60, Max: 100}, {Used: 70, Max: 200}, {Used: 10, Max: 100}}
	if got, want := memoryOf(nodes), (redisMemory{used: 60, max: 100, all: 140}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := memoryOf(nil); got != (redisMemory{}) {
		t.Errorf("of no node: %+v", got)
	}
}

func TestProcessesAreMeasured(t *testing.T) {
	self := []int{os.Getpid()}
	if memory := residentMax(self); memory < 1<<20 {
		t.Errorf("this process holds %d bytes", memory)
	}
	var meter cpuMeter
	for used := 0.0; used == 0; used = meter.seconds(self) { // until the first tick
		if t.Context().Err() != nil {
			t.Fatal("this process has used no time")
		}
	}
	const nobody = 1 << 30
	if before, after := meter.seconds(self), meter.seconds([]int{nobody}); after < before {
		t.Errorf("%v s were used, then %v", before, after)
	}
}

// TestThreadsOfNodes: what a node used before it was first asked is none of the run's, one that was started
// again counts from 0, and one in whose place another serves counts no more.
func TestThreadsOfNodes(t *testing.T) {
	var used threads
	local := func(addresses ...string) bool { return addresses[0] == "a" }
	for _, step := range []struct {
		said map[string]time.Duration
		want redisTime
	}{
		{map[string]time.Duration{"a": 100}, redisTime{0, 1, 0}},
		{map[string]time.Duration{"a": 103, "b": 1000}, redisTime{3, 2, 1}},
		{map[string]time.Duration{"b": 1001}, redisTime{4, 1, 1}},
		{map[string]time.Duration{"a": 2, "b": 1001}, redisTime{6, 2, 1}},
		{map[string]time.Duration{"a": 3, "c": 50}, redisTime{7, 2, 1}},
	} {
		if got := used.add(step.said, local); got != step.want {
			t.Errorf("after %v: %+v, want %+v", step.said, got, step.want)
		}
	}
}
