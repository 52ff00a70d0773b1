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
		const wait, late = 500 * time.Millisecond, 2 * time.Second
		broker := kgo.BrokerMetadata{Host: "127.0.0.1", Port: 9092}
		brokers := NewBrokers(nil)
		touch := newTouch(brokers, SourceConfig{FetchWait: wait, FetchLateMax: late, FetchBytesMax: 1000})
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
		time.Sleep(wait + late)
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

// TestFullAnswersSayNothingOfOthers: of a partition that is in no answer nobody knows whether it has
// something, as long as none had room for it, and it was not its turn.
func TestFullAnswersSayNothingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait, full = 500 * time.Millisecond, 1010
		touch := newTouch(NewBrokers(nil),
			SourceConfig{FetchWait: wait, FetchLateMax: 2 * time.Second, FetchBytesMax: 1000})
		all := []int32{0, 1, 2, 3, 4}
		asks := func(broker int32, bytes int, of []int32, with ...int32) {
			touch.ask(broker, of, nil)
			time.Sleep(wait)
			touch.OnBrokerRead(kgo.BrokerMetadata{NodeID: broker}, kmsg.Fetch.Int16(), bytes, wait, 0, nil)
			touch.take(broker, with)
			touch.ask(broker, of, nil)
		}
		answer := func(bytes int, with ...int32) { asks(1, bytes, all, with...) }
		wants := func(when string, want ...int32) {
			t.Helper()
			var silent []int32
			for p := range int32(5) {
				if touch.silent(leader{broker: 1}, p) {
					silent = append(silent, p)
				}
			}
			if !slices.Equal(silent, want) {
				t.Errorf("%s: %v are silent, want %v", when, silent, want)
			}
		}
		touch.begin(all)
		answer(full, 0, 1)
		wants("after one answer", 2, 3, 4)
		answer(full, 2)
		wants("after the next", 3, 4)
		answer(300)
		wants("when one had room for all")
		// All but 4, which has nothing, always have more than an answer takes: it is the first in turn.
		for range 10 {
			answer(full, 0, 1)
			answer(full, 2, 3)
		}
		wants("of which one is passed over, since it has nothing")
		for p := range int32(3) {
			time.Sleep(wait)
			answer(full, p)
		}
		wants("when they take long, whose turn has not come", 3)
		answer(full, 3)
		answer(full, 0, 1, 2, 3)
		wants("when it has")
		for range 6 { // it is not fetched for a while
			asks(1, full, all[:4], 0, 1)
			asks(1, full, all[:4], 2, 3)
		}
		answer(full, 0)
		wants("but one that is fetched anew is the last", 4)
		answer(300)
		wants("when one has room again")
		for range 6 {
			asks(1, full, all[:4], 0, 1)
			asks(1, full, all[:4], 2, 3)
		}
		touch.OnBrokerRead(kgo.BrokerMetadata{NodeID: 1}, kmsg.Fetch.Int16(), full, 0, 0, nil)
		touch.ask(1, all, nil)
		time.Sleep(time.Millisecond)
		touch.take(1, []int32{0})
		answer(full, 0)
		wants("and behind who was in the answer before it, also if that is looked at later", 4)
		// A partition with another leader is the last there, too.
		asks(2, full, []int32{7}, 7)
		asks(2, full, []int32{4, 7}, 7)
		if !touch.silent(leader{broker: 2}, 4) {
			t.Error("a partition that has moved is taken for one that was passed over")
		}
		asks(2, full, []int32{4, 7}, 7)
		if !touch.silent(leader{broker: 2}, 4) {
			t.Error("it was queued after what is in the answer")
		}
		asks(2, full, []int32{4, 7}, 7)
		if touch.silent(leader{broker: 2}, 4) {
			t.Error("it was passed over")
		}
	})
}

