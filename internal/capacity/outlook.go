package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/internal/load"
	"sluice/internal/options"
	"sluice/reports"
	"sluice/scenarios"
)

// redisPerByte is how many bytes of Redis' memory a byte of a span that waits there takes: its
// payload, and what the store keeps of it beside. 1.33 to 1.38 on a Redis 7 with spans of 450 to 650
// bytes in traces of 5 to 35 (2026-11-28: run steady --world real --servers start --rate "constant
// 2000/s", and 6000/s; memory beyond that of an empty server, by the spans in it).
const redisPerByte = 1.4

// Bounds are what memory and time there is before something is lost.
type Bounds struct {
	// RedisMemory is what each node of Redis may use, MaxMemory the share of it over which input
	// pauses; 0: no limit is known.
	RedisMemory buffer.Bytes `json:"redis_memory_bytes"`
	MaxMemory   float64      `json:"max_memory"`
	// RetentionSeconds is how long the input topic keeps a message, RetentionBytes how many bytes of each
	// partition; 0: no limit is known.
	RetentionSeconds float64      `json:"retention_seconds"`
	RetentionBytes   buffer.Bytes `json:"retention_bytes"`
	Partitions       int          `json:"partitions"`
	// PauseAfterSeconds is how long a worker may lag before the input of its shards pauses.
	// FlushSegments is how many segments it takes at a time, of all its shards; 0: that is not known, and
	// as if it took all there are. SegmentSpans is how many spans one has, on average.
	PauseAfterSeconds float64 `json:"backpressure_after_seconds"`
	FlushSegments     int     `json:"max_flush_segments"`
	SegmentSpans      float64 `json:"segment_spans"`
	// KeySkew is the exponent of Zipf's law by which the load falls on the partitions; 0: evenly.
	KeySkew float64 `json:"key_skew"`
	// SpanBytes is the mean size of a span's message. RedisPerSpan is what one that waits takes in
	// Redis, and Measured tells whether the world's Redis said that, or it follows from its size.
	// RedisFullest is which share of what waits is in the fullest node; 0: it is not known, and as if
	// there were one node.
	SpanBytes    float64 `json:"span_bytes"`
	RedisPerSpan float64 `json:"redis_bytes_per_span"`
	RedisFullest float64 `json:"redis_fullest_share"`
	Measured     bool    `json:"measured"`
}

// BoundsOf are those that follow from a scenario and the probes, for a process count at a rate: what a span
// takes in Redis was measured with that count, at the least sustained rate from there on.
func BoundsOf(s scenarios.Scenario, points []Point, processes int, rate float64) Bounds {
	b := Bounds{MaxMemory: s.Pipeline.MaxMemory, Partitions: s.Topology.Partitions,
		KeySkew: s.Workload.KeySkew, PauseAfterSeconds: s.Pipeline.BackpressureAfter.Seconds(),
		FlushSegments: s.Pipeline.MaxFlushSegments, SegmentSpans: tracesOf(s).moment(1)}
	const draws = 1000
	for i := range draws {
		b.SpanBytes += float64(s.Workload.SpanBytes.At((float64(i)+0.5)/draws)) / draws
	}
	b.RedisPerSpan = redisPerByte * b.SpanBytes
	at := nearest(points, processes, rate, func(p *Probe) bool { return p.RedisPerSpan > 0 })
	if at != nil {
		b.RedisPerSpan, b.RedisFullest, b.Measured = at.RedisPerSpan, at.RedisFullest, true
	}
	for _, p := range points {
		for _, probe := range p.Probes {
			b.RedisMemory = max(b.RedisMemory, buffer.Bytes(probe.RedisBytesMax))
		}
	}
	return b
}

