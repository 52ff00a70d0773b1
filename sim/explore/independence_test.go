package explore

import (
	"fmt"
	"slices"
	"testing"
)

// TestWhatIsLocalCommutes: in each state of small systems, the moves of a process that is taken for
// local commute with all moves of all others, stay possible after them, and stay local. So do the
// moves of processes that share nothing.
func TestWhatIsLocalCommutes(t *testing.T) {
	scattered := small("protocol", 2, 1, 2, 1)
	scattered.Size.Scattered = true
	for _, c := range []Config{
		small("protocol", 1, 1, 2, 1), small("protocol", 2, 2, 2, 1), small("rebalance", 1, 1, 1, 1), scattered,
		small("protocol", 1, 1, 3, 1), // the second span of the chain merges what the first and the third began
	} {
		t.Run(fmt.Sprintf("%s %+v", c.Preset, c.Size), func(t *testing.T) {
			t.Parallel()
			c.Independence = false
			d := &diamonds{t: t}
			f := newSearch(d, 8000)
			d.protocol = c.world().(*protocol)
			f.run(t.Context(), nil)
			if d.checked < 1000 || f.wrong != "" {
				t.Errorf("%d pairs checked, %q", d.checked, f.wrong)
			}
		})
	}
}

// diamonds is a protocol whose states are looked at on the way.
type diamonds struct {
	*protocol
	t       *testing.T
	checked int
}

func (d *diamonds) expand(
	s []uint32, visit func(m move, next []uint32, wrong string),
) (quiet bool) {
	for _, p := range d.processes(s) {
		if !p.progress {
			continue
		}
		for _, q := range d.processes(s) {
			other := d.parts[p.partition] != d.parts[q.partition]
			if p.at == q.at && p.kind == q.kind && p.partition == q.partition || !p.local && !other {
				continue
			}
			d.commute(s, p, q)
		}
	}
	return d.protocol.expand(s, visit)
}

func (d *diamonds) processes(s []uint32) []proc {
	d.open(s)
	all := slices.Clone(d.procs)
	for i := range all {
		all[i].moves = slices.Clone(all[i].moves)
	}
	return all
}

func (d *diamonds) commute(s []uint32, p, q proc) {
	for _, mq := range q.moves {
		afterQ, wrong := d.after(s, q, mq)
		if wrong != "" {
			continue
		}
		same, found := d.same(afterQ, p, s[p.at])
		for _, mp := range p.moves {
			if s[atFaults] == 1 && mp.act.fault() && mq.act.fault() {
				continue // there is one fault left, for the one or the other
			}
			d.checked++
			text := func() string {
				d.open(s)
				d.after(s, p, mp)
				one := d.describe(s, mp)
				d.open(s)
				d.after(s, q, mq)
				return fmt.Sprintf("%q and %q", one, d.describe(s, mq))
			}
			at := slices.IndexFunc(same.moves, func(m move) bool {
				return m.act == mp.act && m.call == mp.call && m.choice == mp.choice
			})
			if !found || at < 0 || p.local && !same.local && d.parts[p.partition] == d.parts[q.partition] {
				d.t.Fatalf("%s: the one is not possible, or not local, after the other", text())
			}
			afterP, wrong := d.after(s, p, mp)
			if wrong != "" {
				continue
			}
			if d.finished(d.parts[p.partition], afterP) {
				continue // a fault where all is done is left out
			}
			again, found := d.same(afterP, q, s[q.at])
			if !found {
				d.t.Fatalf("%s: the other is gone after the one", text())
			}
			pq, wrong1 := d.after(afterP, again, mq)
			qp, wrong2 := d.after(afterQ, same, mp)
			if wrong1 == "" && wrong2 == "" && first(d.key(pq)) != first(d.key(qp)) {
				d.t.Fatalf("%s do not commute", text())
			}
		}
	}
}

// after returns the state after a move.
func (d *diamonds) after(s []uint32, p proc, m move) ([]uint32, string) {
	wrong := d.do(s, &p, m)
	return slices.Clone(d.next), wrong
}

// same returns what has become of a process in another state.
func (d *diamonds) same(s []uint32, p proc, node uint32) (proc, bool) {
	for _, other := range d.processes(s) {
		if other.partition == p.partition && other.kind == p.kind && s[other.at] == node &&
			(other.slot == 0) == (p.slot == 0) {
			return other, true
		}
	}
	return proc{}, false
}

// idleReaders is a protocol that looks for a worker which is at its work while its reader is idle and has
// not read all.
type idleReaders struct {
	*protocol
	met map[string]bool // the stages of such workers
}

func (i idleReaders) expand(s []uint32, visit func(m move, next []uint32, wrong string)) bool {
	of := s[i.base:]
	reader, worker := &i.machines.nodes[of[ofReader]], &i.machines.nodes[of[ofWorkers]]
	if reader.idle && of[ofCommitted] == 1 && len(worker.calls) > 0 {
		i.met[stageOf(i.machines.ops.values[worker.calls[0]])] = true
	}
	return i.protocol.expand(s, visit)
}

// TestReadersDoNotHurry: what is wrong beside an idle reader only is not passed by because it reads on first.
func TestReadersDoNotHurry(t *testing.T) {
	i := idleReaders{small("protocol", 1, 1, 2, 0).world().(*protocol), make(map[string]bool)}
	f := newSearch(i, 0)
	f.run(t.Context(), nil)
	for _, stage := range []string{"idle", "lease", "claim", "load", "ack", "release"} {
		if !i.met[stage] || !f.exhausted {
			t.Errorf("no worker in stage %s beside an idle reader, but in %v; %q", stage, i.met, f.wrong)
		}
	}
}
