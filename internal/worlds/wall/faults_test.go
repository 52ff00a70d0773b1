package wall_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"sluice/internal/harness"
	"sluice/internal/load"
	"sluice/internal/servers/servertest"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
)

// faultCase is a fault, and what a client sees while it lasts and after it.
type faultCase struct {
	what          string
	before        func(b bench)
	during, after func(b bench)
}

func keySet(b bench) {
	err := b.set(0, "{06S}k") // slot 0, of the first node
	for deadline := time.Now().Add(answerMax); err != nil && time.Now().Before(deadline); {
		err = b.set(0, "{06S}k")
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// keyIs waits for an answer: the nodes of a cluster need a moment to find each other again.
func keyIs(want string) func(b bench) {
	return func(b bench) {
		got, err := b.redis(0, false, answerMax, "EXISTS", "{06S}k")
		for deadline := time.Now().Add(answerMax); err != nil && time.Now().Before(deadline); {
			got, err = b.redis(0, false, answerMax, "EXISTS", "{06S}k")
		}
		if err != nil || got != want {
			b.t.Errorf("EXISTS is %s, %v; want %s", got, err, want)
		}
	}
}

func redisBack(b bench) { b.redisAnswers(0, true) }
func kafkaBack(b bench) { b.kafkaAnswers(true) }

// networkCases are the same in all worlds.
var networkCases = []faultCase{
	{"slow redis by 30ms", nil, func(b bench) {
		began := time.Now()
		b.redisAnswers(0, true)
		if took := time.Since(began); took < 60*time.Millisecond {
			b.t.Errorf("question and answer took %v", took)
		}
	}, redisBack},
	{"throttle kafka requests to 100KiB/s for 1s", nil, kafkaBack, kafkaBack},
	{"cut redis", nil, redisBack, redisBack},
	{"cut kafka", nil, kafkaBack, kafkaBack},
	{"refuse redis for 1s", nil, func(b bench) {
		b.redisIsSilent(0, true)
		b.redisAnswers(0, false)
	}, redisBack},
	{"black-hole redis answers for 1s", nil, func(b bench) {
		b.redisIsSilent(0, true)
		b.redisAnswers(0, false)
	}, redisBack},
	{"refuse kafka for 1s", nil, func(b bench) {
		b.kafkaIsSilent(true)
		b.kafkaAnswers(false)
	}, kafkaBack},
	{"black-hole kafka requests for 1s", nil, func(b bench) {
		b.kafkaIsSilent(true)
		b.kafkaAnswers(false)
	}, kafkaBack},
}

// serverCases are for servers that are fakes or were started.
var serverCases = []faultCase{
	{"hang redis for 1s", keySet, func(b bench) { b.redisIsSilent(0, true) }, keyIs("1")},
	{"pause redis for 1s", keySet, func(b bench) { b.redisIsSilent(0, true) }, keyIs("1")},
	{"stop redis for 1s", keySet, func(b bench) { b.redisIsSilent(0, false) }, keyIs("1")},
	{"wipe redis", keySet, func(b bench) { b.redisIsSilent(0, false) }, keyIs("0")},
	{"hang kafka for 1s", nil, func(b bench) {
		b.kafkaIsSilent(true)
		b.kafkaIsSilent(false)
	}, kafkaBack},
	{"stop kafka for 1s", nil, func(b bench) {
		b.kafkaIsSilent(true)
		b.kafkaIsSilent(false)
	}, kafkaBack},
	{"crash kafka for 1s", nil, func(b bench) { b.kafkaIsSilent(false) }, kafkaBack},
	{"fail kafka for 1s", nil, func(b bench) {
		b.refuses(b.s.Output(), 1)
		b.refuses(b.s.Letters(), 1)
		b.takes(b.s.Input(), 1)
	}, func(b bench) {
		b.takes(b.s.Output(), 1)
		b.takes(b.s.Letters(), 1)
	}},
	{"fail partition 2 for 1s", nil, func(b bench) {
		b.refuses(b.s.Output(), 2)
		b.takes(b.s.Output(), 1)
		b.takes(b.s.Letters(), 2)
	}, func(b bench) { b.takes(b.s.Output(), 2) }},
}

// deleted is for all worlds: what stands in a partition of the input is deleted, and what comes is not.
var deleted = faultCase{"delete-records partition 3", func(b bench) {
	b.takes(b.s.Input(), 3)
	b.takes(b.s.Input(), 4)
}, func(b bench) {
	if start, end := b.log(b.s.Input(), 3); start != end || end == 0 {
		b.t.Errorf("partition 3 is there from %d to %d", start, end)
	}
	if start, end := b.log(b.s.Input(), 4); start != 0 || end == 0 {
		b.t.Errorf("partition 4 is there from %d to %d", start, end)
	}
}, func(b bench) { b.takes(b.s.Input(), 3) }}

// openBench opens a run whose scenario has all the cases' faults, and sees to it that nothing is
// left of it: no server, unless they were given.
func openBench(t *testing.T, world harness.World, given bool, cases []faultCase) bench {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	s := scenarios.Default()
	s.Name, s.Topology.OutputRecordMax = "bench", 10_000
	for _, c := range cases {
		s.Faults = append(s.Faults, parseFault(t, c.what))
	}
	cfg := harness.Config{Scenario: s, World: world}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	g := load.NewGenerator(s)
	opened, err := world.Open(t.Context(), harness.Setup{Scenario: s, Load: g,
		Sink: harness.NewSink(s, g, nil), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	system := opened.(*wall.System)
	t.Cleanup(func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
		for _, address := range system.Servers() {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != given {
				t.Errorf("%s is a given server: %v; asked when all is over: %v", address, given, err)
			}
		}
		// A client of a cluster sleeps on for 5 s when it is closed.
		goleak.VerifyNone(t, leaks, goleak.IgnoreTopFunction("time.Sleep"))
	})
	return bench{t, system}
}

func (b bench) try(t *testing.T, c faultCase) {
	b.t = t
	if c.before != nil {
		c.before(b)
	}
	undo, err := b.s.Break(parseFault(t, c.what))
	for deadline := time.Now().Add(answerMax); errors.Is(err, harness.ErrBusy) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // a server that has just started may not know of groups yet
		undo, err = b.s.Break(parseFault(t, c.what))
	}
	if err != nil {
		t.Fatal(err)
	}
	c.during(b)
	if undo != nil {
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
	c.after(b)
	if busy := b.s.Busy(); busy > 0 {
		t.Errorf("%d servers are still busy", busy)
	}
}

func TestFaultsOnFakes(t *testing.T) {
	deposed := faultCase{"depose partition 2 for 1s", nil, func(b bench) {
		for _, topic := range []string{b.s.Output(), b.s.Input()} {
			b.refusesAs(topic, 2, kerr.NotLeaderForPartition)
			b.takes(topic, 1)
		}
	}, func(b bench) { b.takes(b.s.Output(), 2) }}
	cases := slices.Concat(networkCases, serverCases, []faultCase{deleted, deposed})
	b := openBench(t, fakes.World{}, false, cases)
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) { b.try(t, c) })
	}
	t.Run("large record", func(t *testing.T) { b.refusesLargeRecords(t) })
	t.Run("heal", func(t *testing.T) { b.heals(t, cases) })
	t.Run("forget", func(t *testing.T) { b.forgets(t) })
}

