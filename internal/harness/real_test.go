package harness_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/harness"
	"sluice/internal/servers/servertest"
	"sluice/internal/worlds/wall/real"
)

// TestRealServers runs with faults on real servers, and expects that nothing of it stays there.
func TestRealServers(t *testing.T) {
	for _, c := range []struct {
		name  string
		redis func() []string
	}{
		{"Redis", func() []string { return []string{servertest.RedisAddr(t)} }},
		{"Redis Cluster", func() []string { return servertest.RedisCluster(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := short(t, `
faults:
  - at 1s hang worker 1
  - when 1500 spans sent crash worker 2
expectations:
  restarts_min: 2
`)
			// The hang must be recognised before it is healed, also by a supervisor that stood still meanwhile.
			s.Duration = 13 * time.Second
			world := real.World{Redis: c.redis(), Kafka: strings.Split(servertest.KafkaAddr(t), ",")}
			expectPassed(t, runOn(t, harness.Config{Scenario: s, World: world}))
			expectNothingLeft(t, world)
		})
	}
}

func expectNothingLeft(t *testing.T, on real.World) {
	t.Helper()
	const mark = "sluice-sim-short"
	client, err := kgo.NewClient(kgo.SeedBrokers(on.Kafka...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := admin.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(topics.Names(), groups.Groups()...) {
		if strings.Contains(name, mark) {
			t.Errorf("%s is left in Kafka", name)
		}
	}
	redis, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: on.Redis, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	for address, node := range redis.Nodes() {
		keys, err := node.Do(t.Context(), node.B().Keys().Pattern(mark+"*").Build()).AsStrSlice()
		if err != nil || len(keys) > 0 {
			t.Errorf("node %s still holds %v: %v", address, keys, err)
		}
	}
}

// TestSharedServers: a run may do to servers of several runs what it may do to its own, and they are
// there for the next, as they were.
func TestSharedServers(t *testing.T) {
	t.Parallel()
	servertest.Need(t)
	world, stop, err := real.World{Servers: real.Start}.Share()
	if err != nil {
		t.Fatal(err)
	}
	s := short(t, `
faults:
  - at 1s stop redis for 1s
  - at 3s fail partition 1 for 1s
`)
	s.Duration = 7 * time.Second // long after the last fault, also on a machine that stands still
	expectPassed(t, runOn(t, harness.Config{Scenario: s, World: world}))
	expectNothingLeft(t, world)
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, address := range []string{world.Redis[0], world.Kafka[0]} {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			t.Errorf("%s is still served", address)
		}
	}
}
