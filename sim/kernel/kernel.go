package kernel

import (
	"errors"
	"math"
	"time"

	"sluice/flusher"
)

// Unlimited is the EventsMax of a kernel that runs as many events as there are.
const Unlimited = math.MaxUint64

// Config is what a kernel is made with.
type Config struct {
	// Start is the time of day at which virtual time begins.
	Start time.Time
	// EventsMax is how many events may happen before the run fails: a run that gets nowhere ends.
	EventsMax uint64
}

// DefaultConfig starts on a fixed day, and has no limit.
func DefaultConfig() Config {
	return Config{Start: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC), EventsMax: Unlimited}
}

// Validate returns what is wrong with the config, or nil.
func (c Config) Validate() error {
	var errs []error
	if c.Start.IsZero() {
		errs = append(errs, errors.New("start is not set"))
	}
	if c.EventsMax == 0 {
		errs = append(errs, errors.New("events max is 0, want at least 1"))
	}
	return errors.Join(errs...)
}

// Kernel is a virtual world's time and concurrency.
type Kernel struct {
	start     time.Time
	eventsMax uint64

	now     int64     // nanoseconds since start
	today   time.Time // the time of day at todayAt, for who asks again in the same instant
	todayAt int64
	number  uint64
	events  uint64 // that happened
	agenda  agenda
	slots   []*Task
	free    []uint32
	idle    []*Task   // timers that are over
	threads []*thread // without a task
	running *Task
	main    *Task
	timers  *Task // runs the timers' functions
	root    *Process

	watches map[<-chan struct{}]*watch
	// asked and told are the watches with waiting tasks: those whose contexts are to be asked
	// whether they have ended, and those whose ends set cancelled.
	asked, told []*watch
	cancelled   bool
	ended       []*Task // scratch

	failure *Failure
	digest  digest
}

var (
	_ flusher.Clock = (*Kernel)(nil)
	_ flusher.Tasks = (*Kernel)(nil)
	_ flusher.Tasks = (*Process)(nil)
	_ flusher.Task  = (*Task)(nil)
)

// New returns a kernel in which nothing has happened yet.
func New(cfg Config) (*Kernel, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	k := &Kernel{
		start: cfg.Start, today: cfg.Start, eventsMax: cfg.EventsMax, watches: make(map[<-chan struct{}]*watch),
		digest: newDigest(),
	}
	k.root = &Process{k: k, name: mainName}
	k.main = k.newTask(k.root, mainName)
	k.running = k.main
	k.main.yield = k.drive
	k.timers = &Task{k: k, process: k.root, name: "timers"}
	k.timers.yield = func(struct{}) bool { panic("kernel: a timer's function waits") }
	return k, nil
}

// mainName is what reports call the goroutine that uses the kernel from outside, and the process
// of what is nobody else's.
const mainName = "main"

// Now returns the virtual time of day. It has no monotonic reading.
func (k *Kernel) Now() time.Time {
	if k.todayAt != k.now {
		k.today, k.todayAt = k.start.Add(time.Duration(k.now)), k.now
	}
	return k.today
}

// Elapsed returns the virtual time since the start.
func (k *Kernel) Elapsed() time.Duration { return time.Duration(k.now) }

// Events returns how many events have happened.
func (k *Kernel) Events() uint64 { return k.events }

// Go starts fn as a task of the process main, which is never killed: what belongs to a process of
// the world is started with [Process.Go].
func (k *Kernel) Go(name string, fn func()) flusher.Task { return k.root.Go(name, fn) }

// Main returns the process of what is nobody else's: it is neither killed nor frozen.
func (k *Kernel) Main() *Process { return k.root }

// Alive tells whether the running task's process is. A model asks before each effect: what unwinds
// after a kill may have none.
func (k *Kernel) Alive() bool { return !k.running.dead }

// Running names the task that runs, as "process/task".
func (k *Kernel) Running() string { return k.running.String() }

// Close unwinds every task. The kernel cannot be used after that. It is called from outside, and
// may be called after a failure.
func (k *Kernel) Close() {
	if k.running.next != nil {
		panic("kernel: Close is called by a task")
	}
	k.root.kill(true)
	for _, h := range k.threads {
		h.stop()
	}
	k.threads = nil
	k.agenda = agenda{}
}

// schedule resumes the task at an instant, and at no other.
func (k *Kernel) schedule(t *Task, at int64) {
	t.wake = k.next()<<slotBits | uint64(t.slot)
	k.agenda.add(event{at: at, key: t.wake})
}

// next returns a number greater than all before it.
func (k *Kernel) next() uint64 {
	k.number++
	return k.number
}

// ready ends the task's waiting: it goes on in this instant, after all that was ready before it.
func (k *Kernel) ready(t *Task) {
	k.unwait(t)
	k.schedule(t, k.now)
}

// drive makes events happen until main is resumed. It is how main yields.
func (k *Kernel) drive(struct{}) bool {
	defer k.afterTimer() // here and not around each timer, where it would cost each something
	for {
		key, any := k.agenda.take(k.now)
		if !any {
			k.nextInstant()
			continue
		}
		t := k.slots[key&slotMask]
		if t == nil || t.wake != key {
			continue // it was resumed by something else, or is no more
		}
		if t.frozen {
			k.unwait(t)
			t.process.held = append(t.process.held, t)
			continue
		}
		k.happen(key)
		if t.listed {
			k.unwait(t)
		}
		t.wake, t.parked = 0, false
		switch {
		case t.next != nil:
			k.running = t
			t.next()
		case t == k.main:
			return true
		default:
			fn := t.fn
			k.idleTimer(t)
			k.running = k.timers
			fn()
		}
		k.running = k.main
		if k.failure != nil {
			panic(k.failure)
		}
	}
}

// afterTimer makes a failure of the panic of a timer's function, if that is why driving has ended.
func (k *Kernel) afterTimer() {
	if k.running != k.timers {
		return
	}
	cause := recover()
	k.panicked(k.timers, cause)
	k.running = k.main
	if cause != nil { // else it was a runtime.Goexit
		panic(k.failure)
	}
}

// nextInstant ends the instant: when nothing is left in it, contexts have ended or not.
func (k *Kernel) nextInstant() {
	if k.wakeEnded() {
		return
	}
	at, any := k.agenda.next()
	if !any {
		k.fail(&Failure{Kind: Deadlock})
	}
	k.now = at
}

// happen counts an event.
func (k *Kernel) happen(key uint64) {
	if k.events++; k.events > k.eventsMax {
		k.fail(&Failure{Kind: EventsMax})
	}
	k.digest.add(uint64(k.now) + key*prime3)
}
