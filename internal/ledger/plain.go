package ledger

import (
	"bytes"
	"strconv"

	"sluice/buffer"
	"sluice/internal/load"
)

// readPlainly is the short way of reading the spans of a record, an array: it takes one after the other
// off its front, as long as each is plainly what was sent. It leaves them in l.spans and their
// identities in l.known, as the long way would, and tells whether that was all of the array.
func (l *Ledger) readPlainly(array []byte, in *envelope) bool {
	l.spans, l.known = l.spans[:0], l.known[:0]
	var digits [20]byte
	at := idOffset + len(strconv.AppendInt(digits[:0], int64(in.project), 10))
	rest, ok := bytes.CutPrefix(array, []byte("["))
	for ok {
		is, sent := l.idAt(rest, at)
		if !sent {
			return false
		}
		text, marks, flag := l.sentText(in, is.seq, is.root)
		behind, plain := plainly(rest, text, marks, flag, in.attribute)
		if !plain {
			return false
		}
		l.spans = append(l.spans, member{value: rest[:len(rest)-len(behind)]})
		l.known = append(l.known, is)
		if string(behind) == "]" {
			return true
		}
		rest, ok = bytes.CutPrefix(behind, []byte(","))
	}
	return false
}

// idOffset is where in a span its id stands, but for the digits of the project.
const idOffset = len(`{"organization_id":1,"project_id":`) + len(`,"trace_id":"`) +
	2*len(buffer.TraceID{}) + len(`","span_id":"`)

// idAt identifies the span that stands at the front of a text by the digits at an index of it.
func (l *Ledger) idAt(text []byte, at int) (is identity, sent bool) {
	var id buffer.SpanID
	end := at + 2*len(id)
	if len(text) < end {
		return is, false
	}
	if !buffer.DecodeHex(id[:], text[at:end]) {
		return is, false
	}
	is.seq = l.recipe.Seq(id)
	l.in.Lock()
	defer l.in.Unlock()
	if !l.sent.has(is.seq) {
		return is, false
	}
	l.lookUp(&is)
	return is, true
}

// plainly is the short way of comparing: it tells whether a text begins with a span that is, byte by
// byte, what was sent, with the two fields that a flusher sets written where a plain one writes them,
// and returns what stands behind it. Each field takes the place of its old value; a new one comes
// after all others. A span that is written otherwise need not be wrong, but no wrong one passes.
func plainly(text, sent []byte, m load.Marks, flag string, attribute []byte) ([]byte, bool) {
	e := eater{rest: text}
	from, end := 0, len(sent)-1
	if m.FlagTo > 0 {
		e.eat(sent[:m.FlagFrom])
		e.eatText(flag)
		from = m.FlagTo
	}
	switch {
	case m.AttributesTo == 0:
		e.eat(sent[from:end])
		e.eatText(`,"attributes":{`)
		e.eat(attribute)
		e.eatText(`}`)
	case sent[m.AttributesFrom] == 'n': // null
		e.eat(sent[from:m.AttributesFrom])
		e.eatText(`{`)
		e.eat(attribute)
		e.eatText(`}`)
		e.eat(sent[m.AttributesTo:end])
	default:
		e.eat(sent[from : m.AttributesTo-1])
		e.eatText(`,`)
		e.eat(attribute)
		e.eat(sent[m.AttributesTo-1 : end])
	}
	if m.FlagTo == 0 {
		e.eatText(`,"is_segment":`)
		e.eatText(flag)
	}
	e.eatText(`}`)
	return e.rest, !e.failed
}

// eater takes what is expected off the front of a text.
type eater struct {
	rest   []byte
	failed bool
}

func (e *eater) eat(part []byte) {
	if len(e.rest) >= len(part) && string(e.rest[:len(part)]) == string(part) {
		e.rest = e.rest[len(part):]
		return
	}
	e.failed = true
}

func (e *eater) eatText(part string) {
	if len(e.rest) >= len(part) && string(e.rest[:len(part)]) == part {
		e.rest = e.rest[len(part):]
		return
	}
	e.failed = true
}