// TestRoomSaysNothingOfOthers: an answer with room left is known to have all that there is only of those
// for whom it was asked, who are asked for again after it, and who did not fail.
func TestRoomSaysNothingOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 500 * time.Millisecond
		sc := SourceConfig{FetchWait: wait, FetchLateMax: 2 * time.Second, FetchBytesMax: 1000}
		touch := newTouch(NewBrokers(nil), sc)
		at := leader{broker: 1}
		answers := func(waited time.Duration) {
			time.Sleep(wait)
			touch.OnBrokerRead(kgo.BrokerMetadata{NodeID: 1}, kmsg.Fetch.Int16(), 10, waited, 0, nil)
		}
		asks := func(partitions ...int32) { touch.ask(1, partitions, nil) }
		wants := func(want bool, when string) {
			t.Helper()
			if touch.silent(at, 1) != want {
				t.Errorf("%s: silent is %v, want %v", when, !want, want)
			}
		}
		touch.begin([]int32{0, 1})
		asks(0)
		answers(wait)
		asks(0)
		wants(true, "when it was not asked for")
		answers(wait)
		asks(0, 1)
		wants(true, "when it is asked for since")
		answers(2 * wait)
		asks(0, 1)
		wants(true, "when an answer comes to what was asked before")
		answers(wait)
		wants(true, "when it may not be asked for again")
		asks(0)
		wants(true, "when it is not")
		asks(0, 1)
		answers(wait)
		asks(0, 1)
		wants(false, "when it is")
		asks(0)
		wants(false, "when it is not asked for any more")
		missed := func(want bool, when string) {
			t.Helper()
			if touch.missed(1, 1, 3*time.Second) != want || touch.missed(1, 0, 0) {
				t.Errorf("%s: missed is %v, want %v; or another is", when, !want, want)
			}
		}
		missed(false, "not for long")
		for range 6 {
			answers(wait)
			asks(0)
		}
		wants(true, "for long")
		missed(true, "for long")
		time.Sleep(3 * time.Second)
		missed(false, "when nothing is asked of the broker")
		asks(0, 1)
		answers(wait)
		asks(0, 1)
		wants(false, "when it is again")
		if touch.fail([]int32{1}); touch.silent(at, 0) {
			t.Error("another fails")
		}
		wants(true, "when it fails")
		for range 4 {
			answers(wait)
			asks(0, 1)
		}
		wants(true, "for some time after that")
		touch.take(1, []int32{1})
		wants(false, "until something of it is read")
		at.epoch++
		wants(true, "when its leader is another, or has another epoch")
		answers(wait)
		asks(0, 1)
		wants(true, "when it was asked for before")
		answers(wait)
		asks(0, 1)
		wants(false, "when it was asked for since")
		touch.refuse(2)
		wants(false, "when another broker refuses fetches")
		touch.refuse(1)
		answers(wait)
		asks(0, 1)
		wants(true, "when its own did")
		for touch.refuses() {
			answers(wait)
			asks(0, 1)
		}
		wants(false, "when that is over")
		touch.begin([]int32{0, 1})
		wants(true, "when it is assigned again")
	})
}

// TestWhoIsAloneIsMissed: a partition is missed, too, if nothing at all is asked of its broker, so that none of
// the client's questions tells that it is left out. Only if nothing is fetched at all that is no news of it.
func TestWhoIsAloneIsMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait, age, other = 500 * time.Millisecond, 3 * time.Second, 2
		sc := SourceConfig{FetchWait: wait, FetchLateMax: 2 * time.Second, FetchBytesMax: 1000}
		touch, both := newTouch(NewBrokers(nil), sc), []int32{1, 3}
		answer := func(broker int32) {
			touch.OnBrokerRead(kgo.BrokerMetadata{NodeID: broker}, kmsg.Fetch.Int16(), 10, wait, 0, nil)
		}
		// goes lets time pass in which the other broker answers, and all that was fetched is taken or not.
		goes := func(by time.Duration, taken bool) {
			for ; by > 0; by -= wait {
				touch.ask(other, []int32{2}, nil)
				time.Sleep(wait)
				answer(other)
				if taken {
					touch.empty()
				}
			}
		}
		wants := func(missed, hangs bool, when string) {
			t.Helper()
			if is := touch.missed(1, 1, age); is != missed {
				t.Errorf("%s: missed is %v, want %v", when, is, missed)
			}
			if is := touch.hangs(1, 1, age); is != hangs {
				t.Errorf("%s: its broker hangs is %v, want %v", when, is, hangs)
			}
		}
		time.Sleep(time.Minute) // of another tenure
		touch.begin(both)
		wants(false, false, "when it is assigned")
		goes(age-wait, true)
		wants(false, false, "not for long")
		goes(wait, true)
		wants(true, false, "when it was not asked for since")
		for epoch := range int32(2) {
			touch.silent(leader{broker: 1, epoch: epoch}, 1)
		}
		wants(false, false, "when it has another leader")
		goes(age, true)
		wants(true, false, "when it was not asked for since then")
		time.Sleep(3 * time.Second)
		wants(false, false, "when no broker answers")
		goes(wait, true)
		touch.ask(1, both, nil)
		wants(false, false, "when it is asked for")
		goes(wait, true)
		answer(1)
		goes(2*age, false)
		wants(false, false, "while its answer is not taken")
		goes(wait, true)
		wants(true, false, "when it is not asked for again once that is taken")
		touch.ask(1, both, nil)
		goes(5*time.Second, true)
		wants(false, false, "when an answer is late")
		touch.ask(1, both, nil)
		goes(wait, true)
		wants(false, true, "when its broker answers none")
		touch.begin(both)
		wants(false, false, "in another tenure")
		answer(1)
		touch.ask(1, both, nil)
		goes(5*time.Second, true)
		wants(false, false, "when an answer was late, and the next is")
	})
}

