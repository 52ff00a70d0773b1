package wall_test

import (
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/buffer/redisstore"
	"sluice/internal/process"
	"sluice/internal/servers/servertest"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
)

// TestARunBeginsWithNothingUsed: what this process computed before a run is none of that.
func TestARunBeginsWithNothingUsed(t *testing.T) {
	used := func() time.Duration {
		p, alive := process.Look(os.Getpid())
		if !alive {
			t.Fatal("this process is not seen")
		}
		return p.CPU
	}
	for used() < time.Second { // far more than it takes to open a run
		if t.Context().Err() != nil {
			t.Fatal("this process gets no time")
		}
	}
	before := used()
	b := openBench(t, fakes.World{}, false, nil)
	if _, sample := b.s.Look(); sample.CPUHarness >= before.Seconds() {
		t.Errorf("%v s were used before the run, and %v s in it when it begins", before.Seconds(), sample.CPUHarness)
	}
}

// TestAGivenRedisIsAsked what its threads compute, all of its nodes, whichever were named, and nothing is
// said of before the run.
func TestAGivenRedisIsAsked(t *testing.T) {
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	cluster := servertest.NewRedisCluster(t)
	replica := servertest.Replica(t, cluster, 0)
	for _, c := range []struct {
		what  string
		redis []string
		nodes int
	}{
		{"one server", []string{servertest.RedisAddr(t)}, 1},
		{"one node of a cluster", servertest.Addrs(cluster)[1:2], 3},
		{"a replica, too", append(servertest.Addrs(cluster), replica.Addr), 3},
	} {
		t.Run(c.what, func(t *testing.T) {
			before := makeBusy(t, c.redis)
			world := real.World{Redis: c.redis, Kafka: kafka.ListenAddrs()}
			if nodes, here, err := world.Where(t.Context()); nodes != c.nodes || !here || err != nil {
				t.Errorf("%d nodes are here: %v, %v; want %d", nodes, here, err, c.nodes)
			}
			b := openBench(t, world, true, nil)
			for {
				_, sample := b.s.Look()
				if sample.CPURedis > before {
					t.Errorf("%v s were used before the run, and %v s in it when it begins", before, sample.CPURedis)
				}
				if sample.CPURedis > 0 {
					if sample.RedisNodes != c.nodes || sample.RedisElsewhere != 0 {
						t.Errorf("it is the time of %d nodes, %d elsewhere; want %d, all here", sample.RedisNodes,
							sample.RedisElsewhere, c.nodes)
					}
					return
				}
				time.Sleep(10 * time.Millisecond) // until it has answered twice
			}
		})
	}
}

// makeBusy has a Redis compute something, and returns what its nodes have used then.
func makeBusy(t *testing.T, addresses []string) (seconds float64) {
	t.Helper()
	client, err := wall.Access{}.DialRedis(addresses)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	busy := client.B().Eval().Script("for i = 1, 3e7 do end return 1").Numkeys(0).Build()
	if err := client.Do(t.Context(), busy).Error(); err != nil {
		t.Fatal(err)
	}
	used, err := redisstore.MainThread(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range used {
		seconds += one.Seconds()
	}
	return seconds
}
