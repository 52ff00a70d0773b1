package kernel

import (
	"cmp"
	"context"
	"slices"
)

// watch is what the kernel knows of a context with which tasks wait: one for all contexts that end
// together, which is to say have one Done channel. Thousands of sleepers on one context cost one
// question.
type watch struct {
	ctx      context.Context
	done     <-chan struct{}
	told     bool
	sleepers list
	index    int // in asked or told; meaningless without sleepers
	users    int // tasks that name it
}

// attend makes the end of the context ready the task. A task keeps its watch, since it will mostly
// wait with the same context again.
func (k *Kernel) attend(t *Task, ctx context.Context) {
	done := ctx.Done()
	if done == nil {
		return
	}
	if t.watch == nil || t.watch.done != done {
		k.unwatch(t)
		w := k.watches[done]
		if w == nil {
			w = &watch{ctx: ctx, done: done, told: isTold(ctx)}
			k.watches[done] = w
		}
		w.users++
		t.watch = w
	}
	w := t.watch
	if w.sleepers.first == nil {
		active := k.active(w)
		w.index = len(*active)
		*active = append(*active, w)
	}
	w.sleepers.add(&t.sleeper)
}

// active is the list in which the watch is while it has sleepers.
func (k *Kernel) active(w *watch) *[]*watch {
	if w.told {
		return &k.told
	}
	return &k.asked
}

// rest takes a watch off its list if it has no sleeper any more.
func (k *Kernel) rest(w *watch) {
	if w.sleepers.first != nil {
		return
	}
	active := k.active(w)
	last := len(*active) - 1
	(*active)[w.index] = (*active)[last]
	(*active)[w.index].index = w.index
	(*active)[last] = nil
	*active = (*active)[:last]
}

// unwatch takes the task's watch from it.
func (k *Kernel) unwatch(t *Task) {
	w := t.watch
	if w == nil {
		return
	}
	t.watch = nil
	if w.users--; w.users == 0 {
		delete(k.watches, w.done)
	}
}

// wakeEnded readies the tasks whose contexts have ended, in the order in which they began to wait,
// and tells whether there were any.
func (k *Kernel) wakeEnded() bool {
	if len(k.asked) == 0 && !k.cancelled {
		return false
	}
	for _, w := range k.asked {
		k.note(w)
	}
	if k.cancelled {
		k.cancelled = false
		for _, w := range k.told {
			k.note(w)
		}
	}
	if len(k.ended) == 0 {
		return false
	}
	slices.SortFunc(k.ended, func(a, b *Task) int { return cmp.Compare(a.order, b.order) })
	for _, t := range k.ended {
		k.ready(t)
	}
	clear(k.ended)
	k.ended = k.ended[:0]
	return true
}

// note remembers the watch's sleepers if its context has ended.
func (k *Kernel) note(w *watch) {
	if w.ctx.Err() == nil {
		return
	}
	for n := w.sleepers.first; n != nil; n = n.next {
		k.ended = append(k.ended, n.task)
	}
}
