package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sluice/scenarios"
	"sluice/sim/kernel"
)

// errBroken is the error of a request whose connection broke, so that nobody knows what became of it.
var errBroken = errors.New("the connection broke")

// request is one on its way to a server, there, or on its way back.
type request struct {
	// serve is its effect at the server: how many bytes the answer has, and what it took of the server's
	// time beyond cost.
	serve func() (bytes int, more time.Duration)
	cost  time.Duration
	from  *conn
	there bool          // it has arrived
	back  bool          // its answer is on its way
	plain time.Duration // when it, or its answer, would have come if nothing slowed it down
	due   time.Duration // when that comes
	done  bool
	err   error
	cond  kernel.Cond
}

// link carries requests to a server and answers back. A request that has been sent has its effect
// whatever becomes of who sent it.
type link struct {
	k    *kernel.Kernel
	name string
	hop  time.Duration
	station
	wire    *wire         // of the clients' host; nil: it is never full
	clients *kernel.Host  // of which each client has a share; nil: the station serves all as one
	used    time.Duration // of the server's time, for what it has served

	slow             [2]time.Duration // requests, answers
	rates            [2][]int64       // bytes per second and connection, of the faults that last
	swallow          [2]int           // faults that swallow them
	refused          int              // faults that let no connection through
	down             int              // of those, faults under which there is no server
	frozen           int              // faults under which the server does nothing
	breaks           int              // how often all connections were closed
	under            []*request       // on the way or waiting, in order
	waits            []*request       // at a server that is frozen
	thawed, admitted *kernel.Cond
	eased            *kernel.Cond // some direction is throttled or slowed down less, or connections broke
	jitter           *rand.Rand   // draws how much longer than a hop messages are on the way; nil: they are not
	jitterMax        time.Duration
}

// station is what serves at the end of a link: the thread of a server, or a process with many.
type station interface {
	// Take gives it work, and returns how long from now it will take until that is done.
	Take(cost time.Duration) time.Duration
}

const (
	requests = 0
	answers  = 1
)

func newLink(k *kernel.Kernel, name string, hop time.Duration, at station) *link {
	return &link{k: k, name: name, hop: hop, station: at,
		thawed: k.NewCond(name + " is frozen"), admitted: k.NewCond(name + " is down"),
		eased: k.NewCond(name + " is throttled or slow")}
}

// up tells whether the server answers.
func (l *link) up() bool {
	return l.refused == 0 && l.frozen == 0 && l.swallow == [2]int{}
}

// runs tells whether there is a server that does something, whoever hears of it.
func (l *link) runs() bool { return l.down == 0 && l.frozen == 0 }

// conn is a client's connection, or the few that it has as one.
type conn struct {
	*link
	at   station      // which serves it
	free [2]time.Time // when the next byte may go, of a direction that is throttled
	last [2]time.Time // when the last message was, with its jitter, of a link that has some
}

func (l *link) connect() *conn {
	c := &conn{link: l, at: l.station}
	if l.clients != nil {
		c.at = l.clients.Share(l.name, 1)
	}
	return c
}

// pass returns how long some bytes take in a direction, after those before them.
func (c *conn) pass(direction, bytes int) time.Duration {
	took := c.throttled(direction, bytes) + c.wire.pass(direction, bytes)
	if c.jitter != nil {
		took += c.shake(direction)
	}
	return took
}

// shaken has the messages of a link take longer than a hop from now on, by so much at most.
func (l *link) shaken(seed uint64, most time.Duration) {
	l.jitter, l.jitterMax = scenarios.Stream(seed, "network to "+l.name), most
}

// shake draws how much longer than a hop a message takes. No message overtakes the one before it.
func (c *conn) shake(direction int) time.Duration {
	now := c.k.Now()
	at := now.Add(time.Duration(c.jitter.Int64N(int64(c.jitterMax) + 1)))
	if at.Before(c.last[direction]) {
		at = c.last[direction]
	}
	c.last[direction] = at
	return at.Sub(now)
}

// throttled returns how long some bytes take in a direction that is throttled.
func (c *conn) throttled(direction, bytes int) time.Duration {
	if len(c.rates[direction]) == 0 {
		return 0
	}
	now := c.k.Now()
	if c.free[direction].Before(now) {
		c.free[direction] = now
	}
	took := time.Duration(float64(bytes) / float64(slices.Min(c.rates[direction])) * float64(time.Second))
	c.free[direction] = c.free[direction].Add(took)
	return c.free[direction].Sub(now)
}

