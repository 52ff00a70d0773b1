package sim

import (
	"context"
	"math"
	"time"

	"sluice/buffer"
	"sluice/consumer/ingest"
	"sluice/flusher"
)

// watchedSource is a consumer's source, which sees what the consumer holds back: its gates say what is to
// pause, but what does pause is known here only. It stands below whatever is planted around the source.
type watchedSource struct {
	*member
	cfg   ingest.Config
	gates *inputContract
	// ending tells whether all may be held back, since the consumer ends; tell hears of what is not to be.
	ending func() bool
	tell   func(buffer.Shard)
	// since is from when on a partition was held back for no reason.
	since map[int32]time.Time
}

// watched returns the source of this life of a consumer.
func (c *consumer) watched(gates *inputContract, cfg ingest.Config) *watchedSource {
	return &watchedSource{member: c.member, cfg: cfg, gates: gates, since: map[int32]time.Time{},
		ending: func() bool { return c.asked },
		tell:   func(shard buffer.Shard) { c.setup.Sink.Withheld(c.Now(), c.index, shard) }}
}

// settledWithin is how long after a gate has opened its partition is read again at the latest.
const settledWithin = 500 * time.Millisecond

// Poll implements flusher.Source.
func (w *watchedSource) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	w.look()
	return w.member.Poll(ctx, limit, wait)
}

// look tells, once of each pause, what is held back for no reason. The loop sets all pauses right before it
// polls, so one that is over is not taken for one that lasts, even if the consumer froze in between.
func (w *watchedSource) look() {
	now := w.k.Now()
	for p := range w.owners {
		number := int32(p)
		since, is := w.since[number]
		switch {
		case !w.withheld(number):
			delete(w.since, number)
		case !is:
			w.since[number] = now
		case now.Sub(since) >= settledWithin:
			w.tell(buffer.Shard(number))
			w.since[number] = now.Add(math.MaxInt64)
		}
	}
}

// withheld tells whether a partition is paused for no reason.
func (w *watchedSource) withheld(p int32) bool {
	return w.paused[p] && w.owners[p] == w.member && !w.wanted[p] && !w.gone && !w.lost && !w.ending() &&
		!w.gates.exhausted && !w.gates.paused(buffer.Shard(p)) && !w.full(p)
}

// full tells whether as much of a partition may wait here as is allowed: what was read and is not committed
// is no less than that.
func (w *watchedSource) full(p int32) bool {
	log := &w.input[p]
	from, to := w.committed[p], min(w.next[p], log.end())
	if from < log.first || to-from >= int64(w.cfg.MaxBatch*w.cfg.BatchGrowth) {
		return true // or nobody knows, as what was deleted has no size
	}
	bytes := buffer.Bytes(0)
	for at := from; at < to; at++ {
		bytes += buffer.Bytes(len(log.log[at-log.first].Value))
	}
	return bytes >= w.cfg.BytesMax/buffer.Bytes(len(w.owners))
}
