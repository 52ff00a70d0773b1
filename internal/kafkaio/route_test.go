package kafkaio

import (
	"testing"
	"time"

	"sluice/internal/netfault"
)

// TestRoutesLeadToEveryBroker: the named broker has a route, and so has the one that the metadata
// announce.
func TestRoutesLeadToEveryBroker(t *testing.T) {
	announced := fake(t).ListenAddrs()[0]
	network := netfault.Open()
	t.Cleanup(network.Close)
	way, err := network.Add(announced)
	if err != nil {
		t.Fatal(err)
	}
	const named = "broker.invalid:9092"
	cfg, _ := configFor(named)
	cfg.CheckTimeout = 500 * time.Millisecond
	cfg.Routes = map[string]string{named: way, announced: way}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	create := func(c Config, topic string) error {
		_, err := CreateTopics(bounded(t), c, 1, 1, topic)
		return err
	}
	patient := cfg
	patient.CheckTimeout = patience
	if err := create(patient, "routed"); err != nil {
		t.Fatal(err)
	}
	if _, err := network.Refuse(announced); err != nil {
		t.Fatal(err)
	}
	if create(cfg, "more") == nil {
		t.Error("with the way shut a topic was created all the same")
	}
	cfg.Routes = map[string]string{named: "nowhere"}
	if cfg.Validate() == nil {
		t.Error("a route to nowhere is taken")
	}
}
