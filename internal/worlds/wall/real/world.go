package harness

import (
	"errors"
	"fmt"
	"slices"

	"sluice/scenarios"
)

// isNetwork tells whether a verb means the network between the pipeline and a server.
func isNetwork(v scenarios.Verb) bool {
	return slices.Contains([]scenarios.Verb{scenarios.VerbSlow, scenarios.VerbThrottle,
		scenarios.VerbCut, scenarios.VerbRefuse, scenarios.VerbBlackHole}, v)
}

// isDoneByNetwork tells whether a fault of a fake server looks, to all that use it, the same as one
// of the network: nothing comes through for a while and then everything, or nobody is let in. (A
// Redis that is stopped is cut off first, and then really closed.)
func isDoneByNetwork(f scenarios.Fault) bool {
	switch f.Verb {
	case scenarios.VerbHang, scenarios.VerbPause, scenarios.VerbStop, scenarios.VerbCrash,
		scenarios.VerbWipe:
		return true
	}
	return false
}

// canDo returns why the world of a config cannot do a fault to its servers or the network, in words
// that say what could; nil if it can, and for faults of anything else.
func canDo(c Config, f scenarios.Fault) error {
	kind := f.Target.Kind
	onPartition := kind == scenarios.TargetPartition && f.Verb == scenarios.VerbFail
	if kind != scenarios.TargetRedis && kind != scenarios.TargetKafka && !onPartition {
		return nil
	}
	if nodes := c.redisNodes(); kind == scenarios.TargetRedis && f.Target.N >= nodes {
		return fmt.Errorf("there is no node %d: Redis has %d here, numbered from 0; --servers start-cluster "+
			"starts three", f.Target.N, nodes)
	}
	switch {
	case isNetwork(f.Verb):
		return nil
	case c.World == WorldFakes:
		return nil
	case c.Servers == ServersGiven:
		return errors.New("world real does that only to servers of its own: use --servers start")
	}
	return nil
}

// can is canDo for this world.
func (w *world) can(f scenarios.Fault) error { return canDo(w.cfg, f) }

// redisNodes is how many nodes the Redis of the config has, as far as it tells.
func (c Config) redisNodes() int {
	switch {
	case c.World == WorldFakes, c.Servers == ServersStart:
		return 1
	case c.Servers == ServersStartCluster:
		return clusterNodes
	}
	return len(c.Redis)
}

// failsProduce tells whether the scenario has the broker answer produce requests with errors.
func (c Config) failsProduce() bool {
	return slices.ContainsFunc(c.Scenario.Faults, func(f scenarios.Fault) bool {
		return f.Verb == scenarios.VerbFail
	})
}
