package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sluice/flusher"
	"sluice/internal/options"
	"sluice/reports"
)

// pace is how spans still came out when drain_max ended the drain: a system that has more to do than
// it had time for is overloaded, and not stuck.
type pace struct {
	// from and to are the samples at both ends of the last part of the drain, looks those between.
	from, to reports.Sample
	looks    []Look
	// left is how many spans had still to come; what has an excuse has not.
	left int64
}

const (
	// paceShare is the last part of the drain that counts, and paceMin how long that is at least: what
	// is due by a clock of whole seconds comes out in batches.
	paceShare = 0.25
	paceMin   = 3
)

// moving returns the pace at which spans came out in the last part of a drain that drain_max ended; ok
// is false if none did, if nothing is left that could, or if something else is to blame.
func (e *Evidence) moving() (p pace, ok bool) {
	if e.Drained || e.HealErr != nil || !e.whole() {
		return pace{}, false
	}
	for _, l := range e.Looks {
		if l.Phase == reports.PhaseDrain {
			p.looks = append(p.looks, l)
		}
	}
	if len(p.looks) == 0 || e.Left.Hopeless() && !e.allOut() {
		return pace{}, false
	}
	end := p.looks[len(p.looks)-1].T
	begin := max(p.looks[0].T, end-max(paceShare*e.DrainSeconds, paceMin))
	p.looks = slices.DeleteFunc(p.looks, func(l Look) bool { return l.T < begin })
	if looked := reports.Between(e.Samples, begin, end); len(looked) > 0 {
		p.from, p.to = looked[0], looked[len(looked)-1]
	}
	p.left = e.missing()
	return p, p.to.Flushed > p.from.Flushed && p.to.T > p.from.T
}

// rate is how many spans came out per second.
func (p *pace) rate() float64 { return float64(p.to.Flushed-p.from.Flushed) / (p.to.T - p.from.T) }

// more is how many seconds longer it would have taken.
func (p *pace) more() float64 { return float64(p.left) / p.rate() }

// overloaded says what was still out, how fast it came, when it would have been done, and who held
// it up.
func (e *Evidence) overloaded(p pace) string {
	if e.allOut() {
		return fmt.Sprintf("%.1fs after the load not everything had come out, but some still did, in the last %.1fs at "+
			"%.0f/s, and the rest when the consumers were asked to stop. The limit was %s%s", e.DrainSeconds,
			p.to.T-p.from.T, p.rate(), e.limit(p), p.processors())
	}
	return fmt.Sprintf("%.1fs after the load %s had not come out, but some still did, in the last "+
		"%.1fs at %.0f/s; at that rate all would be out %.0fs after the load. The limit was %s%s",
		e.DrainSeconds, options.FormatCount(p.left, "span"), p.to.T-p.from.T, p.rate(), e.DrainSeconds+p.more(), e.limit(p),
		p.processors())
}

// limit names who held the drain up, as far as the run shows. The cores of the host are not known
// here.
func (e *Evidence) limit(p pace) string {
	busiest, saturated := Limiting(Uses(p.from, p.to, max(p.to.WorkersLive, 1), Host{}))
	switch {
	case e.Limited:
		return "the harness, not the system: " + e.Limit
	case saturated && busiest.Resource == RedisThread:
		whose := "one thread was"
		if n := p.to.RedisNodes; n > 1 {
			whose = fmt.Sprintf("%d threads were", n)
		}
		return fmt.Sprintf("Redis, whose %s busy for %.0f %% of the time", whose, 100*busiest.Share)
	case saturated && busiest.Resource == Network:
		return fmt.Sprintf("the network, which was in use for %.0f %% of the time", 100*busiest.Share)
	case saturated:
		return fmt.Sprintf("the processor time of the workers, each of which used %.0f %% of one core",
			100*busiest.Share)
	case p.to.Paused == 0 && 2*p.to.Backlog > p.left:
		return "the consumer, which still had to store " + options.FormatCount(p.to.Backlog, "message")
	}
	waits, share := p.waits()
	return fmt.Sprintf("the workers, which were %s in %.0f %% of the looks", waits, 100*share)
}

// waitsFor is what a worker waits for in a stage.
var waitsFor = map[flusher.Stage]string{
	flusher.StageLease: "waiting for Redis", flusher.StageClaim: "waiting for Redis",
	flusher.StageLoad: "waiting for Redis", flusher.StageAck: "waiting for Redis",
	flusher.StageRelease: "waiting for Redis", flusher.StageProduce: "encoding and producing",
	flusher.StageWait: "waiting for Kafka", flusher.StageIdle: "idle",
	flusher.StageStarting: "starting",
}

// waits returns what the workers did most of the time, and in which share of the looks.
func (p *pace) waits() (what string, share float64) {
	seen, all := map[string]int{}, 0
	for _, l := range p.looks {
		for _, c := range l.Consumers {
			for _, w := range c.States {
				what := cmp.Or(waitsFor[w.Status.Stage], "not running")
				if w.State != flusher.StateHealthy && w.State != flusher.StateBackpressure {
					what = w.State.String()
				}
				seen[what]++
				all++
			}
		}
	}
	what = "down"
	for name, n := range seen { //order-free: of two alike the first by name
		if n > seen[what] || n == seen[what] && name < what {
			what = name
		}
	}
	return what, float64(seen[what]) / float64(max(all, 1))
}

// processors says how much processor time each part used per second, where that is measured.
func (p *pace) processors() string {
	var parts []string
	for _, part := range []struct {
		name     string
		from, to float64
	}{
		{"Redis", p.from.CPURedis, p.to.CPURedis}, {"Kafka", p.from.CPUKafka, p.to.CPUKafka},
		{"workers", p.from.CPUWorkers, p.to.CPUWorkers},
		{"consumers", p.from.CPUConsumer, p.to.CPUConsumer},
		{"harness", p.from.CPUHarness, p.to.CPUHarness},
	} {
		if used := part.to - part.from; used > 0 {
			parts = append(parts, fmt.Sprintf("%s %.2f", part.name, used/(p.to.T-p.from.T)))
		}
	}
	return prefixed("; processor seconds per second: ", strings.Join(parts, ", "))
}
