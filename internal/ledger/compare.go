package ledger

import (
	"bytes"
	"fmt"

	"sluice/internal/load"
)

// segmentAttribute is the attribute that names a span's segment.
const segmentAttribute = "sentry.segment.id"

// compare checks a span that came out against the one that was sent: the same fields in the same
// order and the same bytes, but for is_segment and the segment attribute, which must be right.
func (l *Ledger) compare(value []byte, in *envelope, seq, root uint64) error {
	text, marks, flag := l.sentText(in, seq, root)
	if behind, plain := plainly(value, text, marks, flag, in.attribute); plain && len(behind) == 0 {
		return nil
	}
	return l.compareFields(value, flag, in)
}

// sentText makes a span again as it was sent, and says how its flag must be written when it comes out.
func (l *Ledger) sentText(in *envelope, seq, root uint64) ([]byte, load.Marks, string) {
	var marks load.Marks
	if !l.writer.Of(root) {
		l.writer.Begin(l.recipe, root)
	}
	l.sentBuffer, marks = l.writer.AppendMarked(l.sentBuffer[:0], int(seq-root))
	flag := "false"
	if seq == root || l.recipe.ID(seq) == in.segment {
		flag = "true"
	}
	return l.sentBuffer, marks, flag
}

// compareFields is the long way of comparing, which takes the two fields wherever they stand among
// the others and however the others are laid out, as long as that is how they were sent, and says
// what is wrong.
func (l *Ledger) compareFields(value []byte, flag string, in *envelope) error {
	var err error
	if l.fields[0], err = members(l.fields[0][:0], value); err != nil {
		return err
	}
	if l.fields[1], err = members(l.fields[1][:0], l.sentBuffer); err != nil {
		return err
	}
	isSegment, nested := named(l.fields[0], "is_segment"), named(l.fields[0], "attributes")
	if string(isSegment.value) != flag {
		return fmt.Errorf("is_segment is %q, want %s", isSegment.value, flag)
	}
	l.attributes[0], err = members(l.attributes[0][:0], nested.value)
	if err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	segment := named(l.attributes[0], segmentAttribute)
	if text := nested.value[segment.from:segment.to]; !bytes.Equal(text, in.attribute) {
		return fmt.Errorf("attribute %s is %s, want %s", segmentAttribute, clip(text), in.attribute)
	}
	for _, field := range []member{isSegment, nested} {
		if sent := named(l.fields[1], string(field.key)); sent.value == nil && !field.tight() {
			return fmt.Errorf("%s is put in as %s", field.key, clip(value[field.from:field.to]))
		}
	}
	if sent := named(l.fields[1], "attributes").value; (sent == nil || sent[0] != '{') &&
		len(nested.value) != len(`{}`)+len(in.attribute) {
		return fmt.Errorf("attributes are put in as %s", clip(nested.value))
	}
	l.restored = l.restore(l.restored[:0], value, isSegment, nested, segment)
	if bytes.Equal(l.restored, l.sentBuffer) {
		return nil
	}
	if l.fields[0], err = members(l.fields[0][:0], l.restored); err != nil {
		return err
	}
	if err := same(l.fields[0], l.fields[1]); err != nil {
		return err
	}
	at := 0
	for at < min(len(l.restored), len(l.sentBuffer)) && l.restored[at] == l.sentBuffer[at] {
		at++
	}
	return fmt.Errorf("between its fields it reads %q, sent was %q", clip(l.restored[at:]),
		clip(l.sentBuffer[at:]))
}

// restore appends what a span was before the two fields were put into it. Where a field took no
// other's place, one comma went with it.
func (l *Ledger) restore(dst, value []byte, flag, nested, segment member) []byte {
	sentFlag, sentNested := named(l.fields[1], "is_segment"), named(l.fields[1], "attributes")
	from := 0
	edit := func(field, sent member, inner []byte) {
		switch {
		case sent.value == nil:
			dst = cut(dst, value, from, field)
			from = field.to + leads(value, field)
		default:
			dst = append(append(dst, value[from:field.to-len(field.value)]...), inner...)
			from = field.to
		}
	}
	attributes := func() {
		inner := sentNested.value
		if inner != nil && inner[0] == '{' {
			inner = append(cut(nil, nested.value, 0, segment),
				nested.value[segment.to+leads(nested.value, segment):]...)
		}
		edit(nested, sentNested, inner)
	}
	if nested.from < flag.from {
		attributes()
	}
	edit(flag, sentFlag, sentFlag.value)
	if nested.from > flag.from {
		attributes()
	}
	return append(dst, value[from:]...)
}

// tight tells whether nothing but a colon stands between the key and its value.
func (m member) tight() bool { return m.to-m.from == len(`"":`)+len(m.key)+len(m.value) }

// leads tells whether a field leads its object, as 1 or 0: a comma goes with it, the one behind it
// then.
func leads(object []byte, field member) int {
	if field.from > 0 && object[field.from-1] != ',' && field.to < len(object) &&
		object[field.to] == ',' {
		return 1
	}
	return 0
}

// cut appends what is before a field from an index on, without the comma that goes with the field.
func cut(dst, object []byte, from int, field member) []byte {
	to := field.from
	if to > from && object[to-1] == ',' {
		to--
	}
	return append(dst, object[from:to]...)
}

// named returns the first field of that name; the zero member if there is none.
func named(list []member, key string) member {
	for _, m := range list {
		if string(m.key) == key {
			return m
		}
	}
	return member{}
}

func same(got, want []member) error {
	for i, w := range want {
		if i >= len(got) {
			return fmt.Errorf("field %s is missing", w.key)
		}
		g := got[i]
		if !bytes.Equal(g.key, w.key) {
			return fmt.Errorf("field %s stands where %s was sent", g.key, w.key)
		}
		if !bytes.Equal(g.value, w.value) {
			return fmt.Errorf("field %s is %s, sent was %s", g.key, clip(g.value), clip(w.value))
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("field %s was not sent", got[len(want)].key)
	}
	return nil
}

// stringField returns the text of a top-level field, as it is written between its quotes.
func stringField(object []byte, key string) (string, bool) {
	at := blank(object, 0)
	if at == len(object) || object[at] != '{' {
		return "", false
	}
	for at++; at < len(object); {
		name, next, err := take(object, blank(object, at))
		if err != nil {
			return "", false
		}
		at = blank(object, next)
		if at == len(object) || object[at] != ':' {
			return "", false
		}
		value, next, err := take(object, blank(object, at+1))
		if err != nil {
			return "", false
		}
		if string(bytes.Trim(name, `"`)) == key && len(value) > 1 && value[0] == '"' {
			return string(value[1 : len(value)-1]), true
		}
		at = blank(object, next)
		if at < len(object) && object[at] == ',' {
			at++
		} else {
			return "", false
		}
	}
	return "", false
}
