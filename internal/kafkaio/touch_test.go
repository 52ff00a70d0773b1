package kafkaio

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

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
