package consumer

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/internal/options"
)

// Loss is what a node of the store has lost, as far as can be told.
type Loss struct {
	Node string
	// Possible is true if nothing shows that anything is lost: the node was restarted, or another has
	// taken its place, and knows of every beat. Between two beats something may be missing.
	Possible bool
	// Empty is true if the node knows nothing of this consumer: it was wiped, restarted without its
	// data, or set back to before the consumer started. Otherwise it is at a state that it had before:
	// most likely a replica took over that was behind.
	Empty bool
	// Since is the last moment of which the node knows for sure: what was written after it may be lost,
	// and if the node is empty, all that was.
	Since time.Time
	// Spans, at most: those that this consumer has stored since, or, if the node is empty, those that
	// the store held when they were last counted, and that this consumer has stored since that count
	// began. In a cluster they are spread over all nodes.
	Spans uint64
	// Uncounted is true if the node is empty and they were never counted: Spans are those that this
	// consumer has stored since it started, and what was there before comes on top.
	Uncounted bool
	// until is the last moment at which the node was well.
	until time.Time
}

// String returns the loss as one line.
func (l Loss) String() string {
	spans := options.FormatCount(l.Spans, "span")
	switch {
	case l.Possible:
		return fmt.Sprintf("redis %s was restarted, or another server has taken its place: lost is what it "+
			"had not yet written or replicated, up to %s, stored since %s", l.Node, spans,
			clockTime(l.Since))
	case !l.Empty:
		return fmt.Sprintf("redis %s has lost data: it is at the state of %s, as a replica that was behind "+
			"when it took over; lost are up to %s, of those read since then and not flushed", l.Node,
			clockTime(l.Since), spans)
	case l.Uncounted:
		return fmt.Sprintf("redis %s has lost data: it was wiped, or restarted without its data; lost are "+
			"up to %s, of those read since the start of the program and not flushed, and all that was there "+
			"before: it was not counted yet", l.Node, spans)
	}
	return fmt.Sprintf("redis %s has lost data: it was wiped, or restarted without its data; lost are "+
		"up to %s, of those that were there and not flushed", l.Node, spans)
}

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// pulses judges what nodes have counted of a consumer's beats. A node that counts no further than it
// did was set back. Nothing else shows that as surely: a restart or an outage alone loses nothing.
type pulses map[string]*track // by marker

// track is what is known of a marker.
type track struct {
	server string
	last   []moment // in order; older ones are further apart
	thinAt int      // so many are too many
}

// moment is that of a beat: what was stored by the time it was sent is on the node if the beat is.
type moment struct {
	beats  uint64
	at     time.Time
	stored uint64 // spans by this consumer
}

// momentsFine is how many beats of each node are remembered, each of them. Of one that is n beats old it
// is known to n/momentsFine beats: 15,000 of them in a year.
const momentsFine = 1024

// follow takes note of markers whose slots were moved to a node that is there already: that it is another
// server says nothing then. One that takes a node's place has no other marker.
func (p pulses) follow(answers []buffer.Pulse) {
	for _, pulse := range answers {
		t := p[pulse.Marker]
		if t == nil || t.server == pulse.Server {
			continue
		}
		for _, other := range answers {
			if o := p[other.Marker]; o != nil && o != t && other.Server == pulse.Server && o.server == pulse.Server {
				t.server = pulse.Server
			}
		}
	}
}

// note takes an answer over, to a beat that was sent when the moment says, and returns what the node has
// lost, or nil, when so many spans are stored. If the node is empty, these are its spans.
func (p pulses) note(pulse buffer.Pulse, sent moment, stored uint64) *Loss {
	t := p[pulse.Marker]
	if t == nil {
		t = &track{server: pulse.Server}
		p[pulse.Marker] = t
	}
	sent.beats = pulse.Beats
	restarted := t.server != pulse.Server
	t.server = pulse.Server
	if len(t.last) == 0 {
		t.last = []moment{sent}
		return nil
	}
	well := t.last[len(t.last)-1]
	if pulse.Beats > well.beats {
		t.count(sent)
		if !restarted {
			return nil
		}
		return &Loss{Node: pulse.Node, Possible: true, Since: well.at, Spans: stored - well.stored, until: well.at}
	}
	kept := pulse.Beats - 1 // it knew of these when it counted this one
	loss := &Loss{Node: pulse.Node, Empty: kept == 0, Since: t.last[0].at, Spans: stored, until: well.at}
	known, exact := slices.BinarySearchFunc(t.last, kept, func(m moment, kept uint64) int {
		return cmp.Compare(m.beats, kept)
	})
	if exact {
		known++
	}
	if known > 0 {
		from := t.last[known-1]
		loss.Since, loss.Spans = from.at, stored-from.stored
	}
	t.last = append(t.last[:known], sent)
	return loss
}

// count remembers a beat, and forgets some of the older ones from time to time.
func (t *track) count(m moment) {
	t.last = append(t.last, m)
	if len(t.last) < max(2*momentsFine, t.thinAt) {
		return
	}
	newest := m.beats
	kept := t.last[:1] // what was before the first is not known
	for _, old := range t.last[1:] {
		if before := kept[len(kept)-1]; (old.beats-before.beats)*momentsFine >= newest-before.beats {
			kept = append(kept, old)
		}
	}
	t.last, t.thinAt = kept, 2*len(kept)
}

// census counts what the store holds while it is swept.
type census struct {
	counting count  // the round that is under way
	last     *count // the last complete one; nil: there is none
	trusted  *count // the last one after whose end a beat found that nothing was lost
}

// count is what a round of the sweep met.
type count struct {
	stored uint64 // spans that this consumer had stored when it began
	spans  uint64 // that it met
}

// begin starts a round.
func (c *census) begin(stored uint64) { c.counting = count{stored: stored} }

// meet counts what was met. A trace may be met twice.
func (c *census) meet(held []buffer.Held) {
	for _, h := range held {
		c.counting.spans += uint64(h.Spans)
	}
}

// end completes the round.
func (c *census) end() { c.last = new(c.counting) }

// held returns how many spans the store held when it was last well, at most, and how many were stored
// since, if so many are stored now: those that a round met, and what was stored since that began. What was
// there all the round was met, but for what moved between the segments of a trace of thousands just then.
func (c *census) held(stored uint64) (spans uint64, known bool) {
	if c.trusted == nil {
		return 0, false
	}
	return c.trusted.spans + stored - c.trusted.stored, true
}
