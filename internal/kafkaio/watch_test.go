package kafkaio

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/servers/servertest"
)

// A topic that is deleted before its first fetch, and created again at once or later: the source ends
// and says why, says meanwhile that something is wrong, and reads nothing of the other one.
func TestRealTopicCreatedAgainBeforeItsFirstFetch(t *testing.T) {
	for name, later := range map[string]bool{"at once": false, "once it was missed": true} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := configFor(strings.Split(servertest.KafkaAddr(t), ",")...)
			topic := topicsFor(t, cfg, 1, "spans")[0]
			admin := administrator(t, cfg)
			create := func() {
				if _, err := admin.CreateTopic(bounded(t), 1, 1, nil, topic); err != nil {
					t.Error(err)
				}
				load(t, cfg, topic, 0, 5, 0)
			}
			deleted := make(chan struct{})
			s := source(t, cfg, func(sc *SourceConfig) {
				sc.Topic, sc.Group = topic, topic
				sc.Starts = func(context.Context, []Start) { // before the first fetch
					if _, err := admin.DeleteTopic(bounded(t), topic); err != nil {
						t.Error(err)
					}
					close(deleted)
				}
			})
			var ended error
			created, wrong := false, false
			eventually(t, "the source ends", func() bool {
				fetch, err := s.Poll(t.Context(), 10, pollWait)
				if len(fetch.Batches) > 0 {
					t.Fatalf("it reads %v of the other topic", fetch.Batches)
				}
				fails := errors.Join(s.Troubles().Of(fetching), s.Troubles().Of(finding)) != nil
				if wrong && !fails {
					t.Fatal("it says that all is well again")
				}
				wrong = fails
				select {
				case <-deleted:
					if !created && (wrong || !later) {
						created = true
						create()
					}
				default:
				}
				ended = err
				return err != nil
			})
			if !wrong || !strings.Contains(ended.Error(), "was deleted and created again") {
				t.Errorf("it ends with %v, and says before that something is wrong: %v", ended, wrong)
			}
		})
	}
}

// A source that should fetch and does not says so, whether its topic is gone or not: the client looks
// for its offsets for ever, and says nothing.
func TestSourceThatFetchesNothingSaysSo(t *testing.T) {
	for name, deleted := range map[string]bool{
		"UNKNOWN_TOPIC_OR_PARTITION": true, "is there, but no broker answers": false,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.SeedTopics(1, "spans"))
			cfg, _ := configFor(cluster.ListenAddrs()...)
			cluster.ControlKey(kmsg.ListOffsets.Int16(), unknownOffsets(cluster))
			s := source(t, cfg, nil)
			assigned(t, s)
			if deleted {
				if _, err := administrator(t, cfg).DeleteTopic(bounded(t), "spans"); err != nil {
					t.Fatal(err)
				}
			}
			eventually(t, "the source says "+name, func() bool {
				if _, err := s.Poll(t.Context(), 10, pollWait); err != nil {
					t.Fatal(err)
				}
				err := s.Troubles().Of(finding)
				return err != nil && strings.Contains(err.Error(), name)
			})
		})
	}
}

// TestAPartitionAloneOnABrokerThatHangsIsNamed: where it begins is asked of that broker, so the client never
// comes to ask for it; the other partition is fetched all the while.
func TestAPartitionAloneOnABrokerThatHangsIsNamed(t *testing.T) {
	for key, why := range map[kmsg.Key]string{
		kmsg.ListOffsets: "where to begin is not known", kmsg.Fetch: "its broker, 1, answers no fetch",
	} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			cluster := fake(t, kfake.NumBrokers(2), kfake.SeedTopics(2, "spans"))
			cfg, _ := configFor(cluster.ListenAddrs()...)
			for number := range int32(2) { // whose leaders are drawn else
				if err := cluster.MoveTopicPartition("spans", number, number); err != nil {
					t.Fatal(err)
				}
			}
			again := make(chan struct{})
			cluster.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				if cluster.CurrentNode() == 1 {
					cluster.SleepControl(func() { <-again })
				}
				return nil, nil, false
			})
			s := source(t, cfg, nil)
			until := func(words string) {
				t.Helper()
				eventually(t, "the source says: "+words, func() bool {
					if _, err := s.Poll(t.Context(), 10, pollWait); err != nil {
						t.Fatal(err)
					}
					err := s.Troubles().Of(finding)
					return err == nil && words == "" || err != nil && err.Error() == words
				})
			}
			until("partition 1 of topic spans is not fetched: " + why)
			close(again)
			until("")
		})
	}
}