// Outlook is what happens when something is lost or fails, at the target with the recommended count.
type Outlook struct {
	Processes int     `json:"processes"`
	Rate      float64 `json:"rate"`
	// Unbounded is true if no rate was too high for that count: it may catch up sooner than Drains say.
	Unbounded bool `json:"unbounded,omitempty"`
	// Lost is what is carried with one process less.
	Lost Lost `json:"one_lost"`
	// Waiting is how many spans wait in the steady state, and RedisBytes what they take in all nodes.
	// They were counted at WaitingRate: at the target, or without a trial there at the least rate above it
	// that was sustained, at which no fewer wait; 0 if they were not counted.
	Waiting     float64 `json:"waiting"`
	WaitingRate float64 `json:"waiting_rate"`
	RedisBytes  float64 `json:"redis_bytes"`
	Bounds      Bounds  `json:"bounds"`
	// RedisFullSeconds is how long it takes until a node is full if nothing is flushed and all is read;
	// null if it has no known limit.
	RedisFullSeconds Number `json:"redis_full_seconds"`
	// Due is how many segments fall due in a second in the shard with most of them, and TakenAtOnce how
	// many of a shard a worker takes at a time. If it takes all it may, and can flush nothing, it is under
	// backpressure.
	Due         float64 `json:"due_per_second_and_shard"`
	TakenAtOnce int     `json:"taken_at_once"`
	// InputPausesSeconds is how soon the first input pauses if nothing is flushed: by backpressure, or
	// when Redis is full; null if neither is known to happen.
	InputPausesSeconds Number `json:"input_pauses_seconds"`
	// UnreadExpireSeconds is how long it takes, from when nothing is read any more, until the first
	// span expires unread, in the partition that most comes to; null if the topic has no known limit.
	// UnflushedExpireSeconds is the same from when nothing is flushed any more.
	UnreadExpireSeconds    Number `json:"unread_expire_seconds"`
	UnflushedExpireSeconds Number `json:"unflushed_expire_seconds"`
	// Drains are how long it takes to catch up with outages, by the spare capacity.
	Drains []Drain `json:"drains"`
	// Trials were made, those that are Untried could not be.
	Trials  []Trial   `json:"trials"`
	Untried []Untried `json:"untried,omitempty"`
}

// Untried is a trial that could not be made.
type Untried struct {
	// What would have happened, in words, and Why it could not be made, and what to do.
	What string `json:"what"`
	Why  string `json:"why"`
}

// Lost is what is carried with one process less.
type Lost struct {
	// Processes are left.
	Processes int `json:"processes"`
	// Sustained is what they carry, in spans per second; null if that was not measured, or none is
	// left.
	Sustained Number `json:"sustained"`
	// Target tells whether that is the target, without its headroom.
	Target bool `json:"target_carried"`
}

// Drain is how long it takes to catch up with an outage.
type Drain struct {
	OutageSeconds float64 `json:"outage_seconds"`
	// Backlog is how many spans wait at its end, Expired how many more have expired unread by then, which
	// are lost, in all partitions: those of hot ones expire sooner. Null if the topic has no known limit.
	Backlog float64 `json:"backlog"`
	Expired Number  `json:"expired"`
	// Seconds is how long they take; null if they never do, or if that is not known as no rate was too high.
	Seconds Number `json:"seconds"`
}

