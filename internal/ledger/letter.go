package ledger

import (
	"bytes"
	"errors"
	"fmt"

	"sluice/buffer"
)

// DeadLetter enters a record of the dead-letter topic: a bad message, or a span, which counts as
// dropped. Each record must be entered once. It returns the span, and the root of its trace; is is
// false if it is none.
func (l *Ledger) DeadLetter(r Record) (seq, root uint64, is bool) {
	l.out.Lock()
	defer l.out.Unlock()
	r.letter = true
	if at, ok := l.rightPlace(&r); !ok {
		l.found(Strayed, &r, "key %q belongs on partition %d", clip(r.Key), at)
	}
	if key, err := buffer.ParseTraceID(string(r.Key)); err == nil {
		if seq, ok := l.recipe.BadSeq(key); ok && l.wasBad(seq) {
			l.badLetter(r, seq)
			return 0, 0, false
		}
	}
	span := l.spanLetter(r)
	return span.seq, span.root, span.err == nil
}

func (l *Ledger) wasBad(seq uint64) bool {
	l.in.Lock()
	defer l.in.Unlock()
	return l.badSent.has(seq)
}

// badLetter enters the bad message that followed a span. It must be what was sent, byte by byte.
func (l *Ledger) badLetter(r Record, seq uint64) {
	root := l.rootOf(seq)
	if !l.badLettered.set(seq) {
		is := identity{seq: seq, root: root, due: l.Due(seq)}
		l.happened(RepeatedLetter, &r, is.due, is, "the bad message after span %d", seq)
	} else if l.badDeleted.has(seq) {
		l.badOpen--
	}
	l.sentBuffer = l.recipe.AppendBad(l.sentBuffer[:0], root, int(seq-root))
	err := errors.Join(
		whole(r.Headers, badHeaders, letterMay),
		l.value(&r),
		l.source(&r, root),
		l.stood(&r, seq, true),
		because(&r, l.recipe.BadField(seq)),
	)
	if err != nil {
		l.found(Altered, &r, "the bad message after span %d: %v", seq, err)
	}
}

// spanLetter enters a span that no topic takes: as it was sent, or, if even the dead-letter topic
// did not take it, without its value. A worker says which span it is; the way in, which knows no
// spans in what it refuses, does not.
func (l *Ledger) spanLetter(r Record) (is identity) {
	id, err := buffer.ParseSpanID(string(header(r.Headers, HeaderSpan)))
	named := err == nil
	if named {
		is.seq = l.recipe.Seq(id)
		l.in.Lock()
		l.lookUp(&is)
		l.in.Unlock()
	} else {
		is = l.identifyOne(r.Value)
	}
	if is.err != nil {
		l.found(is.kind, &r, "dead letter: %v", is.err)
		return is
	}
	l.sentBuffer = l.recipe.Append(l.sentBuffer[:0], is.root, int(is.seq-is.root))
	if err := l.refusable(&r, named); err != nil {
		l.found(Refused, &r, "span %d (%v): %v", is.seq, l.recipe.ID(is.seq), err)
	} else if err := l.named(&r, is); err != nil {
		l.found(Altered, &r, "dead letter of span %d: %v", is.seq, err)
	}
	if !l.drop(DeadLettered, is.seq) {
		kind := RepeatedLetter
		if l.sentTwice(is.seq) && l.resent.set(is.seq) {
			kind = Resent
		}
		l.happened(kind, &r, is.due, is, "dead letter of span %d", is.seq)
	}
	return is
}

// tooLarge is what a worker says of a span for which no record is large enough.
const tooLarge = "larger than the broker accepts"

// frameBytesMax is more than a record needs beside the bytes of its only span: headers, key, flush
// id, the two fields, and what Kafka counts around it.
const frameBytesMax = 1024

// refusable tells why the span in l.sentBuffer has no business among dead letters: only a worker
// sends it there, and only because no record would have taken it.
func (l *Ledger) refusable(r *Record, named bool) error {
	switch n := len(l.sentBuffer); {
	case !named:
		return fmt.Errorf("it was taken for a bad message: %q", clip(header(r.Headers, HeaderError)))
	case l.RecordBytesMax > 0 && n+frameBytesMax <= l.RecordBytesMax:
		return fmt.Errorf("its %d bytes fit into a record of %d; the reason is given as %q", n,
			l.RecordBytesMax, clip(header(r.Headers, HeaderError)))
	}
	return because(r, tooLarge)
}