// unknownOffsets answers that a broker knows no partition whose offsets are asked for.
func unknownOffsets(cluster *kfake.Cluster) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, topic := range r.(*kmsg.ListOffsetsRequest).Topics {
			none := kmsg.NewListOffsetsResponseTopic()
			none.Topic = topic.Topic
			for _, p := range topic.Partitions {
				unknown := kmsg.NewListOffsetsResponseTopicPartition()
				unknown.Partition, unknown.ErrorCode = p.Partition, kerr.UnknownTopicOrPartition.Code
				none.Partitions = append(none.Partitions, unknown)
			}
			answer.Topics = append(answer.Topics, none)
		}
		return answer, nil, true
	}
}

// TestTopicIsWatched: what a source makes of what it sees of its topic, once a second, while fetches
// are answered.
func TestTopicIsWatched(t *testing.T) {
	const none, lost = -1, -2 // no such topic; no answer
	for name, c := range map[string]struct {
		ids   []int // 0: brokers that know no ids
		fails string
		ends  bool
	}{
		"all is well":            {[]int{1, 1, 1, 1, 1, 1}, "", false},
		"no ids":                 {[]int{0, 0, 0, 0, 0, 0}, "", false},
		"ids after an upgrade":   {[]int{0, 0, 2, 2, 2, 2}, "", false},
		"read on under its name": {[]int{1, 1, 2, 2, 2, 2}, "created again", true},
		"a broker behind others": {[]int{2, 1, 2, 1, 2}, "", false},
		"not for long enough":    {[]int{1, 2, 2, 2}, "created again", false},
		"deleted":                {[]int{1, none, none, none, none}, "UNKNOWN_TOPIC", false},
		"not for long":           {[]int{1, none, none, none}, "", false},
		"deleted, created again": {[]int{1, none, none, none, none, 2, 2, 2, 2}, "created again", true},
		"no answers between":     {[]int{1, 2, lost, lost, 2}, "created again", true},
		"no answers":             {[]int{1, lost, lost, lost, lost, lost}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			sc := DefaultSourceConfig("spans", "group")
			cfg, _ := configFor("nowhere:1")
			s := &Source{cfg: sc, touch: newTouch(cfg.brokers("source"), sc),
				troubles: newFetching(cfg.log()), assignment: newAssignment(sc, func([]int32, bool) {})}
			var w watch
			begin := time.Now()
			for i, id := range c.ids {
				topics, err := kadm.TopicDetails{}, error(nil)
				switch id {
				case none:
				case lost:
					err = context.DeadlineExceeded
				default:
					topics["spans"] = kadm.TopicDetail{Topic: "spans", ID: kadm.TopicID{byte(id)}}
				}
				s.judgeTopic(&w, topics, err, begin.Add(time.Duration(i)*time.Second))
			}
			err := s.Troubles().Of(finding)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("it says %v, want %q", err, c.fails)
			}
			if ended := s.ended.Load() != nil; ended != c.ends {
				t.Errorf("it ends: %v", ended)
			}
		})
	}
}

// TestAnIDThatWasNotKnownIsOldNews once it was not heard of for as long as a failed fetch counts: that brokers
// did not know it while they started says nothing of the topic of now.
func TestAnIDThatWasNotKnownIsOldNews(t *testing.T) {
	sc := DefaultSourceConfig("spans", "group")
	cfg, _ := configFor("nowhere:1")
	for ago, ends := range map[time.Duration]bool{0: true, time.Minute: false} {
		s := &Source{cfg: sc, touch: newTouch(cfg.brokers("source"), sc),
			troubles: newFetching(cfg.log()), assignment: newAssignment(sc, func([]int32, bool) {})}
		now := time.Now()
		s.unknown.Store(&spell{now.Add(-ago - 2*unknownAfter), now.Add(-ago)})
		s.judgeTopic(&watch{}, kadm.TopicDetails{"spans": {Topic: "spans", ID: kadm.TopicID{1}}}, nil, now)
		if ended := s.ended.Load() != nil; ended != ends {
			t.Errorf("not known until %v ago: it ends: %v", ago, ended)
		}
	}
}
