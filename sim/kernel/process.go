package kernel

import (
	"cmp"
	"slices"

	"sluice/flusher"
)

// Process is a group of tasks that live and die together, like a process of an operating system.
type Process struct {
	k        *Kernel
	name     string
	parent   *Process
	children []*Process
	tasks    []*Task
	held     []*Task // resumed while the process was frozen, in order
	waiters  list    // for its death
	frozen   bool    // as each of its tasks is
	dead     bool
	orphan   bool // its parent has died while it was frozen
}

// Process returns a new process without a parent. It runs as long as it is not killed, also without
// a task.
func (k *Kernel) Process(name string) *Process { return k.root.Process(name) }

// Process returns a new child of the process, which dies with it: at once, or, if it is frozen
// then, when it is woken.
func (p *Process) Process(name string) *Process {
	child := &Process{k: p.k, name: name, parent: p, dead: p.dead}
	if !p.dead {
		p.children = append(p.children, child)
	}
	return child
}

// Go starts fn as a task of the process. It begins in this instant, after all that is ready. In a
// dead process nothing starts: the task is over.
func (p *Process) Go(name string, fn func()) flusher.Task {
	k := p.k
	if p.dead {
		return &Task{k: k, name: name, process: p, done: true}
	}
	t := k.newTask(p, name)
	t.fn, t.parked, t.since, t.born = fn, true, k.now, k.next()
	t.thread = k.thread()
	t.thread.task, t.next = t, t.thread.next
	t.index = len(p.tasks)
	p.tasks = append(p.tasks, t)
	k.schedule(t, k.now)
	return t
}

// remove takes a task out of the process's.
func (p *Process) remove(t *Task) {
	last := len(p.tasks) - 1
	p.tasks[t.index] = p.tasks[last]
	p.tasks[t.index].index = t.index
	p.tasks[last] = nil
	p.tasks = p.tasks[:last]
}

// Kill ends the process at once, frozen or not, and the children that are not frozen. Their tasks
// are unwound: deferred calls run, but find that [Kernel.Alive] is false, and that the kernel
// refuses whatever waits. Called by one of these tasks, Kill does not return: that is also how a
// process exits.
func (p *Process) Kill() {
	if p == p.k.root {
		panic("kernel: the main process is killed")
	}
	p.kill(false)
	if t := p.k.running; t.dead {
		p.k.refuse(t)
	}
}

// kill ends the process and its children, frozen ones only if all are to end.
func (p *Process) kill(all bool) {
	if p.dead {
		return
	}
	tasks := p.die(nil, all)
	slices.SortFunc(tasks, func(a, b *Task) int { return cmp.Compare(a.born, b.born) })
	for _, t := range tasks {
		p.k.end(t)
	}
	for _, t := range tasks {
		if t.parked {
			p.k.unwind(t)
		}
	}
}

// die marks the process and its children dead, and adds their tasks: all are dead before the first
// is unwound.
func (p *Process) die(tasks []*Task, all bool) []*Task {
	p.dead, p.frozen = true, false
	if p.parent != nil && !p.parent.dead {
		p.parent.children = slices.DeleteFunc(p.parent.children, func(c *Process) bool { return c == p })
	}
	for _, t := range p.tasks {
		t.dead, t.frozen = true, false
		tasks = append(tasks, t)
	}
	for _, child := range p.children {
		if child.frozen && !all {
			root := p.k.root
			child.orphan, child.parent = true, root
			root.children = append(root.children, child)
			continue
		}
		tasks = child.die(tasks, all)
	}
	p.tasks, p.held, p.children = nil, nil, nil
	p.k.wakeAll(&p.waiters)
	return tasks
}

// Freeze stops the process until it is woken: whatever resumes its tasks has to wait. A task of the
// process that calls it stops in it.
func (p *Process) Freeze() {
	k := p.k
	t := k.enter()
	if p == k.root {
		panic("kernel: the main process is frozen")
	}
	if p.dead || p.frozen {
		return
	}
	p.freeze(true)
	if t.process == p {
		k.schedule(t, k.now)
		k.park(t, p)
	}
}

// Wake lets a frozen process go on: what resumed its tasks meanwhile happens now, in its order.
func (p *Process) Wake() {
	if !p.frozen {
		return
	}
	p.freeze(false)
	if p.orphan {
		p.kill(false)
		return
	}
	for _, t := range p.held {
		p.k.schedule(t, p.k.now)
	}
	clear(p.held)
	p.held = p.held[:0]
}

func (p *Process) freeze(frozen bool) {
	p.frozen = frozen
	for _, t := range p.tasks {
		t.frozen = frozen
	}
}

// Wait returns when the process is dead.
func (p *Process) Wait() {
	for w := p.k.enter(); !p.dead; {
		p.waiters.add(&w.queue)
		p.k.park(w, p)
	}
}

// Dead tells whether the process was killed.
func (p *Process) Dead() bool { return p.dead }

// Frozen tells whether the process is to be woken before it goes on.
func (p *Process) Frozen() bool { return p.frozen }

// String returns the process's name.
func (p *Process) String() string { return p.name }
