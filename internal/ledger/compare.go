package ledger

import (
	"bytes"
	"fmt"
	"strconv"

	"sluice/internal/load"
)

// segmentAttribute is the attribute that names a span's segment.
const segmentAttribute = "sentry.segment.id"

// compare checks a span that came out against the one that was sent: the same fields in the same
// order and the same bytes, but for is_segment and the segment attribute, which must be right.
func (l *Ledger) compare(value []byte, in *envelope, seq, root uint64) error {
	var marks load.Marks
	l.sentBuffer, marks = l.recipe.AppendMarked(l.sentBuffer[:0], root, int(seq-root))
	flag := strconv.AppendBool(nil, seq == root || l.recipe.ID(seq) == in.segment)
	if plainly(value, l.sentBuffer, marks, flag, in.attribute) {
		return nil
	}
	return l.compareFields(value, flag, in)
}

// compareFields is the long way of comparing, which takes any layout and says what is wrong.
func (l *Ledger) compareFields(value, flag []byte, in *envelope) error {
	var err error
	if l.fields[0], err = members(l.fields[0][:0], value); err != nil {
		return err
	}
	if l.fields[1], err = members(l.fields[1][:0], l.sentBuffer); err != nil {
		return err
	}
	got, isSegment, nested := without(l.fields[0], "is_segment", "attributes")
	want, _, sentNested := without(l.fields[1], "is_segment", "attributes")
	if err := same(got, want); err != nil {
		return err
	}
	if !bytes.Equal(isSegment, flag) {
		return fmt.Errorf("is_segment is %q, want %s", isSegment, flag)
	}
	return l.compareAttributes(nested, sentNested, in)
}

func (l *Ledger) compareAttributes(got, sent []byte, in *envelope) error {
	var err error
	if l.attributes[0], err = members(l.attributes[0][:0], got); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	l.attributes[1] = l.attributes[1][:0]
	if sent != nil && string(sent) != "null" {
		if l.attributes[1], err = members(l.attributes[1], sent); err != nil {
			return fmt.Errorf("attributes: %w", err)
		}
	}
	rest, segment, _ := without(l.attributes[0], segmentAttribute, "")
	if want := `{"type":"string","value":"` + in.segment.String() + `"}`; string(segment) != want {
		return fmt.Errorf("attribute %s is %s, want %s", segmentAttribute, clip(segment), want)
	}
	if err := same(rest, l.attributes[1]); err != nil {
		return fmt.Errorf("attributes: %w", err)
	}
	return nil
}

// without takes two keys out of the list, in place, and returns their values. A key that stands
// there twice stays, and so is seen to be one too many.
func without(list []member, first, second string) (rest []member, a, b []byte) {
	rest = list[:0]
	for _, m := range list {
		switch key := string(m.key); {
		case key == first && a == nil:
			a = m.value
		case key == second && b == nil:
			b = m.value
		default:
			rest = append(rest, m)
		}
	}
	return rest, a, b
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