// TestABrokerOfSeveral: the pipeline cannot talk to one that is stopped, and to the others it can.
func TestABrokerOfSeveral(t *testing.T) {
	one := faultCase{"stop kafka broker 1 for 1s", nil, func(b bench) {
		of := map[int]int{}
		for p := range int32(8) {
			leader := b.leader(b.s.Output(), p)
			of[leader]++
			if err := b.produce(b.s.Output(), p, 1); (err == nil) == (leader == 1) {
				b.t.Errorf("produce to partition %d of broker %d: %v", p, leader, err)
			}
		}
		if len(of) < 2 || of[1] < 8/len(of) {
			b.t.Errorf("the brokers have so many of 8 partitions: %v", of)
		}
	}, kafkaBack}
	b := openBench(t, fakes.World{}, false, []faultCase{one})
	b.try(t, one)
}

// forgets waits until the first record of the output, which the harness has read, is gone.
func (b bench) forgets(t *testing.T) {
	client := b.kafka(false)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	for first := int64(0); first == 0; time.Sleep(100 * time.Millisecond) {
		starts, err := kadm.NewClient(client).ListStartOffsets(ctx, b.s.Output())
		if err != nil {
			t.Fatalf("the first record is still there: %v", err)
		}
		start, _ := starts.Lookup(b.s.Output(), 0)
		first = start.Offset
	}
}

