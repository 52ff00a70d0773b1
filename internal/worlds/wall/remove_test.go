package wall

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaio"
)

// TestRemoveNoTopics: who has no topics does not wait for those of others to go.
func TestRemoveNoTopics(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "of-somebody-else"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := removeTopics(ctx, client, "nobodys"); err != nil {
		t.Error(err)
	}
	if len(cluster.PartitionInfos("of-somebody-else")) != 1 {
		t.Error("a topic of somebody else is gone")
	}
}

// TestRemoveBesideOneThatDied: what is on the server that answers goes, and what is said names the
// other one.
func TestRemoveBesideOneThatDied(t *testing.T) {
	const nobody = "127.0.0.1:1"
	redis := miniredis.RunT(t)
	of := newNames("steady", time.Now())
	p, err := startPulse(t.Context(), []string{redis.Addr()}, Access{}, of.alive)
	if err != nil {
		t.Fatal(err)
	}
	defer p.client.Close()
	if err := redis.Set(of.namespace+"t:1:ab", "x"); err != nil {
		t.Fatal(err)
	}
	kafka := kafkaio.DefaultConfig(nobody)
	err = of.remove(p, &kafka)
	if err == nil || !strings.Contains(err.Error(), "kafka "+nobody) ||
		strings.Contains(err.Error(), "redis") || !strings.Contains(err.Error(), of.run) {
		t.Errorf("said: %v", err)
	}
	if left := redis.Keys(); len(left) > 0 {
		t.Errorf("left in redis: %q", left)
	}
}
