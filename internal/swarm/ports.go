package swarm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"sluice/internal/portfault"
	"sluice/scenarios"
)

// laterPorts are ports that were added when seeds had been swept: as with options, faults at them are drawn by
// themselves, in a share of the cases, so that the others stay as they were.
var laterPorts = []portfault.Port{
	portfault.StoreMemory, portfault.StoreBeat, portfault.StoreSweep, portfault.StoreAdopt,
	portfault.SpawnerStart, portfault.SpawnerStop, portfault.SpawnerKill,
}

// laterShare is the share of cases that may have faults at the later ports.
const laterShare = 0.4

// ports draws faults at ports.
func (d *drawer) ports(seed uint64) portfault.List {
	first := slices.DeleteFunc(portfault.Ports(), func(p portfault.Port) bool {
		return slices.Contains(laterPorts, p)
	})
	list := d.portFaults(first, callsMax)
	own := *d
	own.Rand = scenarios.Stream(seed, "swarm later ports")
	if own.Float64() < laterShare {
		list = append(list, own.portFaults(laterPorts, fewCalls)...)
	}
	return list
}

const (
	// callsMax is up to which call of a port its faults begin, or how far they are apart. Workers are
	// started and stopped only a few times in a run.
	callsMax = 20
	fewCalls = 5
	// portsPerSize is by how much the size must grow for one more fault at a port.
	portsPerSize = 25
)

// portFaults draws faults at some ports. They last to the end of the run, so none hits every call; a process
// crashes at calls that are given by their numbers only, which are those of the first. So are polls
// that find nothing: an input that is out of touch again within a second each time has no clock.
func (d *drawer) portFaults(ports []portfault.Port, calls int) portfault.List {
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
		first := 1 + d.IntN(calls)
		port := pick(d.Rand, ports)
		which := []string{fmt.Sprint(first), fmt.Sprintf("%d..%d", first, first+d.IntN(3))}
		if !crash && port != portfault.SourcePoll {
			least := 2
			if port == portfault.StoreFence {
				least = 3 // a start needs two in a row
			}
			which = append(which, fmt.Sprintf("every %d", least+d.IntN(calls)))
		}
		text := strings.NewReplacer("PORT", string(port), "[CALLS]", pick(d.Rand, which),
			"DURATION", d.between(50*time.Millisecond, 100*time.Millisecond).String()).Replace(form)
		one, err := portfault.Parse(text)
		if err != nil || crash && (port.OfConsumer() || d.s.Topology.FlusherMode == scenarios.ModeGoroutine) {
			continue // no fault that there is
		}
		list = append(list, one...)
	}
	return list
}
