package load

import (
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"time"

	"sluice/buffer"
	"sluice/scenarios"
)

// Message is one message of the input topic.
type Message struct {
	// Seq is the number of the span, Root that of the first span of its trace. Those of a bad
	// message are those of the span that it follows.
	Seq, Root uint64
	// Bad is true if the message is not a span.
	Bad bool
	// Repeat is true if the span was sent before, Late if it was held back.
	Repeat, Late bool
	// Skewed is true if the timestamp is wrong: by Skew, or 0 or -1 if Timeless.
	Skewed, Timeless bool
	Skew             time.Duration
	// At is when the message is due, since the start of the load.
	At time.Duration
	// Partition to send it to.
	Partition int32
	// Key is the trace id in hex, Value the span; those of a bad message are BadKey and AppendBad.
	// They stay valid, and must not be changed. Behind the value's end stands what [Beside] reads.
	Key, Value []byte
}

// Generator yields the messages of a run in the order in which they are due.
type Generator struct {
	*Recipe
	pacer scenarios.Pacer
	total int64 // spans by the pacer; what is open then is sent to its end

	choose, shuffle, delay, repeat *rand.Rand

	open  []openTrace
	bad   held   // the span that a bad message follows, if any
	isBad bool   // there is one
	next  uint64 // the number of the next trace's root
	late  queue  // spans held back, until a time
	again queue  // spans to repeat, until a count of messages
	sent  int64  // messages so far, apart from bad ones
	// paced counts what was sent at its time by the pacer, and what was held back then. What was held
	// back comes later beside that, so that it does not draw others in its place, to be held back.
	paced   int64
	at      time.Duration
	segment [2]pacePoint
	arena   []byte
	spare   []*Writer // of traces that are done
	closed  Writer    // of what comes late, or again, when its trace is done
}

// openTrace is a trace of which not all spans were sent.
type openTrace struct {
	root uint64
	// writer is that of the trace's messages, partition where they are sent.
	writer    *Writer
	partition int32
	order     []int32 // of places in the trace; nil: as they are
	size      int     // of the order
	done      int     // in the order
}

type held struct {
	root      uint64
	index     int
	partition int32
	writer    *Writer // of the trace, as long as it is open; of another one afterwards
	due       time.Duration
	dueNumber int64
	late      bool
}

// pacePoint is a point of the pacer's curve.
type pacePoint struct {
	message int64
	at      time.Duration
}

// paceStep is how many messages lie between two exact points of the curve. Times between them are
// on a straight line if the points are at most straightMax apart, which is as fine as a sender is.
const (
	paceStep    = 64
	straightMax = 5 * time.Millisecond
)

// NewGenerator returns the generator of a scenario's load.
func NewGenerator(s scenarios.Scenario) *Generator {
	pacer := s.Pacer()
	return &Generator{
		Recipe:  NewRecipe(s.Workload, s.Topology.Partitions, s.Seed),
		pacer:   pacer,
		total:   pacer.Total(),
		choose:  scenarios.Stream(s.Seed, "interleave"),
		shuffle: scenarios.Stream(s.Seed, "disorder"),
		delay:   scenarios.Stream(s.Seed, "late"),
		repeat:  scenarios.Stream(s.Seed, "duplicates"),
		open:    make([]openTrace, 0, s.Workload.TracesAtOnce),
	}
}

// Redraw has chance drawn from another seed from now on: which trace is next, in which order its spans
// come, what is late and what comes twice. What the spans are stays as it was.
func (g *Generator) Redraw(seed uint64) {
	g.choose, g.shuffle = scenarios.Stream(seed, "interleave"), scenarios.Stream(seed, "disorder")
	g.delay, g.repeat = scenarios.Stream(seed, "late"), scenarios.Stream(seed, "duplicates")
}

// Pacer returns the load shape.
func (g *Generator) Pacer() scenarios.Pacer { return g.pacer }

// Next fills in the next message, or returns false after the last. Messages come in the order in
// which they are due. Bad messages come beside the rate, with the span that they follow.
func (g *Generator) Next(m *Message) bool {
	if g.isBad {
		g.isBad = false
		*m = Message{
			Seq: g.bad.root + uint64(g.bad.index), Root: g.bad.root, Bad: true, At: g.at,
			Partition: g.bad.partition,
		}
		g.write(m, &g.bad)
		return true
	}
	var span held
	at, isRepeat, ok := g.pick(&span)
	if !ok {
		return false
	}
	g.at = max(at, g.at)
	g.sent++
	*m = Message{
		Seq: span.root + uint64(span.index), Root: span.root, Repeat: isRepeat, Late: span.late, At: g.at,
		Partition: span.partition,
	}
	g.write(m, &span)
	if !isRepeat && g.BadAfter(m.Seq) {
		g.bad, g.isBad = span, true
	}
	if share := g.work.Duplicates; share > 0 && !isRepeat && g.repeat.Float64() < share {
		span.dueNumber = g.sent + g.repeat.Int64N(scenarios.RepeatWithin) + 1
		g.again.push(span)
	}
	return true
}

