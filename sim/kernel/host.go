package kernel

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Host is a machine with some cores, which the processes on it share as a fair scheduler shares them out:
// who has work gets an equal part of the cores, but not more than it has threads for, and what it leaves
// the others get. (That is generalised processor sharing, the fluid that fair queueing is an
// approximation of: Parekh and Gallager 1993.)
type Host struct {
	k     *Kernel
	name  string
	on    *Share // a host's in whose time it works; nil: it has all
	cores int64
	at    int64    // the instant up to which work has been done, by its own time
	busy  int64    // all that was given
	with  []*Share // who has work left, those of the fewest threads first
	last  int      // the number of the last share
}

// Share is a process on a host: what it is given it does in the order in which it came, with as many
// threads as it has.
type Share struct {
	host    *Host
	name    string
	threads int64
	number  int   // of the host's shares
	left    int64 // of what it was given, and what is done of it: so many parts of a nanosecond of a core
	done    int64
}

// fine are the parts of a nanosecond in which work is counted: with hundreds of processes, one has but a few
// nanoseconds of the cores between two events, and what rounding takes would be seen.
const fine = 256

// whole is so much work in nanoseconds, rounded up.
func whole(work int64) int64 { return (work + fine - 1) / fine }

// NewHost returns a host that has nothing to do. It has at least one core.
func (k *Kernel) NewHost(name string, cores int) *Host {
	return &Host{k: k, name: name, cores: int64(max(1, cores))}
}

// Thread returns a server of one thread, which takes turns among its clients: each has a share of it. It
// is a process of this host; one of nil has a core of its own.
func (k *Kernel) Thread(name string, of *Host) *Host {
	t := k.NewHost(name, 1)
	if of != nil {
		t.on = of.Share(name, 1)
	}
	return t
}

// Share returns a process with so many threads, at least one and at most as many as there are cores; 0
// stands for these. Reports say that somebody waits for its name.
func (h *Host) Share(name string, threads int) *Share {
	h.last++
	s := &Share{host: h, name: name, number: h.last, threads: h.cores}
	if threads > 0 {
		s.threads = min(s.threads, int64(threads))
	}
	return s
}

// Work returns nil when the process has done work that takes cost of a core's time, or why the context
// has ended. Work that was given is done, whatever becomes of who gave it.
func (s *Share) Work(ctx context.Context, cost time.Duration) error {
	s.host.k.enter()
	if err := Err(ctx); err != nil {
		return err
	}
	return s.host.k.sleep(ctx, s.Take(cost), s)
}

// Take gives the process work, and returns how long from now it will take until it is done, if nobody is
// given more meanwhile. If somebody is, it takes longer, and so does what the process is given next.
func (s *Share) Take(cost time.Duration) time.Duration {
	took := max(0, int64(cost))
	s.give(took)
	return time.Duration(max(took, whole(s.host.until(s, s.left))))
}

// give gives the process work.
func (s *Share) give(work int64) {
	h := s.host
	h.pass()
	h.busy += work
	if work == 0 {
		return
	}
	if h.on != nil {
		h.on.give(work)
	}
	if s.left == 0 {
		h.enter(s)
	}
	s.left += fine * work
}

// enter puts a process among those that have work.
func (h *Host) enter(s *Share) {
	at, _ := slices.BinarySearchFunc(h.with, s, func(a, b *Share) int {
		return cmp.Or(cmp.Compare(a.threads, b.threads), cmp.Compare(a.number, b.number))
	})
	h.with = slices.Insert(h.with, at, s)
}

// part is a number of cores: of many processes one has less than a core.
type part struct{ cores, of int64 }

// does is the work that a part does in a time, in is in what time it does some work.
func (p part) does(for_ int64) int64 { return for_ * p.cores / p.of }
func (p part) in(work int64) int64   { return (work*p.of + p.cores - 1) / p.cores }

// parts yields who has work with its part of the cores: as many as it has threads if that is no more than
// its equal part of what those before it leave, and that part if it is.
func (h *Host) parts(yield func(*Share, part) bool) {
	left, processes := h.cores, int64(len(h.with))
	for _, s := range h.with {
		p := part{left, processes}
		if s.threads*processes <= left {
			p = part{s.threads, 1}
			left -= s.threads
			processes--
		}
		if !yield(s, p) {
			return
		}
	}
}

// now is the host's own time.
func (h *Host) now() int64 {
	if h.on == nil {
		return h.k.now
	}
	h.on.host.pass()
	return h.on.done / fine
}

// pass has the work be done that there was time for until now.
func (h *Host) pass() {
	now := h.now()
	for h.at < now && len(h.with) > 0 {
		// As long as nobody is done the parts are the same.
		step := now - h.at
		for s, p := range h.parts {
			step = min(step, max(1, whole(p.in(s.left))))
		}
		for s, p := range h.parts {
			does := min(s.left, p.does(fine*step))
			s.left -= does
			s.done += does
		}
		h.at += step
		h.with = slices.DeleteFunc(h.with, func(s *Share) bool { return s.left == 0 })
	}
	h.at = now
}

// until is about how long it takes until a process has done so much of what it was given: who has less left
// is done by then, and who has more has got no more than it. It is not done sooner than its threads can,
// but may be if others cannot use their part, having too few.
func (h *Host) until(s *Share, work int64) int64 {
	sum := int64(0)
	for _, other := range h.with {
		if other != s {
			sum += min(other.left, work)
		}
	}
	took := max((sum+work+h.cores-1)/h.cores, (work+s.threads-1)/s.threads)
	if h.on != nil {
		return h.on.host.until(h.on, took)
	}
	return took
}

// Cores returns how many cores the host has.
func (h *Host) Cores() int { return int(h.cores) }

// Busy returns how much of its cores' time was used up to now.
func (h *Host) Busy() time.Duration {
	h.pass()
	busy := fine * h.busy
	for _, s := range h.with {
		busy -= s.left
	}
	return time.Duration(busy / fine)
}

// String returns the process's name.
func (s *Share) String() string { return s.name }
