package harness

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"sluice/internal/servers"
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
		b.refuses(b.w.output, 1)
		b.takes(b.w.input, 1)
	}, func(b bench) { b.takes(b.w.output, 1) }},
	{"fail partition 2 for 1s", nil, func(b bench) {
		b.refuses(b.w.output, 2)
		b.takes(b.w.output, 1)
	}, func(b bench) { b.takes(b.w.output, 2) }},
}

// openBench opens a world whose scenario has all the cases' faults, and sees to it that nothing is
// left of it.
func openBench(t *testing.T, cfg Config, cases []faultCase) bench {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	cfg.Scenario = short(t, "")
	cfg.Scenario.Topology.OutputRecordMax = 10_000
	for _, c := range cases {
		f := parseFault(t, c.what)
		if err := canDo(cfg, f); err != nil {
			t.Fatal(err)
		}
		cfg.Scenario.Faults = append(cfg.Scenario.Faults, f)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	w, err := openWorld(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
		for _, address := range slices.Concat(w.redis, w.kafka) {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			if err == nil && (cfg.World == WorldFakes || cfg.Servers != ServersGiven) {
				t.Errorf("%s still answers", address)
			}
		}
		// A client of a cluster sleeps on for 5 s when it is closed.
		goleak.VerifyNone(t, leaks, goleak.IgnoreTopFunction("time.Sleep"))
	})
	return bench{t, w}
}

func (b bench) try(t *testing.T, c faultCase) {
	b.t = t
	if c.before != nil {
		c.before(b)
	}
	undo, err := b.w.inject(parseFault(t, c.what))
	if err != nil {
		t.Fatal(err)
	}
	c.during(b)
	if undo != nil {
		if err := undo(); err != nil {
			t.Fatal(err)
		}
		if err := undo(); err != nil {
			t.Errorf("undone again: %v", err)
		}
	}
	c.after(b)
	if len(b.w.faults)+len(b.w.busy) > 0 {
		t.Errorf("%d faults and busy servers %v are left", len(b.w.faults), b.w.busy)
	}
}

func TestFaultsOnFakes(t *testing.T) {
	cases := slices.Concat(networkCases, serverCases)
	b := openBench(t, Config{World: WorldFakes}, cases)
	for _, c := range cases {
		t.Run(c.what, func(t *testing.T) { b.try(t, c) })
	}
	t.Run("large record", func(t *testing.T) { b.refusesLargeRecords(t) })
	t.Run("heal", func(t *testing.T) { b.heals(t, cases) })
}

// refusesLargeRecords: the output topic is made with the limit of the scenario.
func (b bench) refusesLargeRecords(t *testing.T) {
	client := b.kafka(true, kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), answerMax)
	defer cancel()
	for _, size := range []int{9_000, 11_000, 9_000} {
		tooLarge := map[string]bool{b.w.output: size > 10_000}
		for _, topic := range []string{b.w.output, b.w.input} {
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
	for _, c := range cases {
		_, err := b.w.inject(parseFault(t, c.what))
		switch {
		case errors.Is(err, errBusy):
			busy++
		case err != nil:
			t.Error(err)
		}
	}
	if busy == 0 {
		t.Error("no server was busy")
	}
	if err := b.w.heal(); err != nil {
		t.Fatal(err)
	}
	for node := range b.w.redis {
		b.redisAnswers(node, true)
	}
	b.kafkaAnswers(true)
	b.takes(b.w.output, 0)
}

func TestFaultsOnStartedServers(t *testing.T) {
	full := faultCase{"fill redis for 1s", nil, func(b bench) {
		if err := b.set(0, "{06S}"+strings.Repeat("k", 1000)); err == nil ||
			!strings.Contains(err.Error(), "OOM") {
			b.t.Errorf("SET in full memory: %v", err)
		}
		if used, max, err := b.w.redisMemory(b.t.Context()); err != nil || max == 0 || used < max/2 {
			b.t.Errorf("memory is %d of %d, %v", used, max, err)
		}
	}, keySet}
	for kind, cases := range map[Servers][]faultCase{
		ServersStart: slices.Concat(networkCases, serverCases, []faultCase{full}),
		ServersStartCluster: {networkCases[0], full,
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
			servers.Need(t)
			b := openBench(t, Config{World: WorldReal, Servers: kind}, cases)
			for _, c := range cases {
				t.Run(c.what, func(t *testing.T) { b.try(t, c) })
			}
			t.Run("large record", func(t *testing.T) { b.refusesLargeRecords(t) })
			t.Run("heal", func(t *testing.T) { b.heals(t, cases) })
			if redis, kafka := b.w.cpu(); redis <= 0 || kafka <= 0 {
				t.Errorf("processor time is %v s of Redis and %v s of Kafka", redis, kafka)
			}
		})
	}
}

// TestWhatNoWorldSkips: each fault of the grammar can be done to servers, or there is a reason.
func TestWhatNoWorldSkips(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		what string
		want string // of the reason; "" if it can
	}{
		{Config{World: WorldFakes}, "fill redis for 1s", ""},
		{Config{World: WorldFakes}, "stop redis node 1 for 1s", "no node 1"},
		{Config{World: WorldFakes}, "jump clock by 1s", ""},
		{Config{World: WorldReal, Servers: ServersStart}, "fail partition 1 for 1s", ""},
		{Config{World: WorldReal, Kafka: []string{"a:1"}}, "fail partition 1 for 1s", "--servers start"},
		{Config{World: WorldReal, Servers: ServersStart}, "wipe redis node 1", "--servers start-cluster"},
		{Config{World: WorldReal, Servers: ServersStartCluster}, "wipe redis node 2", ""},
		{Config{World: WorldReal, Redis: []string{"a:1"}}, "wipe redis", "--servers start"},
		{Config{World: WorldReal, Redis: []string{"a:1"}}, "cut redis node 1", "no node 1"},
		{Config{World: WorldReal, Redis: []string{"a:1"}}, "cut redis node 0", ""},
		{Config{World: WorldReal, Redis: []string{"a:1"}}, "hang worker 1", ""},
	} {
		err := canDo(c.cfg, parseFault(t, c.what))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("world %s, servers %q: %s: %v, want %q", c.cfg.World, c.cfg.Servers, c.what, err,
				c.want)
		}
	}
}
