// Package kernel is the event loop of the virtual world: its time, its concurrency, its processes.
// Code that is written against [flusher.Clock] and [flusher.Tasks] runs on it unchanged, thousands
// of times faster than life, and does the same thing each time.
//
//	k, err := kernel.New(kernel.DefaultConfig())
//	defer k.Close()
//	p := k.Process("consumer-0")
//	p.Go("run", func() { ... k.Sleep(ctx, time.Second) ... })
//	k.After(7*time.Second, p.Freeze)
//	err = k.Sleep(ctx, time.Minute) // a virtual minute happens
//
// # Time
//
// A task is a coroutine. It runs until it waits; then the next event happens. Events are ordered by
// instant, and within one by when they were scheduled. Virtual time passes between instants only:
// what a task does between two waits takes none. So a loop that waits for nothing never ends, as
// anywhere else, and one that waits without time passing is what Config.EventsMax is for.
//
// An instant ends when nothing is left in it. Then the kernel looks which contexts have ended:
// their sleepers go on in the same instant, in the order in which they fell asleep.
//
// # Main
//
// The goroutine that made the kernel is main. It is no coroutine: while it sleeps, or waits for a
// task, a process, a condition or a server, it makes events happen, until its own turn comes. It
// may do whatever tasks may. Everything else happens inside these calls, on main's goroutine or on
// a coroutine that it switched to: at any time one of them runs, so that nothing needs a lock.
//
// # What tasks owe
//
//   - They wait through the kernel only. One that blocks otherwise (a channel, a WaitGroup, a lock
//     that a task holds which waits) blocks everything for good: no coroutine can be seen to do so
//     from outside. That no lock is held over a port's call is checked by internal/purity.
//   - They wait on their own stack: not in an iter.Pull of their own, nor in another goroutine.
//   - Contexts come from [Kernel.WithCancel] and [Kernel.WithTimeout], or from context.WithCancel,
//     WithCancelCause, WithValue and WithoutCancel. None starts a goroutine. Not
//     context.WithTimeout, WithDeadline or AfterFunc, whose timers are of another time and whose
//     goroutines run beside.
//   - A context's Err is asked by [Err] where the difference between a timeout and a cancellation
//     matters: what the standard library derives from a context with a timeout ends with
//     context.Canceled, and has DeadlineExceeded as its cause only. Whatever waits does so.
//   - Random numbers come from a stream for each named part (scenarios.Stream), never from a global
//     source; nothing depends on the order of a map.
//
// # Contexts
//
// The kernel knows which contexts its sleepers wait with, one entry for all that share a Done
// channel. Of the end of a context that it made itself, all of whose ancestors it also made, it is
// told: that costs nothing until it happens. Nothing tells it of the end of one that
// context.WithCancel made: those it asks, once each, whenever an instant ends. There are few as a
// rule, and an answer takes nanoseconds; but a thousand tasks, each with one of its own, halve its
// speed.
//
// # Processes
//
// A [Process] is a group of tasks that live and die together.
//
//   - Killed, it is gone at once: no event of it happens any more, and whoever waits for its tasks
//     goes on. Its coroutines are unwound in that moment, which runs their deferred calls, unlike
//     SIGKILL. So what has an effect on anything outside asks [Kernel.Alive] first; what waits is
//     refused by the kernel, which unwinds further. A model whose calls begin with a Sleep needs no
//     other check before its effect.
//   - A task that kills its own process does not return from that: so a process exits.
//   - Frozen, it does nothing, while what would resume its tasks gathers. Woken, all that happens,
//     in its order, in that instant. Its timeouts have passed meanwhile.
//   - A child dies with its parent; a frozen child when it is woken.
//
// # Models
//
// [Cond] parks a task until another one signals; [Host] is a machine whose cores processes share,
// or a server's thread that its clients do, each a [Share]; [Kernel.After] calls a function that
// does not wait. Conditions and shares have names for the reports.
//
// # When it cannot go on
//
// The kernel panics in main with a [Failure]: a deadlock (main waits, and nothing can happen), the
// limit on events, or a panic in a task or a timer's function, by the task's name ("main/timers") and
// with its stack. Each says who waits for what, and since when. [Catch] makes an error of it. Only
// Kill and Close can be called after it.
//
// # Digest
//
// Every event, and every [Kernel.Note] of a model, goes into a running hash: see [Kernel.Digest].
// Two runs with one digest have done the same things in the same order.
package kernel
