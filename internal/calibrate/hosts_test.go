package calibrate

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/pipeline"
	"sluice/internal/servers/servertest"
	"sluice/sim"
)

// TestHosts: the costs tell how many nodes of Redis serve, whichever were named, and whether all servers are
// on this machine, by the addresses that they go by themselves.
func TestHosts(t *testing.T) {
	cluster := servertest.RedisCluster(t)[:1]
	for _, c := range []struct {
		what     string
		redis    []string
		brokerAt string // "": where it is
		want     sim.Hosts
		why      string
	}{
		{"one server", []string{servertest.RedisAddr(t)}, "", sim.Hosts{Shared: true}, ""},
		{"a cluster", cluster, "", sim.Hosts{Shared: true, RedisNodes: 3}, ""},
		{"a broker elsewhere", cluster, "192.0.2.1", sim.Hosts{RedisNodes: 3}, "is on another machine"},
	} {
		t.Run(c.what, func(t *testing.T) {
			kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(kafka.Close)
			r := &rig{}
			if r.redis, r.kafka, err = connect(pipeline.Redis{Addresses: c.redis}, pipeline.Kafka{Brokers: kafka.ListenAddrs()}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(r.close)
			r.admin = kadm.NewClient(r.kafka)
			if c.brokerAt != "" {
				saysItIsAt(kafka, c.brokerAt)
			}
			costs := sim.Costs{}
			if err := r.hosts(t.Context(), &costs); err != nil {
				t.Fatal(err)
			}
			if costs.Hosts.Cores < 1 {
				t.Errorf("%d cores", costs.Hosts.Cores)
			}
			costs.Hosts.Cores = 0
			if costs.Hosts != c.want {
				t.Errorf("%+v, want %+v", costs.Hosts, c.want)
			}
			var brokers []int // kfake is in this process
			if c.why == "" {
				brokers = []int{os.Getpid()}
			}
			if !slices.Equal(r.brokers, brokers) || !strings.Contains(r.whyNoBrokers, c.why) {
				t.Errorf("brokers are %v, %q; want %v, %q", r.brokers, r.whyNoBrokers, brokers, c.why)
			}
		})
	}
}

// saysItIsAt has a broker tell clients to come to another host.
func saysItIsAt(kafka *kfake.Cluster, host string) {
	kafka.ControlKey(kmsg.Metadata.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		response := request.ResponseKind().(*kmsg.MetadataResponse)
		broker := kmsg.NewMetadataResponseBroker()
		broker.Host, broker.Port = host, 9092
		response.Brokers = append(response.Brokers, broker)
		return response, nil, true
	})
}
