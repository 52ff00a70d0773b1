package swarm

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/portfault"
	"sluice/scenarios"
)

// ports draws faults at ports. They last to the end of the run, so none hits every call; a process
// crashes at calls that are given by their numbers only, which are those of the first. So are polls
// that find nothing: an input that is out of touch again within a second each time has no clock.
func (d *drawer) ports() portfault.List {
	var on []portfault.Form
	for _, form := range portfault.Forms() {
		if d.Float64() < onShare {
			on = append(on, form)
		}
	}
	var list portfault.List
	for range d.IntN(1 + d.size/portsPerSize) {
		if len(on) == 0 {
			break
		}
		form := pick(d.Rand, on).Form
		crash := strings.HasPrefix(form, "crash")
		first := 1 + d.IntN(20)
		port := pick(d.Rand, portfault.Ports())
		calls := []string{fmt.Sprint(first), fmt.Sprintf("%d..%d", first, first+d.IntN(3))}
		if !crash && port != portfault.SourcePoll {
			least := 2
			if port == portfault.StoreFence {
				least = 3 // a start needs two in a row
			}
			calls = append(calls, fmt.Sprintf("every %d", least+d.IntN(20)))
		}
		text := strings.NewReplacer("PORT", string(port), "[CALLS]", pick(d.Rand, calls),
			"DURATION", d.between(50*time.Millisecond, 100*time.Millisecond).String()).Replace(form)
		one, err := portfault.Parse(text)
		if err != nil || crash && (port.OfConsumer() || d.s.Topology.FlusherMode == scenarios.ModeGoroutine) {
			continue // no fault that there is
		}
		list = append(list, one...)
	}
	return list
}

// portsPerSize is by how much the size must grow for one more fault at a port.
const portsPerSize = 25
