package harness

import (
	"context"
	"fmt"
	"time"

	"sluice/scenarios"
)

// Switch has all that chance decides in a run drawn anew from a moment on: what was until then is as
// in the run without it. The load chooses among its traces anew; each fault of the scenario that is
// still to come comes or stays away, with even chances; random ones come at other times, and hit
// others; and messages of the network take up to twice as long. What the spans are is not drawn anew,
// nor are faults at ports.
type Switch struct {
	// At is since the start of the load; Seed is what is drawn from then.
	At   time.Duration
	Seed uint64
}

// Redrawer is a System whose own chance can be drawn anew.
type Redrawer interface{ Redraw(seed uint64) }

// chance starts the task that switches, if the run is to.
func (r *run) chance(ctx context.Context) error {
	to := r.cfg.Switch
	if to == nil {
		return nil
	}
	system, can := r.system.(Redrawer)
	if !can {
		return fmt.Errorf("no run of world %s can be had again, so chance cannot be drawn anew in it",
			r.cfg.World.Name())
	}
	r.system.Go("switch", func() {
		if r.system.Sleep(ctx, to.At-r.system.Now().Sub(r.start)) != nil {
			return
		}
		r.generator.Redraw(to.Seed)
		system.Redraw(to.Seed)
		r.injector.redraw(r.cfg.Scenario, to.Seed, r.system.Now().Sub(r.start))
	})
	return nil
}

// redraw replaces the faults that are still to come. One that has found its target busy is not: it has
// come.
func (i *injector) redraw(s scenarios.Scenario, seed uint64, now time.Duration) {
	s.Seed = seed
	coin := scenarios.Stream(seed, "faults that come")
	toCome := func(m scenarios.Moment) bool { return m.Kind != scenarios.MomentAt || m.At > now }
	i.mu.Lock()
	defer i.mu.Unlock()
	waits := map[int]bool{} // by index of the fault that is on a condition
	for n, o := range i.plan {
		if i.state[n] == waiting && i.causes[n] == nil && toCome(o.When) {
			i.state[n] = dropped
			waits[o.Index] = true
		}
	}
	for _, o := range s.Plan() {
		switch {
		case !toCome(o.When), o.When.Kind != scenarios.MomentAt && !waits[o.Index]:
			continue
		case !o.Random && coin.IntN(2) == 0:
			continue
		}
		i.plan, i.state, i.causes = append(i.plan, o), append(i.state, waiting), append(i.causes, nil)
		i.tried = append(i.tried, 0)
	}
}
