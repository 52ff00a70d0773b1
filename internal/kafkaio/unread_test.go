package kafkaio

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestUnreadOfAPartitionThatNobodyLeads: it is left out, and the other is told, by the retention that is
// known.
func TestUnreadOfAPartitionThatNobodyLeads(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"nobody leads it": {Keys: []kmsg.Key{kmsg.Metadata}, Err: kerr.LeaderNotAvailable},
		"its leader refuses": {
			Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(2, "spans"))
			cfg, _ := configFor(cluster.ListenAddrs()...)
			load(t, cfg, "spans", 0, 10, 0, 1)
			s := source(t, cfg, nil)
			poll(t, s, 100, 20)
			fault.Partitions, fault.Count = []int32{1}, -1
			cluster.Fault(fault)
			eventually(t, "it is left out", func() bool { // the client remembers for a while who leads what
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // as a scrape has
				defer cancel()
				unread, _, err := s.Unread(ctx)
				if err != nil || unread[0].Messages() != 10 {
					t.Fatalf("%+v is not read, %v; want 10 messages of partition 0", unread, err)
				}
				_, told := unread[1]
				return !told
			})
		})
	}
}

// TestWhoMayNotAskForTheRetention is told what is unread, and asks for it no more than now and then.
func TestWhoMayNotAskForTheRetention(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	load(t, cfg, "spans", 0, 10, 0)
	s := source(t, cfg, nil)
	poll(t, s, 100, 10)
	denied := cluster.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.TopicAuthorizationFailed, Count: -1,
	})
	for range 3 {
		unread, kept, err := s.Unread(bounded(t))
		if err != nil || kept != KeptForever || unread[0].Messages() != 10 {
			t.Errorf("%+v is not read, kept for %v, %v; want 10 messages, and no retention", unread, kept, err)
		}
	}
	if n := denied.Hits(); n != 1 {
		t.Errorf("asked %d times within a minute, want once", n)
	}
}

// TestTheLastRetentionStands while it cannot be had again.
func TestTheLastRetentionStands(t *testing.T) {
	cluster := fake(t, kfake.SeedTopics(1, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	admin := administrator(t, cfg)
	_, err := admin.AlterTopicConfigs(bounded(t), []kadm.AlterConfig{
		{Name: "retention.ms", Value: kadm.StringPtr("7200000")}}, "spans")
	if err != nil {
		t.Fatal(err)
	}
	r := retention{kept: KeptForever}
	for _, fails := range []*kerr.Error{nil, kerr.TopicAuthorizationFailed, kerr.InvalidRequest} {
		var fault *kfake.FaultHandle
		if fails != nil {
			fault = cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: fails, Count: -1})
		}
		r.asked = time.Time{}
		if kept := r.of(bounded(t), admin, "spans"); kept != 2*time.Hour {
			t.Errorf("with %v it is kept for %v, want 2 h", fails, kept)
		}
		if fault != nil {
			if fault.Hits() == 0 {
				t.Errorf("%v was not met", fails)
			}
			fault.Remove()
		}
	}
}