// refusesLargeRecords: the output topic is made with the limit of the scenario.
func (b bench) refusesLargeRecords(t *testing.T) {
	client := b.kafka(true, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	for _, size := range []int{9_000, 11_000, 9_000} {
		tooLarge := map[string]bool{b.s.Output(): size > 10_000}
		for _, topic := range []string{b.s.Output(), b.s.Input()} {
			var want error
			if tooLarge[topic] {
				want = kerr.MessageTooLarge
			}
			err := client.ProduceSync(ctx, &kgo.Record{Topic: topic,
				Value: make([]byte, size)}).FirstErr()
			if !errors.Is(err, want) {
				t.Errorf("a record of %d bytes to %s: %v, want %v", size, topic, err, want)
			}
		}
	}
}

// heals injects all faults that can be at one time, and heals them together.
func (b bench) heals(t *testing.T, cases []faultCase) {
	b.t = t
	busy := 0
	var undos []func() error
	for _, c := range cases {
		undo, err := b.s.Break(parseFault(t, c.what))
		switch {
		case errors.Is(err, harness.ErrBusy):
			busy++
		case err != nil:
			t.Error(err)
		case undo != nil:
			undos = append(undos, undo)
		}
	}
	if busy == 0 {
		t.Error("no server was busy")
	}
	for _, undo := range undos {
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
	for node := range b.s.Redis() {
		b.redisAnswers(node, true)
	}
	b.kafkaAnswers(true)
	b.takes(b.s.Output(), 0)
}

func TestFaultsOnStartedServers(t *testing.T) {
	full := faultCase{"fill redis for 1s", nil, func(b bench) {
		// Buffers of connections were in use when the limit was set: there may be a little room.
		err := error(nil)
		for n := 0; err == nil && n < 50; n++ {
			err = b.set(0, fmt.Sprint("{06S}", strings.Repeat("k", 1000), n))
		}
		if err == nil || !strings.Contains(err.Error(), "OOM") {
			b.t.Errorf("SET in full memory: %v", err)
		}
		if used, max, err := b.s.RedisMemory(b.t.Context()); err != nil || max == 0 || used < max/2 {
			b.t.Errorf("memory is %d of %d, %v", used, max, err)
		}
	}, keySet}
	// What is written after it began is gone when it is over, and what was there before is not.
	setBack := faultCase{"failover redis by 1ms", keySet, func(b bench) {
		b.redisIsSilent(0, false)
	}, keyIs("1")}
	for kind, cases := range map[real.Origin][]faultCase{
		real.Start: slices.Concat(networkCases, serverCases, []faultCase{full, setBack, deleted}),
		real.StartCluster: {networkCases[0], full,
			{"stop redis node 1 for 1s", keySet, func(b bench) {
				b.redisIsSilent(1, true)
				b.redisAnswers(2, true)
			}, func(b bench) { b.redisAnswers(1, true) }},
			{"wipe redis node 0", keySet, func(b bench) { b.redisIsSilent(0, true) }, keyIs("0")},
			{"refuse redis node 2 for 1s", nil, func(b bench) {
				b.redisIsSilent(2, true)
				b.redisAnswers(0, true)
			}, func(b bench) { b.redisAnswers(2, true) }},
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			servertest.Need(t)
			b := openBench(t, real.World{Servers: kind}, false, cases)
			for _, c := range cases {
				t.Run(c.what, func(t *testing.T) { b.try(t, c) })
			}
			t.Run("large record", func(t *testing.T) { b.refusesLargeRecords(t) })
			t.Run("heal", func(t *testing.T) { b.heals(t, cases) })
			nodes := map[real.Origin]int{real.Start: 1, real.StartCluster: 3}[kind]
			if _, s := b.s.Look(); s.CPURedis <= 0 || s.CPUKafka <= 0 || s.RedisNodes != nodes {
				t.Errorf("processor time is %v s of %d nodes of Redis, and %v s of Kafka", s.CPURedis, s.RedisNodes,
					s.CPUKafka)
			}
		})
	}
}

// TestFaultsOnGivenServers: the network to them is the run's, but not what they are.
func TestFaultsOnGivenServers(t *testing.T) {
	redis := miniredis.RunT(t)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	world := real.World{Redis: []string{redis.Addr()}, Kafka: kafka.ListenAddrs()}
	b := openBench(t, world, true, networkCases)
	for _, c := range networkCases {
		t.Run(c.what, func(t *testing.T) { b.try(t, c) })
	}
	if _, err := b.s.Break(parseFault(t, "wipe redis")); err == nil ||
		!strings.Contains(err.Error(), "servers of others") {
		t.Errorf("a wipe of a given Redis: %v", err)
	}
}

// TestSeveralMayLookAtOnce: when a run stops, it looks itself, beside its observer.
func TestSeveralMayLookAtOnce(t *testing.T) {
	b := openBench(t, fakes.World{}, false, nil)
	var looking sync.WaitGroup
	for range 2 {
		looking.Go(func() {
			for range 20 {
				if _, s := b.s.Look(); s.CPUHarness < 0 {
					t.Errorf("this process has used %v s", s.CPUHarness)
				}
			}
		})
	}
	looking.Wait()
}

// TestWhatNoWorldSkips: each fault of the grammar can be done to servers, or there is a reason.
func TestWhatNoWorldSkips(t *testing.T) {
	for _, c := range []struct {
		world harness.World
		what  string
		want  string // of the reason; "" if it can
	}{
		{fakes.World{}, "fill redis for 1s", ""},
		{fakes.World{}, "stop redis node 1 for 1s", "no node 1"},
		{fakes.World{}, "jump clock by 1s", ""},
		{fakes.World{}, "failover redis by 1s", "--servers start"},
		{fakes.World{}, "stop kafka broker 2 for 1s", ""},
		{fakes.World{}, "stop kafka broker 3 for 1s", "no broker 3"},
		{fakes.World{}, "depose partition 1 for 1s", ""},
		{real.World{Servers: real.Start}, "depose partition 1 for 1s", "--world fakes"},
		{real.World{Servers: real.Start}, "stop kafka broker 1 for 1s", "no broker 1"},
		{real.World{Servers: real.Start}, "hang host for 1s", ""},
		{real.World{Kafka: []string{"a:1", "b:1"}}, "cut kafka broker 1", ""},
		{fakes.World{}, "delete-records partition 1", ""},
		{real.World{Redis: []string{"a:1"}}, "delete-records kafka", ""},
		{real.World{Redis: []string{"a:1"}}, "failover redis by 1s", "--servers start"},
		{real.World{Servers: real.Start}, "fail partition 1 for 1s", ""},
		{real.World{Kafka: []string{"a:1"}}, "fail partition 1 for 1s", "--servers start"},
		{real.World{Servers: real.Start}, "wipe redis node 1", "--servers start-cluster"},
		{real.World{Servers: real.StartCluster}, "wipe redis node 2", ""},
		{real.World{Servers: real.StartCluster}, "wipe redis node 3", "no node 3"},
		{real.World{Servers: "start-cluster:6"}, "wipe redis node 5", ""},
		{real.World{Redis: []string{"a:1"}}, "wipe redis", "--servers start"},
		{real.World{Redis: []string{"a:1"}}, "cut redis node 1", "no node 1"},
		{real.World{Redis: []string{"a:1"}}, "cut redis node 0", ""},
		{real.World{Redis: []string{"a:1"}}, "hang worker 1", ""},
	} {
		err := c.world.Can(parseFault(t, c.what))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("world %s, %+v: %s: %v, want %q", c.world.Name(), c.world, c.what, err, c.want)
		}
	}
}
