package ledger

import (
	"bytes"

	"sluice/internal/load"
)

// plainly is the short way of comparing: it tells whether a span is, byte by byte, what was sent,
// with the two fields that a flusher sets written where a plain one writes them. Each takes the
// place of its old value; a new one comes after all others. A span that is written otherwise need
// not be wrong, but no wrong one passes.
func plainly(value, sent []byte, m load.Marks, flag, attribute []byte) bool {
	rest, ok := value, true
	eat := func(part []byte) {
		ok = ok && bytes.HasPrefix(rest, part)
		if ok {
			rest = rest[len(part):]
		}
	}
	from, end := 0, len(sent)-1
	if m.FlagTo > 0 {
		eat(sent[:m.FlagFrom])
		eat(flag)
		from = m.FlagTo
	}
	switch {
	case m.AttributesTo == 0:
		eat(sent[from:end])
		eat([]byte(`,"attributes":{`))
		eat(attribute)
		eat([]byte(`}`))
	case sent[m.AttributesFrom] == 'n': // null
		eat(sent[from:m.AttributesFrom])
		eat([]byte(`{`))
		eat(attribute)
		eat([]byte(`}`))
		eat(sent[m.AttributesTo:end])
	default:
		eat(sent[from : m.AttributesTo-1])
		eat([]byte(`,`))
		eat(attribute)
		eat(sent[m.AttributesTo-1 : end])
	}
	if m.FlagTo == 0 {
		eat([]byte(`,"is_segment":`))
		eat(flag)
	}
	eat([]byte(`}`))
	return ok && len(rest) == 0
}
