package flusher

import "time"

// Health is the judgement of a worker at one moment.
type Health uint8

// What a worker can be.
const (
	// HealthStarting means that it has not reported a cycle yet, and still has time.
	HealthStarting Health = iota
	// HealthHealthy means that it gives signs of life.
	HealthHealthy
	// HealthUnstarted means that it took longer to start than it may.
	HealthUnstarted
	// HealthHung means that it has given no sign of life for longer than it may.
	HealthHung
	// HealthDead means that it has ended, or could not be started.
	HealthDead
	// HealthSuperseded means that another owner has kept some of its shards for too long.
	HealthSuperseded
)

var healthNames = [...]string{
	"starting", "healthy", "start too slow", "hung", "dead", "superseded",
}

// String returns the health's name, as it stands in logs.
func (h Health) String() string { return nameOf(healthNames[:], int(h)) }

// startFactor is how many times MaxUnhealthy a start may take.
const startFactor = 2

// Vitals are what a worker is judged by.
type Vitals struct {
	// Started is when the worker was started, Beat when its last report arrived (Started if there
	// was none).
	Started, Beat time.Time
	// Stage is the stage of that report, and Waits is true if it says that the worker waits for a
	// server before it can begin.
	Stage Stage
	Waits bool
	// Exited is true if the worker is proven stopped.
	Exited bool
}

// Judge returns the health of a worker at now: a pure function of what is known of it, asked on a
// timer, so that a worker that dies on an idle input is noticed all the same. Slow is not hung:
// any report counts, and a worker reports with each stage and each acknowledged record.
func Judge(v Vitals, now time.Time, maxUnhealthy time.Duration) Health {
	switch {
	case v.Exited:
		return HealthDead
	case v.Stage == StageStarting && now.Sub(v.Started) > startFactor*maxUnhealthy:
		return HealthUnstarted
	case v.Stage == StageStarting:
		return HealthStarting
	case now.Sub(v.Beat) > maxUnhealthy:
		return HealthHung
	}
	return HealthHealthy
}

// state is what a worker is that fails with this judgement.
func (h Health) state() State {
	if h == HealthHung || h == HealthUnstarted {
		return StateHung
	}
	return StateDead
}

// failure is why a worker is to be replaced. The zero value means that it is not.
type failure struct {
	health Health
	words  string
}

// watcher excuses workers for the time in which nobody could have heard of them. A supervisor that
// was itself frozen finds, when it wakes, only old beats, and must not kill everybody for it. Nor does
// the time count as one of the start in which a worker waits for a server: another would wait as well.
type watcher struct {
	looked  time.Time // when it last looked
	excused time.Time // nothing counts that was before
	waited  time.Time // the last beat that said that it waits for a server
}

// look returns the vitals as they are to be judged at now. The interval is that of the looks.
func (w *watcher) look(v Vitals, now time.Time, interval, maxUnhealthy time.Duration) Vitals {
	if gap := now.Sub(w.looked); gap > maxUnhealthy/2 && gap > 2*interval {
		w.excused = now
	}
	w.looked = now
	if v.Waits {
		w.waited = v.Beat
	}
	v.Beat = later(v.Beat, w.excused)
	v.Started = later(later(v.Started, w.excused), w.waited)
	return v
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
