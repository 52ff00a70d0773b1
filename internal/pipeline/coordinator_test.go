package pipeline_test

import (
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A consumer that does not reach the group's coordinator any more, but Redis and the brokers of its
// partitions, goes on for seconds after the group has given them to another. Neither ends because of that.
func TestAConsumerThatLosesItsCoordinatorIsReplaced(t *testing.T) {
	t.Parallel()
	w, _, kafka := fakes(t)
	c := w.Config()
	// With one partition the second consumer is a standby.
	c.InputTopic, c.CreateTopics, c.Partitions = c.InputTopic+"-one", true, 1
	c.DeadLetterTopic = c.InputTopic + "-dlq"
	var mu sync.Mutex
	members, firsts, cut := map[string]bool{}, map[string]bool{}, false
	ended := make(chan struct{})
	t.Cleanup(func() { close(ended) })
	kafka.ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
		kafka.KeepControl()
		id := r.(*kmsg.HeartbeatRequest).MemberID
		mu.Lock()
		members[id] = true
		lost := cut && firsts[id]
		mu.Unlock()
		if lost {
			kafka.SleepControl(func() { <-ended })
		}
		return nil, nil, lost
	})
	joined := func(n int) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return len(members) == n }
	}
	first := start(t, c)
	w.Await(t, func() bool { return joined(1)() && flushedShards(first) == 1 })
	mu.Lock()
	firsts = map[string]bool{}
	for id := range members { //order-free: a copy
		firsts[id] = true
	}
	mu.Unlock()
	second := start(t, c)
	w.Await(t, joined(2))
	mu.Lock()
	cut = true
	mu.Unlock()
	w.Await(t, func() bool {
		for name, p := range map[string]*running{"first": first, "second": second} {
			select {
			case err := <-p.ended:
				t.Fatalf("the %s has ended: %.300v", name, err)
			default:
			}
		}
		return assigned(first) == 0 && flushedShards(second) == 1
	})
	for name, p := range map[string]*running{"first": first, "second": second} {
		for _, worker := range p.Workers() {
			if worker.Restarts > 2 {
				t.Errorf("%d restarts of the %s's worker %d: %q", worker.Restarts, name, worker.Worker,
					worker.Causes)
			}
		}
	}
	second.end(t)
}
