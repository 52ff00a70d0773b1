package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"sluice/buffer"
)

// DeadLetter enters a record of the dead-letter topic: a bad message, or a span, which counts as
// dropped. Each record must be entered once.
func (l *Ledger) DeadLetter(r Record) {
	l.out.Lock()
	defer l.out.Unlock()
	r.letter = true
	if at, ok := l.rightPlace(&r); !ok {
		l.found(Strayed, &r, "key %q belongs on partition %d", clip(r.Key), at)
	}
	if key, err := buffer.ParseTraceID(string(r.Key)); err == nil {
		if seq, ok := l.recipe.BadSeq(key); ok && l.wasBad(seq) {
			l.badLetter(r, seq)
			return
		}
	}
	l.spanLetter(r)
}

func (l *Ledger) wasBad(seq uint64) bool {
	l.in.Lock()
	defer l.in.Unlock()
	return l.badSent.has(seq)
}

// badLetter enters the bad message that followed a span. It must be what was sent, byte by byte.
func (l *Ledger) badLetter(r Record, seq uint64) {
	if !l.badLettered.set(seq) {
		l.found(RepeatedLetter, &r, "the bad message after span %d", seq)
	}
	root := l.rootOf(seq)
	l.sentBuffer = l.recipe.AppendBad(l.sentBuffer[:0], root, int(seq-root))
	if !bytes.Equal(r.Value, l.sentBuffer) {
		l.found(Altered, &r, "the bad message after span %d is %q, sent was %q", seq,
			clip(r.Value), clip(l.sentBuffer))
	} else if err := l.source(r, root); err != nil {
		l.found(Altered, &r, "the bad message after span %d: %v", seq, err)
	}
}

// spanLetter enters a span that no topic takes: as it was sent, or, if even the dead-letter topic
// did not take it, without its value. A worker says which span it is; the way in, which knows no
// spans in what it refuses, does not.
func (l *Ledger) spanLetter(r Record) {
	id, err := buffer.ParseSpanID(string(header(r.Headers, HeaderSpan)))
	named := err == nil
	var is identity
	if named && len(r.Value) == 0 {
		is.seq = l.recipe.Seq(id)
		l.in.Lock()
		l.lookUp(&is)
		l.in.Unlock()
	} else {
		is = l.identifyOne(r.Value)
	}
	if is.err != nil {
		l.found(is.kind, &r, "dead letter: %v", is.err)
		return
	}
	if !named {
		l.found(Refused, &r, "span %d: %s", is.seq, header(r.Headers, HeaderError))
	}
	l.sentBuffer = l.recipe.Append(l.sentBuffer[:0], is.root, int(is.seq-is.root))
	if len(r.Value) > 0 && !bytes.Equal(r.Value, l.sentBuffer) {
		l.found(Altered, &r, "dead letter of span %d is %s, sent was %s", is.seq, clip(r.Value),
			clip(l.sentBuffer))
	}
	if !l.drop(DeadLettered, is.seq) {
		l.found(RepeatedLetter, &r, "span %d", is.seq)
	}
}

// source checks that a dead letter says what is wrong with it and where it stood. Of the offset
// only its form is known.
func (l *Ledger) source(r Record, root uint64) error {
	var errs []error
	want := func(ok bool, key, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("header %s is %q, want %s", key, header(r.Headers, key), what))
		}
	}
	want(len(header(r.Headers, HeaderError)) > 0, HeaderError, "what is wrong")
	topic := string(header(r.Headers, HeaderTopic))
	want(topic != "" && (l.InputTopic == "" || topic == l.InputTopic), HeaderTopic,
		"the input topic "+l.InputTopic)
	partition := strconv.Itoa(int(l.recipe.Partition(root)))
	want(string(header(r.Headers, HeaderPartition)) == partition, HeaderPartition, partition)
	offset, err := decimal(r.Headers, HeaderOffset)
	want(err == nil && offset >= 0, HeaderOffset, "an offset")
	return errors.Join(errs...)
}

// rootOf returns the root of the trace of a span that was sent.
func (l *Ledger) rootOf(seq uint64) uint64 {
	l.in.Lock()
	defer l.in.Unlock()
	root, _ := l.roots.upTo(seq)
	return root
}