// Look adds the outlook for the recommended count, or nothing without one.
func (r *Report) Look(bounds Bounds, trials []Trial, untried ...Untried) {
	rec := r.Recommended
	if rec == nil {
		return
	}
	o := &Outlook{Processes: rec.Processes, Rate: r.Target, Bounds: bounds, Trials: trials, Untried: untried,
		Lost:             Lost{Processes: rec.Processes - 1, Sustained: Number(math.NaN())},
		RedisFullSeconds: Number(math.Inf(1)), UnreadExpireSeconds: Number(math.Inf(1))}
	count := r.Count(rec.Processes)
	o.Unbounded = count.Unbounded
	if c := r.Count(o.Lost.Processes); c.Processes > 0 {
		o.Lost.Sustained, o.Lost.Target = Number(c.Median), c.Median >= r.Target
	}
	o.Waiting, o.WaitingRate = r.waiting(rec.Processes, trials)
	o.RedisBytes = o.Waiting * bounds.RedisPerSpan
	if most := r.mostWaiting(rec.Processes); most != nil && !o.full() {
		of := *o
		of.Waiting, of.WaitingRate, of.RedisBytes = most.Waiting, most.Rate, most.Waiting*bounds.RedisPerSpan
		if of.full() {
			*o = of
		}
	}
	if bounds.RedisMemory > 0 {
		o.RedisFullSeconds = Number(max(0, o.room()) / (r.Target * bounds.RedisPerSpan * bounds.fullest()))
	}
	shares := load.PartitionShares(max(1, bounds.Partitions), bounds.KeySkew)
	for _, share := range shares {
		o.UnreadExpireSeconds = min(o.UnreadExpireSeconds, Number(bounds.expire(share*r.Target)))
	}
	o.pauses(slices.Max(shares))
	for _, outage := range []time.Duration{time.Minute, 10 * time.Minute, time.Hour} {
		lost := 0.0 // seconds of the load
		for _, share := range shares {
			lost += share * max(0, outage.Seconds()-bounds.expire(share*r.Target))
		}
		kept, expired := outage.Seconds()-lost, Number(r.Target*lost)
		if !finite(o.UnreadExpireSeconds) {
			expired = Number(math.NaN())
		}
		o.Drains = append(o.Drains, Drain{outage.Seconds(), r.Target * kept, expired,
			Number(drain(r.Target, count.Median, kept))})
	}
	r.Outlook = o
	if o.full() && o.WaitingRate <= r.need()*rounding {
		r.Recommended, r.Refused = nil, o.tooLittle()
	}
	r.say()
}

// expire is how long it takes until the first unread span expires in a partition to which so many come
// per second.
func (b Bounds) expire(rate float64) float64 {
	seconds := math.Inf(1)
	if b.RetentionSeconds > 0 {
		seconds = b.RetentionSeconds
	}
	if b.RetentionBytes > 0 {
		seconds = min(seconds, float64(b.RetentionBytes)/(rate*b.SpanBytes))
	}
	return seconds
}

// waiting is how many spans wait in the steady state at the target with a process count, before the fault
// of a trial; or without one, in the probe of the least rate above, and that rate. How many they are at
// another rate does not follow: those that wait for their time-out go by the rate, those of open traces by
// how many of these there are.
func (r *Report) waiting(processes int, trials []Trial) (waiting, rate float64) {
	for i := range trials {
		if t := &trials[i]; t.Processes == processes && t.Rate == r.Target && t.Waiting > 0 {
			return t.Waiting, t.Rate
		}
	}
	if at := nearest(r.Points, processes, r.Target, func(*Probe) bool { return true }); at != nil {
		return at.Waiting, at.Rate
	}
	return 0, 0
}

// rounding is how far a rate may be above another that is the same.
const rounding = 1 + 1e-9

// mostWaiting is the probe of a process count in which most waited, of those from the target up to that with its
// headroom, which is to be carried, too; nil if there is none.
func (r *Report) mostWaiting(processes int) (most *Probe) {
	for _, p := range r.Points {
		for i := range p.Probes {
			probe := &p.Probes[i]
			if p.Processes == processes && probe.Sustained && probe.Rate >= r.Target && probe.Rate <= r.need()*rounding &&
				(most == nil || probe.Waiting > most.Waiting) {
				most = probe
			}
		}
	}
	return most
}

// nearest is the probe of a process count with the least sustained rate from a rate on, of those that know
// something; the first of several, nil if there is none.
func nearest(points []Point, processes int, rate float64, knows func(*Probe) bool) (at *Probe) {
	for _, p := range points {
		for i := range p.Probes {
			probe := &p.Probes[i]
			if p.Processes == processes && probe.Sustained && probe.Rate >= rate && (at == nil || probe.Rate < at.Rate) &&
				knows(probe) {
				at = probe
			}
		}
	}
	return at
}

