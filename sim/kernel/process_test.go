package kernel_test

import (
	"context"
	"strings"
	"testing"

	"sluice/sim/kernel"
)

// TestKillInEachState: the process is gone at once, whatever its task was doing, and what unwinds
// has no effect.
func TestKillInEachState(t *testing.T) {
	background := context.Background()
	states := map[string]func(r *rig, p *kernel.Process){
		"not begun":  func(*rig, *kernel.Process) {},
		"sleeping":   func(r *rig, _ *kernel.Process) { r.nap(100) },
		"in a wait":  func(r *rig, _ *kernel.Process) { r.Go("other", func() { r.nap(100) }).Wait() },
		"in a cond":  func(r *rig, _ *kernel.Process) { _ = r.NewCond("c").Wait(background) },
		"served":     func(r *rig, _ *kernel.Process) { _ = r.NewHost("h", 1).Share("s", 1).Work(background, 100) },
		"frozen":     func(_ *rig, p *kernel.Process) { p.Freeze() },
		"both":       func(r *rig, p *kernel.Process) { r.After(1, p.Freeze); r.nap(2) },
		"in a death": func(r *rig, _ *kernel.Process) { r.Process("other").Wait() },
		"in a context": func(r *rig, _ *kernel.Process) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			_ = r.Sleep(ctx, 100)
		},
	}
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			p := r.Process("p")
			begin := 0
			task := p.Go("t", func() {
				begin++
				defer func() {
					if r.Alive() {
						t.Error("alive")
					}
					defer func() {
						if recover() == nil {
							t.Error("one that is dead may wait")
						}
					}()
					r.nap(1)
				}()
				state(r, p)
				t.Error("it went on")
			})
			if name != "not begun" {
				r.pass(5)
			}
			p.Kill()
			p.Kill()
			if !task.Done() || !p.Dead() || p.Frozen() || !r.Alive() {
				t.Error("not gone at once")
			}
			task.Wait()
			p.Wait()
			p.Wake()
			r.pass(200)
			if want := map[bool]int{true: 0, false: 1}[name == "not begun"]; begin != want {
				t.Errorf("it began %d times", begin)
			}
			p.Go("late", func() { t.Error("begun in a dead process") }).Wait()
			r.pass(1)
		})
	}
}

// TestExit: a task that kills its own process goes no further, and takes the others with it.
func TestExit(t *testing.T) {
	r := newRig(t)
	p := r.Process("p")
	other := p.Go("other", func() {
		defer func() { r.log("other unwinds, alive: %v", r.Alive()) }()
		r.nap(100)
		r.log("other went on")
	})
	task := p.Go("exits", func() {
		defer func() {
			p.Kill() // again, while it unwinds
			t.Error("Kill returned")
		}()
		r.nap(3)
		p.Kill()
		t.Error("Kill returned")
	})
	r.Go("waits", func() {
		task.Wait()
		r.log("%v %v", task.Done(), other.Done())
	})
	p.Wait()
	r.log("dead: %v", p.Dead())
	r.pass(200)
	r.want("3ns other unwinds, alive: false", "3ns dead: true", "3ns true true")
}

// TestKillOfWhoKills: a task that is unwound kills the one that kills it.
func TestKillOfWhoKills(t *testing.T) {
	r := newRig(t)
	p, q := r.Process("p"), r.Process("q")
	p.Go("victim", func() {
		defer q.Kill()
		r.nap(100)
	})
	q.Go("killer", func() {
		r.nap(1)
		p.Kill()
		t.Error("the killer, who is dead, went on")
	})
	r.pass(10)
	if !p.Dead() || !q.Dead() {
		t.Error("one is alive")
	}
}

