package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// mixedFaults are what the mixed run suffers, in turn.
var mixedFaults = []struct {
	text   string
	worker int
	last   float64
}{
	{"at random hang any worker for 4s", 1, 4},
	{"at random redis slow 20ms for 6s", NoWorker, 6},
	{"at random crash any worker", 2, 1.2},
	{"at random network cut pipeline redis for 2s", NoWorker, 2},
	{"at random kafka produce errors for 3s", NoWorker, 3},
	{"at random crash all workers", 3, 1.5},
}

// mixed is a run of five minutes with all there is: faults by the dozen, a second consumer for a
// while, a limit of Redis' memory, a consumer that is killed.
func mixed() ([]Event, []Sample) {
	r := rand.New(rand.NewPCG(1, 2))
	events := []Event{{T: -1, Kind: EventPhase, Worker: NoWorker, Text: "start"}}
	add := func(t float64, kind EventKind, consumer, worker int, state State, fault, text string) {
		events = append(events, Event{T: t, Kind: kind, Consumer: consumer, Worker: worker,
			State: state, Fault: fault, Text: text})
	}
	start := func(t float64, consumer int) {
		add(t, EventConsumer, consumer, NoWorker, StateStarting, "", "started")
		add(t+0.5, EventConsumer, consumer, NoWorker, StateHealthy, "", "")
		for w := range 4 {
			add(t, EventWorker, consumer, w, StateStarting, "", "")
			add(t+0.4, EventWorker, consumer, w, StateHealthy, "", "")
		}
	}
	start(-1, 0)
	start(100, 1)
	for w := range 4 {
		add(190, EventWorker, 1, w, StateStopped, "", "")
	}
	add(190, EventConsumer, 1, NoWorker, StateStopped, "", "left the group")
	at := 6.0
	for i := range 42 {
		f := mixedFaults[i%len(mixedFaults)]
		add(at, EventFaultBegin, 0, f.worker, "", f.text, fmt.Sprintf("step %d", i))
		if f.worker != NoWorker {
			add(at, EventWorker, 0, f.worker, []State{StateHung, StateDead}[i%2], "", f.text)
			add(at+f.last-0.5, EventWorker, 0, f.worker, StateRestarting, "", "proven stopped")
			add(at+f.last, EventWorker, 0, f.worker, StateHealthy, "", "")
			add(at+f.last-0.5, EventRestart, 0, f.worker, "", "", "hang: no beat for 2s")
		}
		add(at+f.last, EventFaultEnd, 0, f.worker, "", f.text, "")
		at += 1 + 11*r.Float64()
	}
	add(240, EventConsumer, 0, NoWorker, StateDead, "", "killed")
	add(241, EventConsumer, 0, NoWorker, StateRestarting, "", "started again")
	add(243, EventConsumer, 0, NoWorker, StateHealthy, "", "")
	add(300, EventPhase, 0, NoWorker, "", "", PhaseDrain)
	slices.SortStableFunc(events, func(a, b Event) int { return int(math.Copysign(1, a.T-b.T)) })
	return events, mixedSamples(r)
}

func mixedSamples(r *rand.Rand) []Sample {
	var samples []Sample
	var s Sample
	for i := range 3080 {
		t := float64(i) / 10
		slow := math.Sin(t/7) > 0.8 // the moments of trouble
		if t < 300 {
			s.Sent += int64(2500 + 800*math.Sin(t/20) + 60*r.Float64())
		}
		pace := int64(2900 + 900*r.Float64())
		if slow {
			pace /= 4
		}
		s.Flushed = min(s.Sent, s.Flushed+pace)
		s.T, s.WorkersLive, s.Paused = t, 4, 0
		s.Backlog = int64(400 + 200*r.Float64())
		s.FreshP50, s.FreshP90 = 0.05+0.02*r.Float64(), 0.12+0.05*r.Float64()
		if slow {
			s.Backlog, s.Paused = s.Backlog*9, 2
			s.FreshP50, s.FreshP90 = s.FreshP50*12, s.FreshP90*16
		}
		s.FreshP99 = s.FreshP90*1.6 + 0.1*r.Float64()
		if t > 120 && t < 128 { // a stall: nothing comes out
			s.FreshP50, s.FreshP90, s.FreshP99 = 0, 0, 0
		}
		s.RedisBytes, s.RedisBytesMax = 9e6+700*s.Buffered(), 48<<20
		if t > 200 && t < 204 { // Redis is down, nobody knows
			s.RedisBytes = 0
		}
		s.CPURedis += 0.02 + 0.01*r.Float64()
		s.CPUKafka += 0.06 + 0.03*r.Float64()
		s.CPUWorkers += 0.05 + 0.02*math.Sin(t/20)
		s.CPUConsumer += 0.025
		s.CPUHarness += 0.03 + 0.005*r.Float64()
		samples = append(samples, s)
	}
	return samples
}
