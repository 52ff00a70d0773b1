package wall

import (
	"errors"
	"fmt"
	"slices"

	"sluice/internal/netfault"
	"sluice/scenarios"
)

// OnServers tells whether a fault is one of servers, or of the network to them: not of what the run
// itself has there.
func OnServers(f scenarios.Fault) bool {
	kind := f.Target.Kind
	switch kind {
	case scenarios.TargetRedis, scenarios.TargetBroker:
		return true
	case scenarios.TargetKafka:
		return f.Verb != scenarios.VerbDelete
	}
	return kind == scenarios.TargetPartition && (f.Verb == scenarios.VerbFail || f.Verb == scenarios.VerbDepose)
}

// CheckNode returns an error if a fault names a node of Redis that is not there.
func CheckNode(f scenarios.Fault, nodes int) error {
	if f.Target.Kind == scenarios.TargetRedis && f.Target.N >= nodes {
		return fmt.Errorf("there is no node %d: Redis has %d here, numbered from 0; --servers "+
			"start-cluster starts three", f.Target.N, nodes)
	}
	return nil
}

// CheckBroker returns an error if a fault names a broker of Kafka that is not there.
func CheckBroker(f scenarios.Fault, brokers int) error {
	if f.Target.Kind == scenarios.TargetBroker && f.Target.N >= brokers {
		return fmt.Errorf("there is no broker %d: Kafka has %d here, numbered from 0; worlds virtual and fakes "+
			"have several", f.Target.N, brokers)
	}
	return nil
}

// CheckMoment returns an error for a moment that nobody can see: a worker tells of its stages when it
// has passed them.
func CheckMoment(f scenarios.Fault) error {
	if f.When.Kind == scenarios.MomentStage {
		return errors.New("only world virtual sees the stages of a worker when they begin; write a time, or " +
			"when 2000 spans flushed")
	}
	return nil
}

// IsNetwork tells whether a verb means the network between the pipeline and a server.
func IsNetwork(v scenarios.Verb) bool {
	return slices.Contains([]scenarios.Verb{scenarios.VerbSlow, scenarios.VerbThrottle,
		scenarios.VerbCut, scenarios.VerbRefuse, scenarios.VerbBlackHole}, v)
}

// openNetwork puts proxies where the scenario has faults for them; a way that nothing happens on is
// better off without one.
func (s *System) openNetwork() (err error) {
	var redis, kafka, everybody bool
	for _, f := range s.setup.Scenario.Faults {
		byBackend := s.servers.ByNetwork != nil && s.servers.ByNetwork(f)
		onNetwork := IsNetwork(f.Verb) || byBackend
		redis = redis || onNetwork && f.Target.Kind == scenarios.TargetRedis
		kafka = kafka || onNetwork && f.Target.Kind != scenarios.TargetRedis
		everybody = everybody || byBackend && f.Target.Kind != scenarios.TargetRedis
	}
	if redis {
		s.redisRoutes, err = openRoutes(s.network, s.redis)
	}
	if kafka && err == nil {
		s.kafkaRoutes, err = openRoutes(s.network, s.kafka)
	}
	if everybody && err == nil {
		s.ownRoutes, err = openRoutes(s.own, s.kafka)
	}
	return err
}

func openRoutes(n *netfault.Net, upstreams []string) (map[string]string, error) {
	routes := map[string]string{}
	for _, upstream := range upstreams {
		way, err := n.Add(upstream)
		if err != nil {
			return nil, err
		}
		routes[upstream] = way
	}
	return routes, nil
}

// Targets are the addresses that a fault hits.
func (s *System) Targets(t scenarios.Target) []string {
	switch {
	case t.Kind == scenarios.TargetBroker && t.N < len(s.kafka):
		return s.kafka[t.N : t.N+1]
	case t.Kind != scenarios.TargetRedis:
		return s.kafka
	case t.N == scenarios.AllNodes:
		return s.redis
	case t.N < len(s.redis):
		return s.redis[t.N : t.N+1]
	}
	return nil
}

// BreakNetwork does a fault to the pipeline's ways to the servers that it names; with everybody set,
// also to the harness's own.
func (s *System) BreakNetwork(f scenarios.Fault, everybody bool) (func() error, error) {
	over := []*netfault.Net{s.network}
	if everybody {
		over = append(over, s.own)
	}
	var undos []netfault.Undo
	end := func() error {
		var errs []error
		for _, undo := range undos {
			errs = append(errs, undo())
		}
		return errors.Join(errs...)
	}
	for _, n := range over {
		for _, upstream := range s.Targets(f.Target) {
			undo, err := breakWay(n, upstream, f)
			if err != nil {
				return nil, errors.Join(err, end())
			}
			if undo != nil {
				undos = append(undos, undo)
			}
		}
	}
	if len(undos) == 0 {
		return nil, nil
	}
	return end, nil
}

// breakWay does a fault to the way to one server.
func breakWay(n *netfault.Net, upstream string, f scenarios.Fault) (netfault.Undo, error) {
	direction := map[scenarios.Direction]netfault.Direction{
		scenarios.BothDirections: netfault.Both, scenarios.Requests: netfault.Requests,
		scenarios.Answers: netfault.Answers,
	}[f.Direction]
	switch f.Verb {
	case scenarios.VerbSlow:
		return n.Slow(upstream, direction, f.By)
	case scenarios.VerbThrottle:
		return n.Throttle(upstream, direction, int64(f.To))
	case scenarios.VerbBlackHole:
		return n.BlackHole(upstream, direction)
	case scenarios.VerbCut:
		return nil, n.Cut(upstream)
	case scenarios.VerbRefuse, scenarios.VerbStop, scenarios.VerbCrash, scenarios.VerbWipe:
		return n.Refuse(upstream)
	case scenarios.VerbHang, scenarios.VerbPause:
		return n.Hold(upstream, direction)
	}
	return nil, fmt.Errorf("the network knows no %s", f.Verb)
}
