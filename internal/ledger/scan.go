package ledger

import (
	"bytes"
	"fmt"
)

// member is one key of an object with its value, as they are written. It begins and ends at these
// indices of the object.
type member struct {
	key, value []byte
	from, to   int
}

// members splits an object into its members, without looking into the values.
func members(dst []member, object []byte) ([]member, error) {
	return split(dst, object, '{', '}', true)
}

// elements splits an array into its elements, which have no keys.
func elements(dst []member, array []byte) ([]member, error) {
	return split(dst, array, '[', ']', false)
}

func split(dst []member, text []byte, open, shut byte, keyed bool) ([]member, error) {
	at := blank(text, 0)
	if at == len(text) || text[at] != open {
		return dst, fmt.Errorf("%q does not begin with %q", clip(text), open)
	}
	at = blank(text, at+1)
	if at < len(text) && text[at] == shut {
		return dst, atEnd(text, at+1)
	}
	for {
		m := member{from: at}
		var err error
		if keyed {
			if m.key, at, err = take(text, at); err != nil {
				return dst, err
			}
			if at = blank(text, at); at == len(text) || text[at] != ':' || m.key[0] != '"' {
				return dst, fmt.Errorf("key %q has no value", clip(m.key))
			}
			m.key = m.key[1 : len(m.key)-1]
			at = blank(text, at+1)
		}
		if m.value, at, err = take(text, at); err != nil {
			return dst, err
		}
		m.to = at
		dst = append(dst, m)
		at = blank(text, at)
		switch {
		case at < len(text) && text[at] == ',':
			at = blank(text, at+1)
		case at < len(text) && text[at] == shut:
			return dst, atEnd(text, at+1)
		default:
			return dst, fmt.Errorf("%q is not closed after %q", clip(text), clip(m.value))
		}
	}
}

func atEnd(text []byte, at int) error {
	if rest := text[blank(text, at):]; len(rest) > 0 {
		return fmt.Errorf("%q is left over", clip(rest))
	}
	return nil
}

// take returns the value that begins at an index, and where it ends. Within objects and arrays it
// counts brackets only; what is compared byte by byte afterwards needs no more.
func take(text []byte, from int) (value []byte, end int, err error) {
	depth := 0
	for at := from; at < len(text); at++ {
		switch text[at] {
		case '"':
			if at = quoteEnd(text, at+1); at == len(text) {
				return nil, at, fmt.Errorf("string %q does not end", clip(text[from:]))
			}
			if depth == 0 {
				return text[from : at+1], at + 1, nil
			}
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return text[from : at+1], at + 1, nil
			}
		}
		if depth > 0 {
			continue
		}
		if next := at + 1; depth < 0 || next == len(text) || bytes.IndexByte(stops, text[next]) >= 0 {
			if depth < 0 || text[at] == ',' {
				break
			}
			return text[from:next], next, nil
		}
	}
	return nil, from, fmt.Errorf("no value stands at %q", clip(text[min(from, len(text)):]))
}

// quoteEnd returns where the string ends whose text begins at an index.
func quoteEnd(text []byte, at int) int {
	for {
		next := bytes.IndexByte(text[at:], '"')
		if next < 0 {
			return len(text)
		}
		end := at + next
		escapes := 0
		for escapes < end-at && text[end-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end
		}
		at = end + 1
	}
}

// stops end a number or a word.
var stops = []byte(",}] \t\r\n")

var blanks = []byte(" \t\r\n")

func blank(text []byte, at int) int {
	for at < len(text) && bytes.IndexByte(blanks, text[at]) >= 0 {
		at++
	}
	return at
}

// clip shortens what is quoted in an error.
func clip(text []byte) []byte {
	const most = 80
	if len(text) <= most {
		return text
	}
	return append(text[:most:most], "..."...)
}
