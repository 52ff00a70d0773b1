package flusher

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// NoPartition is the Partition of an operation that concerns all of them.
const NoPartition = -1

// Operation is what is tried until it works. Failures of the same one are one trouble.
type Operation struct {
	// Name of the server or of the work: "store", "kafka", "input".
	Name string
	// Partition, or NoPartition.
	Partition int32
}

// Trouble is an operation that fails for now, or one that did until now.
type Trouble struct {
	Operation
	// Step is what failed first: "lease", "claim", ..., "produce".
	Step string
	// Since is when that was.
	Since time.Time
	// Err is the last attempt's error, and Last when it came.
	Err  error
	Last time.Time
	// Attempts failed so far: 1 at the beginning.
	Attempts int
	// Over is true once it has ended, after Lasted: the operation works, or was given up.
	Over, GivenUp bool
	Lasted        time.Duration
	// Others is how many other partitions of the same name were in trouble at that moment.
	Others int
}

// String returns the trouble as one line, without the time.
func (t Trouble) String() string {
	switch {
	case t.GivenUp:
		return fmt.Sprintf("%s is given up after %v and %d attempts",
			t.Step, t.Lasted.Round(time.Millisecond), t.Attempts)
	case t.Over:
		return fmt.Sprintf("%s works again after %v and %d attempts",
			t.Step, t.Lasted.Round(time.Millisecond), t.Attempts)
	}
	return fmt.Sprintf("%s fails, trying until it works: %v", t.Step, t.Err)
}

// Troubles is the register of what fails for now. It says of each trouble that it began, and that
// it is over, each once, in this order. Its methods may be called from several tasks.
type Troubles struct {
	clock Clock
	say   func(Trouble)

	some atomic.Bool // something is open: as mostly nothing is, who asks in every turn need not lock

	mu     sync.Mutex // never held while a port is called
	open   map[Operation]*Trouble
	failed map[string]uint64 // attempts so far, by step
	unsaid []Trouble
	saying bool
}

// NewTroubles returns an empty register. What it says must not block; nil: nobody listens.
func NewTroubles(clock Clock, say func(Trouble)) *Troubles {
	return &Troubles{
		clock: clock, say: say,
		open: make(map[Operation]*Trouble), failed: make(map[string]uint64),
	}
}

// Fails notes a failed attempt.
func (r *Troubles) Fails(of Operation, step string, err error) {
	now := r.clock.Now()
	r.mu.Lock()
	t := r.open[of]
	if t == nil {
		t = &Trouble{Operation: of, Step: step, Since: now, Others: r.named(of.Name)}
		r.open[of] = t
		r.some.Store(true)
	}
	t.Attempts++
	t.Err, t.Last = err, now
	r.failed[step]++
	if t.Attempts == 1 {
		r.unsaid = append(r.unsaid, *t)
	}
	r.mu.Unlock()
	r.tell()
}

// Works notes that an operation succeeded. It means nothing unless it failed before.
func (r *Troubles) Works(of Operation) { r.end(of, false) }

// GiveUp notes that an operation is not tried any more, on the same terms.
func (r *Troubles) GiveUp(of Operation) { r.end(of, true) }

func (r *Troubles) end(of Operation, givenUp bool) {
	if r.Of(of) == nil {
		return
	}
	now := r.clock.Now()
	r.mu.Lock()
	if t := r.open[of]; t != nil {
		delete(r.open, of)
		r.some.Store(len(r.open) > 0)
		t.Over, t.GivenUp = true, givenUp
		t.Lasted, t.Others = now.Sub(t.Since), r.named(of.Name)
		r.unsaid = append(r.unsaid, *t)
	}
	r.mu.Unlock()
	r.tell()
}

// Stepped notes that the wall clock, which is read at now, was set back by so much since its last reading, or on
// where that is negative: who hears of Since compares it with that clock.
func (r *Troubles) Stepped(now time.Time, by time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	//order-free: each for itself
	for _, t := range r.open {
		t.Since = moved(t.Since, now, by)
	}
}

// named counts the troubles of a name. It is called under the lock.
func (r *Troubles) named(name string) int {
	n := 0
	//order-free: counts
	for of := range r.open {
		if of.Name == name {
			n++
		}
	}
	return n
}

// tell says what is unsaid. Whoever comes meanwhile leaves it to the one who is saying, or an end
// could be heard before its beginning.
func (r *Troubles) tell() {
	for {
		r.mu.Lock()
		if r.saying || len(r.unsaid) == 0 {
			r.mu.Unlock()
			return
		}
		next := r.unsaid[0]
		r.unsaid = r.unsaid[1:]
		r.saying = true
		r.mu.Unlock()
		if r.say != nil {
			r.say(next)
		}
		r.mu.Lock()
		r.saying = false
		r.mu.Unlock()
	}
}

// Of returns the last error of an operation that fails for now, or nil.
func (r *Troubles) Of(of Operation) error {
	t, _ := r.Open(of)
	return t.Err
}

// Open returns the trouble of an operation, and whether it fails for now.
func (r *Troubles) Open(of Operation) (Trouble, bool) {
	if !r.some.Load() {
		return Trouble{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.open[of]; t != nil {
		return *t, true
	}
	return Trouble{}, false
}

// All returns what fails for now, the longest trouble first.
func (r *Troubles) All() []Trouble {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Trouble, 0, len(r.open))
	//order-free: sorted below
	for _, t := range r.open {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b Trouble) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Partition, b.Partition))
	})
	return all
}

// Failed returns how many attempts have failed since the register was made, by step.
func (r *Troubles) Failed() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.failed)
}

// TroubleState is what a worker reports of a trouble that is not over.
type TroubleState struct {
	Step     string    `json:"step"`
	Since    time.Time `json:"since"`
	Attempts int       `json:"attempts"`
	// Error is the last attempt's, in words.
	Error string `json:"error"`
}

// States returns what fails for now, the longest trouble first, or nil: most reports have none.
func (r *Troubles) States() []TroubleState {
	if !r.some.Load() {
		return nil
	}
	var states []TroubleState
	for _, t := range r.All() {
		states = append(states, TroubleState{
			Step: t.Step, Since: t.Since, Attempts: t.Attempts, Error: t.Err.Error(),
		})
	}
	return states
}

// Backoff returns how long to wait after a failed attempt, counted from 0: low, doubled with each
// further one, at most high.
func Backoff(low, high time.Duration, attempt int) time.Duration {
	for ; attempt > 0 && low < high; attempt-- {
		low *= 2
	}
	return min(low, high)
}
