package harness

import (
	"errors"
	"fmt"
	"slices"

	"sluice/internal/netfault"
	"sluice/scenarios"
)

// inject does a fault to the servers or the network, and returns when it is done; undo ends it, and
// returns when what was down answers again. A nil undo means that there is nothing to end. errBusy
// means that it cannot be done at this moment.
func (w *world) inject(f scenarios.Fault) (undo func() error, err error) {
	if err := w.can(f); err != nil {
		return nil, fmt.Errorf("%s: %w", f.What(), err)
	}
	w.mu.Lock()
	closed := w.closed
	w.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("%s: %w", f.What(), errClosed)
	}
	var end func() error
	if isNetwork(f.Verb) {
		end, err = w.breakNetwork(f, w.network)
	} else {
		end, err = w.backend.inject(w, f)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.What(), err)
	}
	return w.keep(end), nil
}

// heal ends every fault that lasts, and returns when all servers answer again.
func (w *world) heal() error {
	w.mu.Lock()
	faults := slices.Clone(w.faults)
	w.faults = nil
	w.mu.Unlock()
	var errs []error
	for _, l := range faults {
		if err := l.undo(); err != nil {
			errs = append(errs, err)
			w.mu.Lock()
			w.faults = append(w.faults, l) // for the next time
			w.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

// breakNetwork does a fault to all that goes over some networks to the servers it names.
func (w *world) breakNetwork(f scenarios.Fault, over ...*netfault.Net) (func() error, error) {
	var undos []netfault.Undo
	end := func() error {
		var errs []error
		for _, undo := range undos {
			errs = append(errs, undo())
		}
		return errors.Join(errs...)
	}
	for _, n := range over {
		for _, upstream := range w.targets(f.Target) {
			undo, err := breakWay(n, upstream, f)
			if err != nil {
				return nil, errors.Join(err, end())
			}
			if undo != nil {
				undos = append(undos, undo)
			}
		}
	}
	if len(undos) == 0 {
		return nil, nil
	}
	return end, nil
}

// breakWay does a fault to the way to one server.
func breakWay(n *netfault.Net, upstream string, f scenarios.Fault) (netfault.Undo, error) {
	direction := map[scenarios.Direction]netfault.Direction{
		scenarios.BothDirections: netfault.Both, scenarios.Requests: netfault.Requests,
		scenarios.Answers: netfault.Answers,
	}[f.Direction]
	switch f.Verb {
	case scenarios.VerbSlow:
		return n.Slow(upstream, direction, f.By)
	case scenarios.VerbThrottle:
		return n.Throttle(upstream, direction, int64(f.To))
	case scenarios.VerbBlackHole:
		return n.BlackHole(upstream, direction)
	case scenarios.VerbCut:
		return nil, n.Cut(upstream)
	case scenarios.VerbRefuse, scenarios.VerbStop, scenarios.VerbCrash, scenarios.VerbWipe:
		return n.Refuse(upstream)
	case scenarios.VerbHang, scenarios.VerbPause:
		return n.Hold(upstream, direction)
	}
	return nil, fmt.Errorf("the network knows no %s", f.Verb)
}
