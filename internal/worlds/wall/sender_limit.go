package wall

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/options"
)

// Who was the limit, if the load was late? A message is late if it is handed to the Kafka client
// after it was due. It is Kafka's fault if, for at least half of the time that it is late, a
// producer was waiting for room in its full buffer; else that of the generator, or of the machine
// that it did not get enough of.

const (
	// lateAfter is how late a message must be to count.
	lateAfter = time.Second
	// lateShareMax is the share of messages that may be late by the generator's fault before it is
	// called the limit of the run: a machine that paused for a moment is none.
	lateShareMax = 0.01
	// fullAfter is how long handing over a message takes at least if the buffer was full.
	fullAfter = time.Millisecond
)

// fullness is how long the buffer of any producer was full. Times are since the start of the load.
type fullness struct {
	total atomic.Int64 // nanoseconds

	mu    sync.Mutex
	until time.Duration
}

// add enters a time in which the buffer of a producer was full. What it has in common with times
// that ended before counts once.
func (f *fullness) add(from, to time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from = max(from, f.until); to > from {
		f.total.Add(int64(to - from))
		f.until = to
	}
}

func (f *fullness) sum() time.Duration { return time.Duration(f.total.Load()) }

// lag is the account of one producer's late messages.
type lag struct {
	mu     sync.Mutex
	onTime time.Duration // how long buffers had been full when a message was last on time
	lags
}

// lags are late messages by whose fault it is.
type lags struct {
	messages  int64
	generator lateness
	kafka     lateness
}

// lateness is how many messages were later than lateAfter, and how late the latest was.
type lateness struct {
	count int64
	most  time.Duration
}

// add enters a message that is so late, with how long buffers have been full by now.
func (l *lag) add(late, full time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages++
	if late <= tick {
		l.onTime = full
		return
	}
	fault := &l.generator
	if full-l.onTime >= late/2 {
		fault = &l.kafka
	}
	fault.most = max(fault.most, late)
	if late > lateAfter {
		fault.count++
	}
}

func (l *lags) include(other *lags) {
	l.messages += other.messages
	l.generator.include(other.generator)
	l.kafka.include(other.kafka)
}

func (l *lateness) include(other lateness) {
	l.count += other.count
	l.most = max(l.most, other.most)
}

// limit says in words why the load was behind its time, or nothing if it was not. limited is true
// if the harness itself was the limit of the run, so that its figures say little of the system.
func (s *sender) limit() (text string, limited bool) {
	var sum lags
	for _, p := range s.producers {
		p.lag.mu.Lock()
		sum.include(&p.lag.lags)
		p.lag.mu.Unlock()
	}
	return sum.limit(s.full.sum(), time.Duration(s.acks.longest.Load()), s.acks.most.Load())
}

func (l *lags) limit(full, longest time.Duration, waiting int64) (text string, limited bool) {
	var parts []string
	say := func(who string, late lateness) {
		if late.count > 0 {
			parts = append(parts, fmt.Sprintf("%s: %.2g %% of the messages were handed over more than "+
				"%v late, at most %v", who, l.share(late)*100, lateAfter, late.most.Round(time.Millisecond)))
		}
	}
	say("the load generator did not keep up", l.generator)
	say(fmt.Sprintf("Kafka held the load up, for %v the buffer for what it had not acknowledged was "+
		"full", full.Round(time.Millisecond)), l.kafka)
	if len(parts) > 0 {
		parts = append(parts, fmt.Sprintf("Kafka acknowledged within %v, at most %s waited "+
			"for that", longest.Round(time.Millisecond), options.FormatCount(waiting, "message")))
	}
	return strings.Join(parts, "; "), l.share(l.generator) > lateShareMax
}

func (l *lags) share(late lateness) float64 {
	return float64(late.count) / float64(max(l.messages, 1))
}
