package servers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ClusterMastersMin is how many masters a cluster has at least.
const ClusterMastersMin = 3

const (
	clusterSlots    = 16384
	clusterReadyMax = 30 * time.Second
)

// RedisClusterServers are the masters of one Redis Cluster, without replicas. Each is a
// RedisServer that can be stopped, frozen and restarted; the others notice after 2 s.
type RedisClusterServers []*RedisServer

// Stop ends all nodes.
func (c RedisClusterServers) Stop() error {
	var faults []error
	for _, s := range c {
		faults = append(faults, s.Stop())
	}
	return errors.Join(faults...)
}

// StartRedisCluster starts masters, ClusterMastersMin or more, that share the slots evenly, and returns
// when all of them say that the cluster is well. Further arguments go to each node, in the words of
// redis-server.
func StartRedisCluster(masters int, args ...string) (RedisClusterServers, error) {
	var c RedisClusterServers
	for range masters {
		s, err := startRedisWith(func() ([]string, error) {
			bus, err := FreePort() // else it is port+10000, which nobody looked at
			return append([]string{
				"--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
				"--cluster-port", strconv.Itoa(bus),
			}, args...), err
		})
		if err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		c = append(c, s)
	}
	if err := c.join(); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

// join is what `redis-cli --cluster create` does, without its pauses of whole seconds.
func (c RedisClusterServers) join() error {
	for i, s := range c {
		first, last := clusterSlots*i/len(c), clusterSlots*(i+1)/len(c)-1
		_, err := redisDo(s.Addr, "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
		if err != nil {
			return err
		}
		if _, err := redisDo(s.Addr, "CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil {
			return err
		}
	}
	for _, s := range c[1:] {
		_, err := redisDo(c[0].Addr, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(s.port), s.busPort())
		if err != nil {
			return err
		}
	}
	return c.WaitWell()
}

// WaitWell returns when every node says that all nodes are there and all slots served: after a
// node was stopped and started again, that takes a second or two.
func (c RedisClusterServers) WaitWell() error {
	for _, s := range c {
		well := func() error { return clusterWell(s.Addr, len(c)) }
		if err := s.proc.waitReady(clusterReadyMax, well); err != nil {
			return err
		}
	}
	return nil
}

// busPort is the port on which the nodes of a cluster talk to each other.
func (s *RedisServer) busPort() string {
	for i, word := range s.args {
		if word == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return strconv.Itoa(s.port + 10000)
}

// clusterWell says what one node still misses of the whole cluster.
func clusterWell(addr string, masters int) error {
	info, err := redisDo(addr, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	for _, want := range []string{
		"cluster_state:ok",
		fmt.Sprintf("cluster_slots_ok:%d", clusterSlots),
		fmt.Sprintf("cluster_known_nodes:%d", masters),
		fmt.Sprintf("cluster_size:%d", masters),
	} {
		if !strings.Contains(info, want+"\r\n") {
			return fmt.Errorf("cluster node %s: no %s in CLUSTER INFO:\n%s", addr, want, info)
		}
	}
	return nil
}
