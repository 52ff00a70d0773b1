package kafkaio

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The source is in touch while fetches are answered: other answers do not say what is in the topic.
func TestTouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 500 * time.Millisecond
		broker := kgo.BrokerMetadata{Host: "127.0.0.1", Port: 9092}
		brokers := NewBrokers(nil)
		touch := newTouch(brokers, wait)
		answer := func(key kmsg.Key, err error) { touch.OnBrokerRead(broker, key.Int16(), 1, 0, 0, err) }
		wants := func(want bool, when string) {
			t.Helper()
			if touch.well() != want {
				t.Errorf("%s: in touch is %v, want %v", when, !want, want)
			}
		}
		wants(false, "at first")
		answer(kmsg.Metadata, nil)
		answer(kmsg.Fetch, errors.New("planted"))
		wants(false, "before a fetch was answered")
		answer(kmsg.Fetch, nil)
		wants(true, "after a fetch was answered")
		time.Sleep(wait + fetchLateMax)
		answer(kmsg.Heartbeat, nil)
		wants(true, "as long as the next answer may take")
		time.Sleep(time.Millisecond)
		wants(false, "when that is over")
		answer(kmsg.Fetch, nil)
		wants(true, "after the next answer")
		brokers.OnBrokerConnect(broker, 0, nil, errors.New("planted"))
		wants(true, "while a broker that cannot be reached has just answered")
		time.Sleep(answerAgeMax)
		wants(false, "when no broker answers any more")
		brokers.OnBrokerConnect(broker, 0, nil, nil)
		wants(true, "when it can be reached again")
	})
}

// TestASilentBrokerIsToldFromTheOthers, by its partitions, as long as it does not answer fetches.
func TestASilentBrokerIsToldFromTheOthers(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(3), kfake.SeedTopics(6, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	silent := cluster.LeaderFor("spans", 0)
	var want []int32
	for number := range int32(6) {
		if cluster.LeaderFor("spans", number) == silent {
			want = append(want, number)
		}
	}
	if len(want) == 6 {
		t.Fatal("one broker has all partitions")
	}
	s := source(t, cfg, nil)
	until := func(what string, want []int32) {
		t.Helper()
		eventually(t, what, func() bool {
			fetch, err := s.Poll(t.Context(), 10, pollWait)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(fetch.Silent)
			return fetch.InTouch && slices.Equal(fetch.Silent, want)
		})
	}
	until("all are in touch", nil)
	again := make(chan struct{})
	cluster.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if cluster.CurrentNode() == silent {
			cluster.SleepControl(func() { <-again })
		}
		return nil, nil, false
	})
	until("the partitions of one broker are silent", want)
	close(again)
	until("all are in touch again", nil)
}
