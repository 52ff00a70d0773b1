package planted

import (
	"context"
	"errors"
	"slices"
	"sync"
)

type store interface{ Get() error }

type keeper struct {
	mu    sync.RWMutex
	other *sync.Mutex
	port  store
	say   func(string)
	n     int
}

func (k *keeper) held(err error, ctx context.Context) {
	k.port.Get()
	k.mu.Lock()
	k.port.Get() // want: port under a lock
	k.say("x")   // want: port under a lock
	say := k.say
	say("x")                      // want: port under a lock
	_ = k.count() + len("")       // a function of its own
	_, _ = err.Error(), ctx.Err() // pure by contract
	k.mu.Unlock()
	k.say("x")
}

func (k *keeper) deferred() error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	defer k.say("x") // want: port under a lock
	if k.n > 0 {
		return errors.Join(k.port.Get()) // want: port under a lock
	}
	defer func() {
		k.say("x") // want: port under a lock
	}()
	later := func() { k.say("x") } // runs who knows when
	slices.SortFunc([]int{2, 1}, func(a, b int) int {
		k.say("x") // want: port under a lock
		return a - b
	})
	_ = later
	return nil
}

// branches gives the lock back on some ways only.
func (k *keeper) branches() {
	k.other.Lock()
	if k.n > 0 {
		k.other.Unlock()
		k.say("x")
	}
	k.say("x") // want: port under a lock
	if k.n > 1 {
		k.say("x") // want: port under a lock
	} else {
		k.other.Unlock()
		return
	}
	k.other.Unlock()
	if k.n > 2 {
		k.mu.Lock()
		k.mu.Unlock()
		k.say("x")
	} else if k.n > 3 {
		k.mu.Lock()
		panic("held, but nobody comes here")
	}
	k.say("x")
	switch {
	case k.n > 4:
		k.mu.Lock()
	case k.n > 5:
		k.say("x")
	default:
		k.mu.Lock()
		k.port.Get() // want: port under a lock
		k.mu.Unlock()
		return
	}
	k.say("x") // want: port under a lock
}

func (k *keeper) loops() {
	for k.port.Get() == nil { // want: port under a lock
		k.say("x") // want: port under a lock
		k.mu.Lock()
	}
	k.mu.Unlock()
	for k.mu.Lock(); k.n > 9; k.say("x") { // want: port under a lock
		k.n--
	}
	k.mu.Unlock()
	for range 3 {
		k.mu.Lock()
		if k.n > 0 {
			k.mu.Unlock()
			continue
		}
		if k.n > 1 {
			break
		}
		k.mu.Unlock()
		k.say("x")
	}
	k.say("x") // want: port under a lock
	k.mu.Unlock()
	for {
		k.mu.Lock()
		if k.n > 0 {
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		k.say("x")
	}
}

func (k *keeper) switches() {
	k.mu.Lock()
	if k.port.Get() == nil { // want: port under a lock
		k.n++
	}
	switch k.n {
	case 1:
		k.mu.Unlock()
	}
	k.say("x") // want: port under a lock
	switch k.n {
	case 2:
		k.mu.Unlock()
	default:
		k.mu.Unlock()
	}
	k.say("x")
	switch k.n {
	case 3:
		k.mu.Lock()
		if k.n > 0 {
			break
		}
		k.mu.Unlock()
	}
	k.say("x") // want: port under a lock
}

// helped calls functions that are followed, also into one that gives its caller's lock back.
func (k *keeper) helped() {
	k.mu.Lock()
	k.tellTwice() // want: port under a lock
	k.handOver()
}

func (k *keeper) tellTwice() {
	if k.n > 0 {
		k.n--
		k.tellTwice()
	}
	tellOf(k)
}

func tellOf(k *keeper) { k.say("x") }

func (k *keeper) handOver() {
	k.n++
	k.mu.Unlock()
	k.say("x")
}

func (k *keeper) count() int { return k.n }

func generic[S store](s S, lock sync.Locker, call func() func()) {
	lock.Lock()
	s.Get()  // want: port under a lock
	call()() // want: port under a lock, port under a lock
	func() {
		s.Get() // want: port under a lock
	}()
	lock.Unlock()
	s.Get()
}

// literals are followed where a variable was made with one, and not where it only may hold one.
func (k *keeper) literals(other func()) {
	count := func() int { return k.n }
	tell := func() { k.say("x") }
	k.mu.Lock()
	k.n = count()
	tell()  // want: port under a lock
	other() // want: port under a lock
	k.mu.Unlock()
	tell()
}

var _ = []any{(*keeper).literals, (*keeper).held, (*keeper).deferred, (*keeper).branches, (*keeper).loops,
	(*keeper).switches, (*keeper).helped, generic[store]}
