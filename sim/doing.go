package sim

import (
	"context"
	"time"

	"sluice/scenarios"
)

// doing are the calls that a life of a consumer waits for.
type doing struct {
	*consumer
	calls map[string]int
}

func (c *consumer) newDoing() *doing { return &doing{c, map[string]int{}} }

func (d *doing) enter(name string) {
	if d != nil {
		d.calls[name]++
	}
	d.tell(name)
}

// tell tells of a call. What is begun now comes first.
func (d *doing) tell(name string) {
	if d != nil && d.Alive() && d.setup.Sink.Staged(d.index, scenarios.OfConsumer, name) {
		_ = d.Sleep(context.Background(), time.Nanosecond) // it has no end but this
	}
}

func (d *doing) leave(name string) {
	if d != nil {
		d.calls[name]--
	}
}

// list returns the names of the calls: that of a poll if there is no other.
func (d *doing) list() []string {
	var list []string
	for _, name := range []string{scenarios.CallAttach, scenarios.CallEnqueue, scenarios.CallCommit,
		scenarios.CallFence} {
		if d.calls[name] > 0 {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		list = append(list, scenarios.CallPoll)
	}
	return list
}