// cross returns when some bytes have passed in a direction, so much more time, and what faults slow a
// request and its answer down by; false if they never come, or nobody waits for them any more.
func (c *conn) cross(ctx context.Context, direction, bytes int, more time.Duration) (came bool) {
	since := c.breaks
	c.passed(ctx, direction, bytes, more)
	return ctx.Err() == nil && c.whole(direction, since)
}

// whole tells whether what was sent in a direction when so many breaks had been comes through now.
func (l *link) whole(direction, since int) bool {
	return l.breaks == since && l.swallow[direction] == 0
}

// passed returns when what crosses has passed, or its connection is broken. What waits for its turn on a
// throttled connection goes on when nothing throttles it any more, and what is slowed down when the fault ends.
func (c *conn) passed(ctx context.Context, direction, bytes int, more time.Duration) {
	breaks := c.breaks
	turn := c.pass(direction, bytes)
	until := c.k.Now().Add(turn)
	for len(c.rates[direction]) > 0 && turn > 0 {
		if c.eased.WaitFor(ctx, turn) != nil && ctx.Err() != nil || c.breaks != breaks {
			return
		}
		if turn = until.Sub(c.k.Now()); len(c.rates[direction]) == 0 {
			turn, c.free[direction] = 0, c.k.Now()
		}
	}
	since := c.k.Elapsed() + max(turn, 0) + more
	for slow := c.slow; slow != [2]time.Duration{}; {
		until := since + slow[requests] + slow[answers]
		if c.eased.WaitFor(ctx, until-c.k.Elapsed()) != nil || c.breaks != breaks {
			return // it has come, or nobody waits for it
		}
		slow[requests], slow[answers] = min(slow[requests], c.slow[requests]), min(slow[answers], c.slow[answers])
	}
	_ = c.k.Sleep(ctx, max(since-c.k.Elapsed(), 0))
}

// ask sends a request of some bytes, whose serve has its effect at the server after cost of its time;
// it returns when the answer has come. An error means that none did: errBroken, the context's, or
// context.DeadlineExceeded if none came within a time.
func (c *conn) ask(
	ctx context.Context, within, cost time.Duration, bytes int, serve func() (int, time.Duration),
) error {
	until := c.k.Elapsed() + within
	r, err := c.send(ctx, cost, bytes, serve)
	if err != nil {
		return err
	}
	return r.wait(ctx, within == patient, until)
}

// send is the first half of ask: the answer has yet to come.
func (c *conn) send(
	ctx context.Context, cost time.Duration, bytes int, serve func() (int, time.Duration),
) (*request, error) {
	l := c.link
	if !l.k.Alive() {
		return nil, errBroken // what unwinds does nothing
	}
	if l.refused > 0 {
		if err := l.k.Sleep(ctx, l.hop); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%s: connection refused", l.name)
	}
	r := &request{serve: serve, cost: cost, from: c, cond: *l.k.NewCond(l.name)}
	l.under = append(l.under, r)
	l.carry(r, requests, l.hop+c.pass(requests, bytes))
	return r, nil
}

// wait returns when the answer has come, or none will, or has until a time since the start; if for ever,
// it waits without end.
func (r *request) wait(ctx context.Context, forEver bool, until time.Duration) error {
	for !r.done {
		var err error
		if forEver {
			err = r.cond.Wait(ctx)
		} else {
			err = r.cond.WaitFor(ctx, until-r.from.k.Elapsed())
		}
		if err != nil {
			return err
		}
	}
	return r.err
}

// patient is within what time an answer must come to who waits for it without end.
const patient time.Duration = 0

// arrive is what happens to a request at the server's door.
func (l *link) arrive(r *request) {
	if r.there {
		return // it was let through sooner
	}
	r.there = true
	l.admit(r)
}

// admit gives a request that has arrived to the server.
func (l *link) admit(r *request) {
	switch {
	case r.done: // its connection broke
	case l.swallow[requests] > 0: // and so nobody will ever hear of it
	case l.frozen > 0:
		l.waits = append(l.waits, r)
	default:
		l.k.After(r.from.at.Take(r.cost), func() { l.serve(r) })
	}
}

func (l *link) serve(r *request) {
	if r.done {
		return
	}
	if l.frozen > 0 {
		l.waits = append(l.waits, r)
		return
	}
	bytes, more := r.serve()
	l.used += r.cost + more
	wait := time.Duration(0)
	if more > 0 {
		wait = r.from.at.Take(more)
	}
	if l.swallow[answers] > 0 {
		return
	}
	r.back = true
	l.carry(r, answers, wait+l.hop+r.from.pass(answers, bytes))
}

// carry has a request, or its answer, come after some time, and what the direction is slowed down by.
func (l *link) carry(r *request, side int, takes time.Duration) {
	r.plain = l.k.Elapsed() + takes
	r.due = r.plain + l.slow[side]
	l.comes(r, side)
}