// duration writes seconds as people say them: 35 s, 11 min, 2 h 40 min, 3 days.
func duration(seconds float64) string {
	const minute, hour, day = 60, 3600, 86400
	switch {
	case seconds < 10:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 2*minute:
		return fmt.Sprintf("%.0f s", seconds)
	case seconds < 2*hour:
		return fmt.Sprintf("%.0f min", seconds/minute)
	case seconds < 2*day:
		minutes := int(math.Round(seconds / minute))
		if minutes%60 == 0 {
			return fmt.Sprintf("%d h", minutes/60)
		}
		return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
	}
	return fmt.Sprintf("%.1f days", seconds/day)
}

func finite(n Number) bool { return !math.IsInf(float64(n), 0) && !math.IsNaN(float64(n)) }

// words are the outlook in sentences.
func (o *Outlook) words() []string {
	var text []string
	switch {
	case o.Lost.Processes == 0:
		text = append(text, "With the only process lost, nothing is carried until it is replaced.")
	case !finite(o.Lost.Sustained):
		text = append(text, fmt.Sprintf("With one process lost: the rate of %s is not measured.",
			options.FormatCount(o.Lost.Processes, "process")))
	default:
		verb := map[bool]string{true: "is", false: "is not"}[o.Lost.Target]
		text = append(text, fmt.Sprintf("With one process lost, the target %s carried: %s sustained by the "+
			"other %s.", verb, grouped(float64(o.Lost.Sustained))+" spans/s are", processes(o.Lost.Processes)))
	}
	for i := range o.Trials {
		t := &o.Trials[i]
		how := fmt.Sprintf("it does not recover in %.0f s", t.WatchedSeconds)
		if t.Recovered() {
			how = fmt.Sprintf("as few spans wait as before %s later", t.recovery())
		}
		line := fmt.Sprintf("When %s at %s spans/s, %s; %s.", t.What, grouped(t.Rate), how, t.amplifiers())
		if t.Why != "" {
			line += " That violated " + t.Why + "."
		}
		text = append(text, line)
	}
	for _, u := range o.Untried {
		text = append(text, fmt.Sprintf("When %s: not tried. %s.", u.What, sentence(u.Why)))
	}
	return append(text, o.forecast()...)
}

// section shows the outlook.
func (o *Outlook) section() reports.Section {
	s := reports.Section{Heading: "When something fails", Text: o.words()}
	s.Table = &reports.Table{Columns: reports.Numbers("outage", "spans that wait then", "expired unread",
		"time to catch up")}
	for _, d := range o.Drains {
		expired := "not known"
		if finite(d.Expired) {
			expired = grouped(float64(d.Expired))
		}
		s.Table.Rows = append(s.Table.Rows, []string{duration(d.OutageSeconds), grouped(d.Backlog), expired, o.takes(d.Seconds)})
	}
	s.Notes = []string{"Time to catch up is what waits after an outage in which nothing is read, by what the processes " +
		"sustain beyond the target" + o.least() + ". What was tried above says how far to believe that. What has expired unread is lost."}
	for _, t := range o.Trials {
		if t.OutageSeconds > 0 && t.Recovered() && finite(t.PredictedSeconds) {
			s.Notes = append(s.Notes, fmt.Sprintf("By that, the outage of %s takes %s; it took %s.",
				duration(t.OutageSeconds), o.takes(t.PredictedSeconds), t.recovery()))
		}
	}
	return s
}

// takes is how long it takes to catch up, in words.
func (o *Outlook) takes(seconds Number) string {
	switch {
	case !finite(seconds) && o.Unbounded:
		return "not known"
	case !finite(seconds):
		return "never"
	case o.Unbounded:
		return duration(float64(seconds)) + " or less"
	}
	return duration(float64(seconds))
}

// least says that what the processes sustain is more than was tried, if it may be.
func (o *Outlook) least() string {
	if o.Unbounded {
		return ", as far as the search went (--most)"
	}
	return ""
}
