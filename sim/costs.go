package sim

import "time"

// Costs are what steps take. The built-in ones are medians of docs/performance.md, measured on two
// cores that servers, workers and load share.
type Costs struct {
	// Hop is how long a request or an answer travels.
	Hop time.Duration
	// RedisCall is the server's time per call, RedisAttach and RedisFlush what each span adds to it on
	// the way in and out.
	RedisCall, RedisAttach, RedisFlush time.Duration
	// Linger is how long a producer gathers records, Acknowledge how long the broker takes to
	// acknowledge them, and Fetch to answer a fetch that has something.
	Linger, Acknowledge, Fetch time.Duration
	// Start is how long a process takes until it does something.
	Start time.Duration
	// Session is how long the group waits for a member that fell silent.
	Session time.Duration
}

// DefaultCosts are the built-in ones.
func DefaultCosts() Costs {
	return Costs{
		Hop:       50 * time.Microsecond,
		RedisCall: 20 * time.Microsecond, RedisAttach: 8 * time.Microsecond,
		RedisFlush: 1300 * time.Nanosecond, // in each of load, claim and ack
		Linger:     2 * time.Millisecond, Acknowledge: 2 * time.Millisecond,
		Fetch: time.Millisecond,
		Start: 100 * time.Millisecond, Session: 6 * time.Second,
	}
}
