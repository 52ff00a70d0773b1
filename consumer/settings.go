package consumer

import (
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
)

// Settings are what a consumer and its workers are made with, as far as no world is concerned.
type Settings struct {
	// Options are those of the buffer; Ingest's own are these.
	Options buffer.Options
	Flusher flusher.Config
	Worker  flusher.WorkerConfig
	Ingest  ingest.Config
}

// Bounded returns the settings with every time that must be well inside of another one brought there:
// a worker that waits for a server must not be taken for one that hangs, and a shard's clock must not
// run far beyond what was read.
func (s Settings) Bounded() Settings {
	w, unhealthy := &s.Worker, s.Flusher.MaxUnhealthy
	w.BeatEvery = min(w.BeatEvery, unhealthy/4)
	w.IdleSleep = min(w.IdleSleep, unhealthy/4)
	w.RetryMax = min(w.RetryMax, unhealthy/4)
	w.RetryMin = min(w.RetryMin, w.RetryMax)
	w.UnseenMax = min(w.UnseenMax, s.Options.RootTimeout/4, s.Options.Timeout/4)
	// A worker that looked less often would take the time between two looks for one without input.
	w.IdleSleep = min(w.IdleSleep, w.UnseenMax/2)
	w.RestMax = min(w.RestMax, unhealthy/4, w.UnseenMax/4)
	w.DueEvery = s.Options.DueEvery()
	s.Ingest.Options = s.Options
	s.Ingest.UnseenMax = w.UnseenMax
	s.Ingest.TickEvery = min(s.Ingest.TickEvery, max(w.UnseenMax/4, tickMin))
	return s
}

// tickMin keeps time-outs of some milliseconds from keeping a core busy with ticks.
const tickMin = time.Millisecond

// AnswerMax is how long a worker waits for a server to answer: well inside of the time after which it
// would count as hung.
func (s Settings) AnswerMax() time.Duration {
	return min(10*time.Second, max(s.Flusher.MaxUnhealthy/4, 100*time.Millisecond))
}