// pick fills in the span that is next, and returns when it is.
func (g *Generator) pick(span *held) (at time.Duration, isRepeat, ok bool) {
	for {
		at = g.due(g.paced + 1)
		if first := g.again.peek(); first != nil && first.dueNumber <= g.sent {
			g.paced++
			return at, true, g.again.pop(span)
		}
		if first := g.late.peek(); first != nil && first.due <= at {
			return first.due, false, g.late.pop(span)
		}
		if !g.advance(span) {
			return g.rest(at, span)
		}
		g.paced++
		if share := g.work.Late.Share; share == 0 || g.delay.Float64() >= share {
			return at, false, true
		}
		span.due, span.late = at+g.work.Late.By, true
		g.late.push(*span)
	}
}

// rest fills in what was held back, when there is nothing else.
func (g *Generator) rest(at time.Duration, span *held) (due time.Duration, isRepeat, ok bool) {
	if g.late.pop(span) {
		return span.due, false, true
	}
	g.paced++
	return at, true, g.again.pop(span)
}

// advance takes the next span of a random open trace; a finished one makes room for a new one.
func (g *Generator) advance(span *held) bool {
	opening := g.paced < g.total
	if !opening && len(g.open) == 0 {
		return false
	}
	places := len(g.open)
	if opening {
		places = cap(g.open)
	}
	at := g.choose.IntN(places)
	if at >= len(g.open) {
		at = len(g.open)
		g.open = append(g.open, g.newTrace())
	}
	trace := &g.open[at]
	index := trace.done
	if trace.order != nil {
		index = int(trace.order[index])
	}
	*span = held{root: trace.root, index: index, partition: trace.partition, writer: trace.writer}
	trace.done++
	if trace.done == trace.size {
		g.spare = append(g.spare, trace.writer)
		last := len(g.open) - 1
		g.open[at] = g.open[last]
		g.open = g.open[:last]
	}
	return true
}

func (g *Generator) newTrace() openTrace {
	trace := openTrace{root: g.next, size: g.Size(g.next), partition: g.Partition(g.next)}
	if last := len(g.spare) - 1; last >= 0 {
		trace.writer, g.spare = g.spare[last], g.spare[:last]
	} else {
		trace.writer = &Writer{}
	}
	trace.writer.Begin(g.Recipe, trace.root)
	g.next += uint64(trace.size)
	if share := g.work.Disorder; share > 0 && g.shuffle.Float64() < share {
		trace.order = make([]int32, trace.size)
		for i, n := range g.shuffle.Perm(trace.size) {
			trace.order[i] = int32(n)
		}
	}
	if g.Headless(trace.root) {
		trace.leaveOutRoot()
	}
	return trace
}

// leaveOutRoot takes the root out of the order.
func (t *openTrace) leaveOutRoot() {
	if t.order == nil {
		t.done = 1
		return
	}
	t.order = slices.DeleteFunc(t.order, func(place int32) bool { return place == 0 })
	t.size = len(t.order)
}

// due returns when the message of that number, from 1, is due.
func (g *Generator) due(n int64) time.Duration {
	if n > g.total {
		return g.pacer.Beyond(n - g.total)
	}
	from, to := &g.segment[0], &g.segment[1]
	if n > to.message {
		*from = *to
		to.message = min(n-1+paceStep, g.total)
		to.at = g.pacer.Near(from.at, to.message)
	}
	if to.at-from.at > straightMax {
		return g.pacer.Near(g.at, n)
	}
	part := float64(n-from.message) / float64(to.message-from.message)
	return from.at + time.Duration(part*float64(to.at-from.at))
}

// arenaBytes is how much memory is taken at a time for messages.
const arenaBytes = 1 << 18

// traceDigits is the length of a message's key.
const traceDigits = 2 * len(buffer.TraceID{})

// write fills in key and value of a span's message, or of the bad one that follows it.
func (g *Generator) write(m *Message, span *held) {
	most := traceDigits + g.bytes(span.root+uint64(span.index)) + spanSlack + besideSize
	if cap(g.arena)-len(g.arena) < most {
		g.arena = make([]byte, 0, max(arenaBytes, most))
	}
	if m.Skewed = g.Skewed(span.root); m.Skewed {
		m.Skew, m.Timeless = g.skew(m.Seq, span.root)
	}
	if m.Bad {
		key := g.BadKey(m.Seq)
		m.Key = g.cut(hex.AppendEncode(g.arena, key[:]))
		m.Value = g.cut(g.AppendBad(g.arena, span.root, span.index))
		return
	}
	if !span.writer.Of(span.root) { // the trace is no longer open
		g.closed.Begin(g.Recipe, span.root)
		span.writer = &g.closed
	}
	w := span.writer
	if w.keyText == nil {
		w.keyText = g.cut(append(g.arena, w.digits()...))
	}
	start := len(g.arena)
	var marks Marks
	g.arena, marks = w.AppendMarked(g.arena, span.index)
	end := len(g.arena)
	g.arena = w.appendBeside(g.arena, span.index, end-start, marks)
	m.Key, m.Value = w.keyText, g.arena[start:end:len(g.arena)]
}

// cut makes longer memory the arena, and returns what it is longer by.
func (g *Generator) cut(longer []byte) []byte {
	from := len(g.arena)
	g.arena = longer
	return longer[from:len(longer):len(longer)]
}

// spanSlack is more than the fields of a message take, that of a span or a bad one.
const spanSlack = 1024