// TestChildren die with their parent; a frozen one when it is woken.
func TestChildren(t *testing.T) {
	r := newRig(t)
	parent := r.Process("parent")
	child, frozen := parent.Process("child"), parent.Process("frozen")
	grandchild := child.Process("grandchild")
	gone := parent.Process("gone")
	gone.Kill()
	for _, p := range []*kernel.Process{parent, child, frozen, grandchild} {
		p.Go("t", func() {
			r.nap(10)
			r.log("%s", p)
		})
	}
	r.pass(1)
	frozen.Freeze()
	parent.Kill()
	if !child.Dead() || !grandchild.Dead() || frozen.Dead() {
		t.Error("wrong children are dead")
	}
	r.pass(20)
	frozen.Wake()
	if !frozen.Dead() {
		t.Error("the frozen child lives on")
	}
	if born := parent.Process("late"); !born.Dead() {
		t.Error("a dead process has a child that lives")
	}
	r.pass(20)
	r.want()
}

// TestChildKillsParent, and so itself.
func TestChildKillsParent(t *testing.T) {
	r := newRig(t)
	parent := r.Process("parent")
	parent.Go("t", func() { r.nap(100) })
	child := parent.Process("child")
	child.Go("t", func() {
		parent.Kill()
		t.Error("the child went on")
	})
	r.pass(1)
	if !parent.Dead() || !child.Dead() {
		t.Error("one is alive")
	}
}

// TestFreeze: what was due meanwhile happens when the process is woken, in its order; time has
// passed, and contexts have ended.
func TestFreeze(t *testing.T) {
	r := newRig(t)
	p := r.Process("p")
	ctx, cancel := r.WithTimeout(context.Background(), 6)
	defer cancel()
	p.Go("5", func() { r.nap(5); r.log("5") })
	p.Go("3", func() { r.nap(3); r.log("3"); r.nap(1); r.log("3 and 1") })
	p.Go("50", func() { r.nap(50); r.log("50") })
	p.Go("timeout", func() { r.log("%v", r.Sleep(ctx, 100)) })
	p.Go("in time", func() { r.log("in time: %v", r.Sleep(ctx, 4)) })
	r.pass(1)
	p.Freeze()
	p.Freeze()
	p.Go("begun while frozen", func() { r.log("begun") })
	r.pass(19)
	r.log("wake")
	p.Wake()
	p.Wake()
	r.pass(100)
	r.want("20ns wake", "20ns begun", "20ns 3", "20ns in time: context deadline exceeded", "20ns 5",
		"20ns context deadline exceeded", "21ns 3 and 1", "50ns 50")
}

// TestFreezeOfItself takes effect at once.
func TestFreezeOfItself(t *testing.T) {
	r := newRig(t)
	p := r.Process("p")
	p.Go("t", func() {
		p.Freeze()
		r.log("woken")
		p.Freeze()
		r.log("woken again")
	})
	r.pass(10)
	p.Wake()
	r.pass(10)
	p.Wake()
	r.pass(10)
	r.want("10ns woken", "20ns woken again")
}

func TestMainIsNeitherKilledNorFrozen(t *testing.T) {
	r := newRig(t)
	for what, do := range map[string]func(*kernel.Process){
		"killed": (*kernel.Process).Kill, "frozen": (*kernel.Process).Freeze,
	} {
		func() {
			defer func() {
				if cause, _ := recover().(string); !strings.Contains(cause, what) {
					t.Errorf("got %q, want a panic that says %q", cause, what)
				}
			}()
			do(r.Main())
		}()
	}
}

// TestClose unwinds everything, frozen or not; TestMain finds what it leaves.
func TestClose(t *testing.T) {
	r := newRig(t)
	parent := r.Process("parent")
	child := parent.Process("child")
	for _, p := range []*kernel.Process{parent, child, child.Process("grandchild")} {
		p.Go("t", func() {
			defer r.log("unwound")
			r.nap(100)
		})
	}
	r.Go("of main", func() { r.nap(100) })
	r.Go("not begun", func() {})
	r.pass(1)
	child.Freeze()
	r.Close()
	r.Close()
	if len(r.lines) != 3 {
		t.Errorf("unwound: %q, want 3", r.lines)
	}
}

func TestCloseByATask(t *testing.T) {
	r := newRig(t)
	f := failure(t, func() {
		r.Go("t", r.Close)
		r.pass(1)
	})
	if f.Kind != kernel.Panic {
		t.Errorf("got %v", f)
	}
}
