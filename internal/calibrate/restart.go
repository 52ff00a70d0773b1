package calibrate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/buffer"
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

// warming is what a broker computed in a run: so much for each of so many spans.
type warming struct {
	each  time.Duration
	spans int64
}

// warmUpOf is what a broker that had just been started computed in its first runs beside what it would
// have if it had been as warm as in the last.
func warmUpOf(runs []warming) (sum time.Duration) {
	for _, r := range runs {
		sum += max(0, r.each-runs[len(runs)-1].each) * time.Duration(r.spans)
	}
	return sum
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
	if err = r.answers(ctx); err != nil {
		return 0, 0, err
	}
	for _, traces := range h.batches {
		r.number++
		if _, err = r.store.Attach(ctx, buffer.Delivery{Clock: buffer.InstantOf(time.Now()),
			ID: buffer.DeliveryID{Partition: stepShard, Number: r.number}}, traces); err != nil {
			return 0, 0, err
		}
	}
	return r.Restart.RestartRedis(true)
}

// reconnectMax is how long clients may take to connect again.
const reconnectMax = 10 * time.Second

// answers returns when clients whose connection has ended are connected again.
func (r *rig) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reconnectMax)
	defer cancel()
	for {
		_, err := r.store.Memory(ctx)
		if err == nil || (wallclock.Clock{}).Sleep(ctx, 10*time.Millisecond) != nil {
			return err
		}
	}
}