// TestASilentBrokerIsToldFromTheOthers, by its partitions, as long as it does not answer fetches.
func TestASilentBrokerIsToldFromTheOthers(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(3), kfake.SeedTopics(6, "spans"))
	cfg, _ := configFor(cluster.ListenAddrs()...)
	const silent = 1
	var want []int32
	for number := range int32(6) { // whose leaders are drawn else
		leader := number % 3
		if err := cluster.MoveTopicPartition("spans", number, leader); err != nil {
			t.Fatal(err)
		}
		if leader == silent {
			want = append(want, number)
		}
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

// TestWhatIsKeptBackIsSilent: a partition that is known to have more than was read comes with the next
// answers, or is kept back: then none of them tells that it has nothing.
func TestWhatIsKeptBackIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait, start, little = 500 * time.Millisecond, 7, 300
		sc := SourceConfig{FetchWait: wait, FetchLateMax: 2 * time.Second, FetchBytesMax: 1000}
		touch, both := newTouch(NewBrokers(nil), sc), []int32{0, 1}
		at, broker := leader{broker: 1}, kgo.BrokerMetadata{NodeID: 1}
		touch.begin(both)
		var lags map[int32]int64 // as the client says
		answer := func(bytes int, with ...int32) {
			touch.ask(1, both, lags)
			time.Sleep(wait / 2)
			touch.OnBrokerRead(broker, kmsg.Fetch.Int16(), bytes, wait/2, 0, nil)
			touch.take(1, with)
			touch.ask(1, both, lags)
		}
		answers := func(bytes int) {
			for range 4 {
				answer(bytes, 0)
			}
		}
		look := func(end int64, offsets ...int64) {
			p := kgo.FetchTopicPartition{Topic: "spans"}
			p.Partition, p.HighWatermark = 1, end
			for _, offset := range offsets {
				p.Records = append(p.Records, &kgo.Record{Offset: offset})
			}
			touch.look(p, start, end)
		}
		wants := func(want bool, when string) {
			t.Helper()
			if touch.silent(at, 1) != want {
				t.Errorf("%s: silent is %v, want %v", when, !want, want)
			}
		}
		answer(little, 0)
		look(start)
		wants(false, "it has nothing")
		look(start + 1)
		wants(false, "it is known to have something since a moment")
		answers(little)
		wants(true, "it does not come, with room left")
		if touch.unanswered(1, 1, wait) {
			t.Error("its broker speaks of it")
		}
		look(start+3, start, start+1)
		answer(little, 0, 1)
		wants(false, "a part of it came")
		answers(1000)
		wants(true, "the rest of it does not come, with others ahead of it or behind")
		look(start+3, start+2)
		answer(little, 0, 1)
		answers(little)
		answers(little)
		wants(false, "all of it came")
		look(start + 5)
		lags = map[int32]int64{1: 1}
		answers(little)
		wants(true, "the client has read one of two that nobody is given")
		lags = map[int32]int64{1: 0}
		answers(little)
		wants(false, "the client has read both")
		lags = nil
		look(start + 6)
		at = leader{broker: 1, epoch: 1}
		touch.silent(at, 1)
		answers(little)
		wants(true, "it has another leader, and still has more")
		touch.begin(both[1:])
		touch.silent(at, 1)
		answers(little)
		wants(false, "of another tenure nothing is known")
	})
}

// TestAThrottledAnswerSaysNothing: a broker that is asked for too much answers with nothing, whatever it has.
func TestAThrottledAnswerSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait, late = 500 * time.Millisecond, 2 * time.Second
		sc := SourceConfig{FetchWait: wait, FetchLateMax: late, FetchBytesMax: 1000}
		touch, broker := newTouch(NewBrokers(nil), sc), kgo.BrokerMetadata{NodeID: 1}
		answers := func(throttled bool) (silent bool) {
			for range 6 {
				touch.ask(1, []int32{1}, nil)
				time.Sleep(wait)
				touch.OnBrokerRead(broker, kmsg.Fetch.Int16(), 20, wait, 0, nil)
				if throttled {
					touch.OnBrokerThrottle(broker, wait, true)
				}
				touch.ask(1, []int32{1}, nil)
				silent = touch.silent(leader{broker: 1}, 1)
			}
			return silent
		}
		if answers(false) {
			t.Error("silent, though the broker has nothing")
		}
		if !answers(true) {
			t.Error("heard, though the broker says nothing")
		}
	})
}

// TestAnswersHaveGaps: since when brokers answer is known also of a member that fetches nothing, and begins
// anew after an outage.
func TestAnswersHaveGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		touch := newTouch(NewBrokers(nil), SourceConfig{SessionTimeout: 15 * time.Second})
		const heartbeat = 3 * time.Second
		if since := touch.since(); !since.IsZero() {
			t.Errorf("brokers that were never heard answer since %v", since)
		}
		for range 2 {
			begun := time.Now()
			for range 5 {
				touch.OnBrokerRead(kgo.BrokerMetadata{}, kmsg.Heartbeat.Int16(), 1, 0, 0, nil)
				if since := touch.since(); !since.Equal(begun) {
					t.Errorf("they answer since %v, want %v", since, begun)
				}
				time.Sleep(heartbeat)
			}
			time.Sleep(2 * heartbeat)
			if since := touch.since(); !since.IsZero() {
				t.Errorf("brokers that are silent answer since %v", since)
			}
		}
	})
}
