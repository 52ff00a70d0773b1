package consumer

import (
	"fmt"
	"time"

	"sluice/buffer"
)

// Loss is what a node of the store has lost, as far as can be told.
type Loss struct {
	Node string
	// Empty is true if the node knows nothing of this consumer: it was wiped, restarted without its
	// data, or set back to before the consumer started. Otherwise it is at a state that it had before:
	// most likely a replica took over that was behind.
	Empty bool
	// Since is the last moment of which the node knows: what was written after it is lost, and if the
	// node is empty, all that was.
	Since time.Time
	// Spans, at most, that this consumer has stored since, or, if the node is empty, that it has stored
	// and not flushed. In a cluster they are spread over all nodes. What was there before it started
	// comes on top if the node is empty; what it has flushed of that makes them seem fewer.
	Spans uint64
	// until is the last moment at which the node was well.
	until time.Time
}

// String returns the loss as one line.
func (l Loss) String() string {
	what := fmt.Sprintf("it is at the state of %s, as a replica that was behind when it took over",
		l.Since.UTC().Format("15:04:05.000"))
	if l.Empty {
		what = "it was wiped, or restarted without its data"
	}
	return fmt.Sprintf("redis %s has lost data: %s; up to %d spans that were read since then and not "+
		"flushed are lost", l.Node, what, l.Spans)
}

// pulses judges what nodes have counted of a consumer's beats. A node that counts no further than it
// did was set back. Nothing else shows that as surely: a restart or an outage alone loses nothing.
type pulses map[string]*track // by marker

// track is what is known of a marker.
type track struct {
	beats uint64
	last  []moment // of them, in order
}

// moment is when a beat was counted, and how many spans were stored and flushed by then. Flushed is 0
// where nobody can tell, since some were flushed twice.
type moment struct {
	at              time.Time
	stored, flushed uint64
}

// momentsMax is how many beats are remembered of each node: if it has lost more, it counts as if it
// knew of the oldest.
const momentsMax = 4096

// note takes an answer over, and returns what the node has lost, or nil. Its spans are those that were
// stored since; of an empty node no more than were stored and not flushed when it was last well.
func (p pulses) note(pulse buffer.Pulse, now moment) *Loss {
	t := p[pulse.Marker]
	if t == nil {
		t = &track{}
		p[pulse.Marker] = t
	}
	if pulse.Beats > t.beats {
		t.count(pulse.Beats, now)
		return nil
	}
	kept := pulse.Beats - 1 // it knew of these when it counted this one
	gone := min(t.beats-kept, uint64(len(t.last)))
	at := max(0, len(t.last)-1-int(gone))
	well := t.last[len(t.last)-1]
	loss := &Loss{
		Node: pulse.Node, Empty: kept == 0, Since: t.last[at].at,
		Spans: now.stored - t.last[at].stored, until: well.at,
	}
	if loss.Empty {
		loss.Spans = min(loss.Spans, now.stored-min(now.stored, well.flushed))
	}
	*t = track{}
	t.count(pulse.Beats, now)
	return loss
}

// count notes a beat. Several at once are some whose answers were lost.
func (t *track) count(beats uint64, now moment) {
	t.beats = beats
	t.last = append(t.last, now)
	if len(t.last) >= 2*momentsMax {
		t.last = append(t.last[:0], t.last[len(t.last)-momentsMax:]...)
	}
}