// named checks the dead letter of a span, which is in l.sentBuffer.
func (l *Ledger) named(r *Record, is identity) error {
	var errs [4]error
	var in envelope
	in.readName(r.Headers, errs[:])
	if trace := l.recipe.Trace(is.root); in.trace != trace || string(r.Key) != trace.String() ||
		in.project != l.recipe.Project(is.root) {
		return fmt.Errorf("it is of trace %v, project %d, and says %v, project %d, with key %q", trace,
			l.recipe.Project(is.root), in.trace, in.project, clip(r.Key))
	}
	if p := l.recipe.Partition(is.root); in.generation.Partition != p {
		return fmt.Errorf("generation %v began on another partition than its own, %d", in.generation, p)
	}
	return errors.Join(errors.Join(errs[:]...), whole(r.Headers, spanHeaders, letterMay), l.value(r),
		l.source(r, is.root), l.stood(r, is.seq, false))
}

// value checks that a dead letter is, byte by byte, what was sent, which is in l.sentBuffer; or
// nothing, with the size of what was left out.
func (l *Ledger) value(r *Record) error {
	const left = HeaderValueBytes
	n, err := decimal(r.Headers, left)
	switch {
	case header(r.Headers, left) == nil && !bytes.Equal(r.Value, l.sentBuffer):
		return fmt.Errorf("it is %q, sent was %q", clip(r.Value), clip(l.sentBuffer))
	case header(r.Headers, left) == nil:
		return nil
	case err != nil || len(r.Value) > 0 || n != int64(len(l.sentBuffer)):
		return fmt.Errorf("of %d bytes %d are there, %s is %q", len(l.sentBuffer), len(r.Value), left,
			header(r.Headers, left))
	case l.LetterBytesMax > 0 && n+frameBytesMax <= int64(l.LetterBytesMax):
		return fmt.Errorf("its %d bytes were left out, though %d are taken", n, l.LetterBytesMax)
	}
	return nil
}

// because checks that a dead letter says why it is one, in words that name this.
func because(r *Record, cause string) error {
	if text := header(r.Headers, HeaderError); len(text) == 0 || !bytes.Contains(text, []byte(cause)) {
		return fmt.Errorf("header %s is %q, want what is wrong: %q", HeaderError, clip(text), cause)
	}
	return nil
}

// source checks that a dead letter says where it was read.
func (l *Ledger) source(r *Record, root uint64) error {
	topic := string(header(r.Headers, HeaderTopic))
	if topic == "" || l.InputTopic != "" && topic != l.InputTopic {
		return fmt.Errorf("header %s is %q, want the input topic %s", HeaderTopic, topic, l.InputTopic)
	}
	partition, err := decimal(r.Headers, HeaderPartition)
	if want := l.recipe.Partition(root); err != nil || partition != int64(want) {
		return fmt.Errorf("header %s is %q, want %d", HeaderPartition,
			header(r.Headers, HeaderPartition), want)
	}
	return nil
}

// Placed says at which offset of its partition a message stands: a bad one, or a span. It need not
// be called for all, nor before a message comes out; a dead letter of one that it was not called
// for is believed.
func (l *Ledger) Placed(seq uint64, bad bool, offset int64) {
	l.out.Lock()
	defer l.out.Unlock()
	name := placed{seq, bad}
	if said, ok := l.offsets[name]; ok && said.offset != offset && said.by.letter {
		l.misplaced(&said.by, name, said.offset, offset)
	}
	l.offsets[name] = place{offset: offset}
}

// placed names a message: a span, or the bad one that follows it.
type placed struct {
	seq uint64
	bad bool
}

// place is an offset, and the dead letter that says so, if it is not known otherwise.
type place struct {
	offset int64
	by     Record
}

// stood checks the offset that a dead letter says it was read at, now or as soon as that is known.
func (l *Ledger) stood(r *Record, seq uint64, bad bool) error {
	offset, err := decimal(r.Headers, HeaderOffset)
	if err != nil || offset < 0 {
		return fmt.Errorf("header %s is %q, want an offset", HeaderOffset,
			header(r.Headers, HeaderOffset))
	}
	name := placed{seq, bad}
	known, ok := l.offsets[name]
	switch {
	case !ok:
		l.offsets[name] = place{offset, Record{Partition: r.Partition, Offset: r.Offset, letter: true}}
	case known.offset != offset && (bad || !l.sentTwice(seq)):
		l.misplaced(r, name, offset, known.offset)
	}
	return nil
}

func (l *Ledger) misplaced(r *Record, name placed, says, is int64) {
	what := "span"
	if name.bad {
		what = "the bad message after span"
	}
	at := buffer.Position{Partition: l.recipe.Partition(l.rootOf(name.seq)), Offset: is}
	l.found(Altered, r, "%s %d was read at %v, and stands at %v", what, name.seq,
		buffer.Position{Partition: at.Partition, Offset: says}, at)
}

// rootOf returns the root of the trace of a span that was sent.
func (l *Ledger) rootOf(seq uint64) uint64 {
	l.in.Lock()
	defer l.in.Unlock()
	root, _ := l.roots.upTo(seq)
	return root
}
