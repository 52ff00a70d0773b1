package redisstore_test

import (
	"errors"
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/netfault"
	"sluice/internal/servers/servertest"
)

// TestRoutesLeadToEveryNode: one node is named, the others are learned from the cluster, and each
// is reached by its proxy alone.
func TestRoutesLeadToEveryNode(t *testing.T) {
	nodes := servertest.RedisCluster(t)
	network := netfault.Open()
	t.Cleanup(network.Close)
	for _, node := range nodes {
		if _, err := network.Add(node); err != nil {
			t.Fatal(err)
		}
	}
	c := config(nodes[0])
	c.Routes = network.Routes()
	store := open(t, c)
	if memory, err := store.Memory(t.Context()); err != nil || len(memory) != len(nodes) {
		t.Fatalf("%d nodes tell of their memory, want %d: %v", len(memory), len(nodes), err)
	}
	for _, node := range nodes {
		undo, err := network.Refuse(node)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Memory(t.Context()); !errors.Is(err, buffer.ErrUnavailable) {
			t.Errorf("with the way to %s shut: %v, want %v", node, err, buffer.ErrUnavailable)
		}
		if err := undo(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRoutesAreAddresses(t *testing.T) {
	c := redisstore.DefaultConfig()
	c.Routes = map[string]string{"a:1": "nowhere"}
	if c.Validate() == nil {
		t.Error("a route to nowhere is taken")
	}
}
