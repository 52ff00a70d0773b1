package wall_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/buffer/redisstore"
	"sluice/internal/harness"
	"sluice/internal/process"
	"sluice/internal/servers/servertest"
	"sluice/internal/worlds/wall"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
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

// elsewhere is a world whose servers' processes nobody sees.
type elsewhere struct{ real.World }

// Open implements harness.World.
func (w elsewhere) Open(ctx context.Context, setup harness.Setup) (harness.System, error) {
	return wall.Open(ctx, setup, wall.Servers{
		Redis: w.Redis, Kafka: w.Kafka, Backend: unseen{}, Stay: true, RedisElsewhere: true,
	})
}

type unseen struct{}

func (unseen) Break(*wall.System, scenarios.Fault) (func() error, error) { return nil, nil }
func (unseen) Seconds() (redis, kafka float64)                           { return 0, 0 }
func (unseen) Close() error                                              { return nil }

// TestARedisElsewhereIsAsked what its thread computes: nobody else can tell.
func TestARedisElsewhereIsAsked(t *testing.T) {
	address := servertest.RedisAddr(t)
	client, err := wall.Access{}.DialRedis([]string{address})
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
	before := used[address].Seconds()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	world := elsewhere{real.World{Redis: []string{address}, Kafka: kafka.ListenAddrs()}}
	b := openBench(t, world, true, nil)
	for {
		_, sample := b.s.Look()
		if sample.CPURedis > before {
			t.Errorf("%v s were used before the run, and %v s in it when it begins", before, sample.CPURedis)
		}
		if sample.CPURedis > 0 {
			if sample.RedisElsewhere != 1 {
				t.Errorf("it is the time of %d nodes elsewhere, want 1", sample.RedisElsewhere)
			}
			return
		}
		time.Sleep(10 * time.Millisecond) // until it has answered twice
	}
}
