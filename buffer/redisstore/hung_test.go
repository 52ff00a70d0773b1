package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
)

// TestOpenAsksNodesSideBySide: of a cluster in which all but one hang. Who opens a store gives no sign of life
// meanwhile, and is killed after four times as long as an answer may take: it takes one to find a node that
// answers, and one to hear of the others.
func TestOpenAsksNodesSideBySide(t *testing.T) {
	t.Parallel()
	nodes := servertest.NewRedisCluster(t)
	conf := config(servertest.Addrs(nodes)...)
	conf.AnswerTimeout = 4 * time.Second // so long that a busy machine adds little to it
	conf.DialTimeout = conf.AnswerTimeout
	for _, node := range nodes[1:] {
		must(t, node.Freeze())
	}
	for range 4 { // each asks another node first
		began, stops := time.Now(), servertest.Standstills()
		store, err := redisstore.Open(t.Context(), conf)
		if err == nil {
			store.Close()
		}
		if !errors.Is(err, buffer.ErrUnavailable) {
			t.Errorf("with two nodes of three that hang: %v, want %v", err, buffer.ErrUnavailable)
		}
		took := time.Since(began)
		if _, stood := stops(); took-stood > 5*conf.AnswerTimeout/2 {
			t.Errorf("it took %v, with answers of at most %v, and this process standing still for %v", took,
				conf.AnswerTimeout, stood)
		}
	}
}