// comes has it come when it is due, unless it has by then.
func (l *link) comes(r *request, side int) {
	in := r.due - l.k.Elapsed()
	if side == requests {
		l.k.After(in, func() { l.arrive(r) })
		return
	}
	l.k.After(in, func() {
		if l.swallow[answers] == 0 {
			l.finish(r, nil)
		}
	})
}

func (l *link) finish(r *request, err error) {
	if r.done {
		return
	}
	r.done, r.err = true, err
	if at := slices.Index(l.under, r); at >= 0 {
		l.under = slices.Delete(l.under, at, at+1)
	}
	r.cond.Broadcast()
}

// cut breaks all connections: nothing that is on its way over them comes.
func (l *link) cut() {
	l.breaks++
	broken := l.under
	l.under, l.waits = nil, nil
	for _, r := range broken {
		l.finish(r, fmt.Errorf("%s: %w", l.name, errBroken))
	}
	l.eased.Broadcast()
}

// refuse lets nobody through until it is undone.
func (l *link) refuse() (undo func() error) {
	l.refused++
	l.cut()
	return func() error {
		if l.refused--; l.refused == 0 {
			l.admitted.Broadcast()
		}
		return nil
	}
}

// freeze stops the server until it is undone: what came meanwhile is served then.
func (l *link) freeze() (undo func() error) {
	l.frozen++
	return func() error {
		if l.frozen--; l.frozen > 0 {
			return nil
		}
		waited := l.waits
		l.waits = nil
		for _, r := range waited {
			l.admit(r)
		}
		l.thawed.Broadcast()
		return nil
	}
}

// letThrough lets go on what had been waiting for its turn, once nothing throttles a direction.
func (l *link) letThrough(sides []int) {
	for _, side := range sides {
		if len(l.rates[side]) > 0 {
			continue
		}
		for _, r := range l.under {
			r.from.free[side] = l.k.Now()
			if r.onWay(side) {
				l.carry(r, side, l.hop)
			}
		}
	}
	l.eased.Broadcast()
}

// hasten has what is on its way come as soon as it may, now that a direction is slowed down less.
func (l *link) hasten(sides []int) {
	now := l.k.Elapsed()
	for _, side := range sides {
		for _, r := range l.under {
			if due := max(r.plain+l.slow[side], now); r.onWay(side) && due < r.due {
				r.due = due
				l.comes(r, side)
			}
		}
	}
	l.eased.Broadcast()
}

// onWay tells whether something of a request is on its way in a direction.
func (r *request) onWay(side int) bool {
	if side == requests {
		return !r.there
	}
	return r.back
}

// wait returns after a time in which a server that ends, or starts, does nothing.
func (l *link) wait(d time.Duration) { _ = l.k.Sleep(context.Background(), d) } // it has no end but this

// halves are the directions that a fault hits.
func halves(d scenarios.Direction) []int {
	switch d {
	case scenarios.Requests:
		return []int{requests}
	case scenarios.Answers:
		return []int{answers}
	}
	return []int{requests, answers}
}

// breakDown does a fault of the network, or of a server as such, and returns what ends it; ok is false
// for one that it does not know.
func (l *link) breakDown(f scenarios.Fault) (undo func() error, ok bool) {
	sides := halves(f.Direction)
	switch f.Verb {
	case scenarios.VerbSlow:
		for _, side := range sides {
			l.slow[side] += f.By
		}
		return func() error {
			for _, side := range sides {
				l.slow[side] -= f.By
			}
			l.hasten(sides)
			return nil
		}, true
	case scenarios.VerbThrottle:
		for _, side := range sides {
			l.rates[side] = append(l.rates[side], int64(f.To))
		}
		return func() error {
			for _, side := range sides {
				at := slices.Index(l.rates[side], int64(f.To))
				l.rates[side] = slices.Delete(l.rates[side], at, at+1)
			}
			l.letThrough(sides)
			return nil
		}, true
	case scenarios.VerbBlackHole:
		for _, side := range sides {
			l.swallow[side]++
		}
		return func() error {
			for _, side := range sides {
				l.swallow[side]--
			}
			l.cut() // a stream with a gap must not go on
			l.admitted.Broadcast()
			return nil
		}, true
	case scenarios.VerbCut:
		l.cut()
		return nil, true
	case scenarios.VerbRefuse:
		return l.refuse(), true
	case scenarios.VerbStop, scenarios.VerbCrash:
		l.down++
		admit := l.refuse()
		return func() error {
			l.down--
			return admit()
		}, true
	case scenarios.VerbHang, scenarios.VerbPause:
		return l.freeze(), true
	}
	return nil, false
}
