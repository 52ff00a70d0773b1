package calibrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/internal/judge"
	"sluice/internal/wallclock"
	"sluice/sim"
)

// Restarter stops servers and starts them again.
type Restarter interface {
	// RestartRedis asks Redis to end, with its data saved first or forgotten, and starts it again. It
	// returns how long it took to end, and until it answered.
	RestartRedis(keepData bool) (stopped, started time.Duration, err error)
	// RestartKafka is the same with the broker, which keeps its data.
	RestartKafka() (stopped, started time.Duration, err error)
}

// restartCosts are those that restarts tell.
var restartCosts = []string{"redis.stop", "redis.save_trace", "redis.save_kb", "redis.start",
	"redis.load_trace", "redis.load_kb", "kafka.stop", "kafka.start", warmUpCost}

const warmUpCost = "kafka.warm_up"

// warming is a run of a broker that is not warm yet: what it computed, and would have if it were.
type warming struct{ took, warm time.Duration }

// warmUpOf is what a broker that had just been started computed in its first runs beside what it would
// have if it had been warm, 0 if that is nothing.
func warmUpOf(runs []warming) (sum time.Duration) {
	for _, r := range runs {
		sum += r.took - r.warm
	}
	return max(0, sum)
}

// warmth finds what a broker that was just started computes until it is warm, by the runs with which it
// became so, and the costs that were found since.
func (r *rig) warmth(ctx context.Context, costs sim.Costs, c *collection) error {
	switch {
	case r.Restart == nil:
		return nil // said of all that restarts tell
	case r.RunReal == nil:
		c.not("nothing was run to warm the broker up", warmUpCost)
		return nil
	}
	var loads []atOnce
	for _, first := range r.first {
		if first.took == 0 {
			c.not("it is not seen what the broker computes", warmUpCost)
			return nil
		}
		loads = append(loads, atOnce{first.rate, togetherWorkers})
	}
	r.tell("the first loads in the virtual world")
	warm, err := virtually(ctx, &costs, loads)
	if err != nil {
		return fmt.Errorf("with a broker that is warm: %w", err)
	}
	var runs []warming
	for i, first := range r.first {
		runs = append(runs, warming{first.took, brokerTime(warm[i].Outcome)})
	}
	c.add(warmUpCost, warmUpOf(runs))
	return nil
}

// firstRun is one with which the servers were warmed up: the load's rate, and what the broker computed.
type firstRun struct {
	rate float64
	took time.Duration
}

func brokerTime(o *judge.Outcome) time.Duration {
	seconds := o.Samples[len(o.Samples)-1].CPUKafka - o.Samples[0].CPUKafka
	return time.Duration(seconds * float64(time.Second))
}

// stored are the shapes that Redis is restarted with: more traces, and more bytes, than spans tell apart
// what each takes.
func stored() []shape {
	return slices.DeleteFunc(shapes(), func(s shape) bool { return s.batch < 1000 || s.late > 0 })
}

// storedTimes is how many times as many spans are stored as go through a stage: to save takes a tenth of
// a second then, and not a few milliseconds.
const storedTimes = 3

// hoard is what is stored in Redis.
type hoard struct {
	batches [][]buffer.TraceBatch
	traces  int
	kb      int // of memory
}

// hoard makes batches of a shape.
func (r *rig) hoard(s shape, spans int) (*hoard, error) {
	r.seed++
	_, messages := s.messages(spans, r.seed)
	h, bytes, seen := &hoard{}, 0, map[buffer.TraceKey]bool{}
	var all []buffer.Span
	for i := range messages {
		decoded, err := r.codec.Decode(messages[i].Value)
		if err != nil {
			return nil, err
		}
		decoded.Position = buffer.Position{Partition: stepShard, Offset: int64(i)}
		all = append(all, decoded.Span)
		bytes += decoded.Size
		seen[decoded.TraceKey] = true
	}
	for batch := range slices.Chunk(all, s.batch) {
		traces, _ := buffer.Group(batch)
		h.batches = append(h.batches, traces)
	}
	h.traces, h.kb = len(seen), (bytes+len(all)*int(sim.DefaultCosts().Redis.Overhead))/1000
	return h, nil
}

// restarts measures what it takes to end and start servers that were started for this. Nothing is left
// in Redis then.
func (r *rig) restarts(ctx context.Context, c *collection) error {
	if r.Restart == nil {
		c.not("servers that others may use are not restarted", restartCosts...)
		return nil
	}
	var hoards []*hoard
	for _, s := range stored() {
		h, err := r.hoard(s, storedTimes*int(float64(r.Spans)*s.share))
		if err != nil {
			return err
		}
		hoards = append(hoards, h)
	}
	for n := range r.Repeats {
		r.tell("restarts of Redis, %d of %d", n+1, r.Repeats)
		var stops, starts []equation
		for _, h := range append([]*hoard{{}}, hoards...) {
			stopped, started, err := r.restartWith(ctx, h)
			if err != nil {
				return fmt.Errorf("restart redis: %w", err)
			}
			stops = append(stops, says(stopped, 1, h.traces, h.kb))
			starts = append(starts, says(started, 1, h.traces, h.kb))
		}
		for _, s := range []system{{"redis", []string{"stop", "save_trace", "save_kb"}, stops},
			{"redis", []string{"start", "load_trace", "load_kb"}, starts}} {
			if err := s.solve(c); err != nil {
				return err
			}
		}
	}
	r.tell("restart of Kafka")
	stopped, started, err := r.Restart.RestartKafka()
	if err != nil {
		return fmt.Errorf("restart kafka: %w", err)
	}
	c.add("kafka.stop", stopped)
	c.add("kafka.start", started)
	return nil
}

// restartWith restarts a Redis that has nothing but a hoard, and has it forget that.
func (r *rig) restartWith(ctx context.Context, h *hoard) (stopped, started time.Duration, err error) {
	if _, _, err = r.Restart.RestartRedis(false); err != nil {
		return 0, 0, err
	}
	for _, traces := range h.batches {
		r.number++
		if err = r.attach(ctx, traces); err != nil {
			return 0, 0, err
		}
	}
	return r.Restart.RestartRedis(true)
}

// reconnectMax is how long clients may take to connect again.
const reconnectMax = 10 * time.Second

// attach stores a batch, also by a client that hears only now that its connection has ended.
func (r *rig) attach(ctx context.Context, traces []buffer.TraceBatch) error {
	ctx, cancel := context.WithTimeout(ctx, reconnectMax)
	defer cancel()
	for {
		_, err := r.store.Attach(ctx, buffer.Delivery{Clock: buffer.InstantOf(time.Now()),
			ID: buffer.DeliveryID{Partition: stepShard, Number: r.number}}, traces)
		if err == nil || !buffer.Retryable(err) ||
			(wallclock.Clock{}).Sleep(ctx, 10*time.Millisecond) != nil {
			return err
		}
	}
}
