package ledger

import (
	"bytes"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/internal/load"
)

// identity says which span a written one is: its number and that of its trace's root. With an err,
// no such span was sent, which is a finding of that kind.
type identity struct {
	seq, root uint64
	due       time.Duration // to be sent
	err       error
	kind      Finding
}

// identify finds out which spans these are, and leaves the answers in l.known.
func (l *Ledger) identify(spans []member) {
	l.known = l.known[:0]
	for i := range spans {
		l.known = append(l.known, l.numberOf(spans[i].value))
	}
	l.in.Lock()
	defer l.in.Unlock()
	for i := range l.known {
		if l.known[i].err == nil {
			l.lookUp(&l.known[i])
		}
	}
}

// identifyOne is identify for one span.
func (l *Ledger) identifyOne(value []byte) identity {
	is := l.numberOf(value)
	if is.err == nil {
		l.in.Lock()
		defer l.in.Unlock()
		l.lookUp(&is)
	}
	return is
}

// numberOf reads the number of a written span, which may never have been sent.
func (l *Ledger) numberOf(value []byte) identity {
	text, ok := stringField(value, "span_id")
	if !ok {
		return identity{kind: Unknown, err: fmt.Errorf("%q has no span_id", clip(value))}
	}
	id, err := buffer.ParseSpanID(text)
	if err != nil {
		return identity{kind: Unknown, err: err}
	}
	return identity{seq: l.recipe.Seq(id)}
}

// lookUp completes an identity. in must be locked.
func (l *Ledger) lookUp(is *identity) {
	if l.sent.has(is.seq) {
		is.root, _ = l.roots.upTo(is.seq)
		is.due = l.due.of(is.seq)
		return
	}
	is.kind = Unknown
	is.err = fmt.Errorf("span %v was never sent", l.recipe.ID(is.seq))
	if after, bad := load.BadSpan(is.seq); bad && l.badSent.has(after) {
		is.kind = Leaked
		is.err = fmt.Errorf("the bad message after span %d came out as a span", after)
	}
}

// spanIn names the first span in a record that cannot be read.
func (l *Ledger) spanIn(value []byte) string {
	_, text, _ := bytes.Cut(value, []byte(`"span_id":"`))
	id, err := buffer.ParseSpanID(string(text[:min(len(text), 2*len(buffer.SpanID{}))]))
	if err != nil {
		return "unknown"
	}
	return fmt.Sprintf("span %d (%v)", l.recipe.Seq(id), id)
}

// firstSpan names the first span of a record.
func (l *Ledger) firstSpan() string {
	if first := l.known[0]; first.err == nil {
		return fmt.Sprintf("span %d", first.seq)
	}
	return "unknown"
}
