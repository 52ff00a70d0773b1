package capacity

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"sluice/internal/options"
)

// pauses finds how soon the first input pauses if nothing is flushed, with the share of the load that the
// shard has which most comes to. A worker that waits for Kafka leases no more, so what its last leases
// showed stays: if they were full, it lags for as long as it waits.
func (o *Outlook) pauses(most float64) {
	b := o.Bounds
	o.InputPausesSeconds = o.RedisFullSeconds
	if b.FlushSegments > 0 && b.SegmentSpans > 0 {
		shards := ceilDiv(max(1, b.Partitions), o.Processes) // of the workers with most of them
		o.Due, o.TakenAtOnce = most*o.Rate/b.SegmentSpans, ceilDiv(b.FlushSegments, shards)
	}
	if o.leasesFull() {
		o.InputPausesSeconds = min(o.InputPausesSeconds, Number(b.PauseAfterSeconds))
	}
	o.UnflushedExpireSeconds = o.InputPausesSeconds + o.UnreadExpireSeconds
}

// leasesFull tells whether what falls due in a second may be as much as a worker takes at a time: deadlines
// are whole seconds, so it is there at once. It goes up and down by chance, as what comes at random does, and
// one shard of a worker that is behind pauses all of them.
func (o *Outlook) leasesFull() bool {
	const chance = 3 // standard deviations
	return o.TakenAtOnce > 0 && o.Due+chance*math.Sqrt(o.Due) >= float64(o.TakenAtOnce)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// fullest is which share of what waits is in the fullest node.
func (b Bounds) fullest() float64 { return cmp.Or(b.RedisFullest, 1) }

// room is how many bytes more the fullest node of Redis may hold before input pauses; below 0 if it may not
// even hold what waits in the steady state, +Inf if it has no known limit.
func (o *Outlook) room() float64 {
	if o.Bounds.RedisMemory == 0 {
		return math.Inf(1)
	}
	return float64(o.Bounds.RedisMemory)*o.Bounds.MaxMemory - o.RedisBytes*o.Bounds.fullest()
}

// full tells whether Redis is full without any fault: input pauses for good, and the rate is not carried.
func (o *Outlook) full() bool { return o.room() <= 0 }

// tooLittle says by how much it is.
func (o *Outlook) tooLittle() string {
	takes := fmt.Sprintf("%s in Redis", options.FormatSizeAbout(o.RedisBytes))
	if share := o.Bounds.fullest(); share < 1 {
		takes = fmt.Sprintf("%s in the fullest node of Redis", options.FormatSizeAbout(o.RedisBytes*share))
	}
	return fmt.Sprintf("what waits at %s spans/s, without any fault, takes %s, which may hold %s before input pauses",
		grouped(o.WaitingRate), takes, o.Bounds.memory())
}

// moreMemory is what to do then.
const moreMemory = "Give Redis more memory (--redis-memory), or more nodes: more processes leave as much waiting."

// memory is what a node of Redis may hold before input pauses, in words.
func (b Bounds) memory() string {
	limit := options.FormatSize(b.RedisMemory)
	if b.MaxMemory < 1 {
		return fmt.Sprintf("%s of %s", percent(b.MaxMemory), limit)
	}
	return limit
}

// forecast says when memory and retention run out.
func (o *Outlook) forecast() []string {
	b := o.Bounds
	how := "by their size; --world real asks Redis"
	if b.Measured {
		how = "as its Redis says"
	}
	state := "In the steady state"
	if o.WaitingRate > o.Rate {
		state += fmt.Sprintf(", as counted at %s spans/s,", grouped(o.WaitingRate))
	}
	text := []string{fmt.Sprintf("%s %s spans wait in Redis, which take %s (%.0f bytes each, %s). "+
		"Each minute in which nothing is flushed adds %s.", state, grouped(o.Waiting),
		options.FormatSizeAbout(o.RedisBytes), b.RedisPerSpan, how,
		options.FormatSizeAbout(60*o.Rate*b.RedisPerSpan))}
	return append(append(text, o.unflushed()...), o.unread())
}

// unflushed says what comes first if the workers flush nothing: that Redis is full, or that input pauses.
func (o *Outlook) unflushed() (text []string) {
	b := o.Bounds
	if o.full() {
		return []string{sentence(o.tooLittle()) + "."}
	}
	full := "When Redis would be full is not known: give its limit by --redis-memory."
	if finite(o.RedisFullSeconds) {
		who := "Redis"
		if b.RedisFullest > 0 && b.RedisFullest < 1 {
			who = "the fullest node of Redis"
		}
		full = fmt.Sprintf("%s has reached %s in %s", who, b.memory(), duration(float64(o.RedisFullSeconds)))
	}
	if o.leasesFull() && o.InputPausesSeconds < o.RedisFullSeconds {
		text = append(text, fmt.Sprintf("If Kafka takes nothing from the workers, input pauses after about %s "+
			"(pipeline.backpressure_after) and waits in Kafka: about %s segments of a shard fall due in a second, of which "+
			"a worker takes %d at a time, and after a full lease it lags. In that time Redis takes %s more.",
			duration(float64(o.InputPausesSeconds)), grouped(o.Due), o.TakenAtOnce,
			options.FormatSizeAbout(float64(o.InputPausesSeconds)*o.Rate*b.RedisPerSpan)))
		if finite(o.RedisFullSeconds) {
			full = "Should it not, as when the last of what fell due was just taken, " + full + "."
		}
		return append(text, full)
	}
	if finite(o.RedisFullSeconds) {
		full = "If Kafka takes nothing from the workers, " + full + "; input pauses then, and waits in Kafka."
	}
	return append(text, full)
}

// unread says when spans expire that nobody reads.
func (o *Outlook) unread() string {
	if !finite(o.UnreadExpireSeconds) {
		return "When unread spans would expire is not known: give the input topic's --retention, or --topic with " +
			"--world real."
	}
	line := fmt.Sprintf("If nothing is read, as with all of Kafka down or no worker up, the first unread span expires "+
		"in %s", duration(float64(o.UnreadExpireSeconds)))
	if finite(o.UnflushedExpireSeconds) && !o.full() {
		line += fmt.Sprintf("; if Kafka takes nothing from the workers, %s later",
			duration(float64(o.InputPausesSeconds)))
	}
	return line + ": " + o.Bounds.kept() + "."
}

// kept says how long the input topic keeps messages.
func (b Bounds) kept() string {
	var list []string
	if b.RetentionSeconds > 0 {
		list = append(list, "messages for "+duration(b.RetentionSeconds))
	}
	if b.RetentionBytes > 0 {
		list = append(list, options.FormatSize(b.RetentionBytes)+" of each partition")
	}
	return "the topic keeps " + strings.Join(list, ", and ")
}
