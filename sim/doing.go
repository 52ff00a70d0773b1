package sim

import "sluice/internal/harness"

// doing are the calls that a consumer waits for.
type doing struct{ calls map[string]int }

func newDoing() *doing { return &doing{calls: map[string]int{}} }

func (d *doing) enter(name string) {
	if d != nil {
		d.calls[name]++
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
	for _, name := range []string{harness.CallAttach, harness.CallEnqueue, harness.CallCommit,
		harness.CallFence} {
		if d.calls[name] > 0 {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		list = append(list, harness.CallPoll)
	}
	return list
}
