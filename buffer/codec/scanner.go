package codec

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// nestingMax is how deep arrays and objects may nest in a message: as deep as encoding/json reads,
// less the object and the array of the output message around it, so that whatever is accepted can
// be written and read again.
const nestingMax = 10_000 - 2

// scanner checks the grammar of JSON from pos on. Its methods return false at the first fault;
// pos is then where the fault is, and fault says what would be right there.
type scanner struct {
	data  []byte
	pos   int
	depth int
	fault string
	// escapes counts the backslashes in strings; buf holds the last key that had some.
	escapes int
	buf     buffered
	// exponents tells that some number has one.
	exponents bool
}

func (s *scanner) fail(want string) bool {
	s.fault = want
	return false
}

// err is the error of a scan that failed.
func (s *scanner) err() error {
	if s.pos >= len(s.data) {
		return &Error{Reason: fmt.Sprintf("ends after %d bytes, want %s", len(s.data), s.fault)}
	}
	return &Error{Reason: fmt.Sprintf("has %q at offset %d, want %s",
		s.data[s.pos], s.pos, s.fault)}
}

// peek skips white space and returns the next byte, or 0 at the end; 0 begins no token.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) && s.data[s.pos] > ' ' {
		return s.data[s.pos]
	}
	return s.skip()
}

// skip is peek where white space may stand.
func (s *scanner) skip() byte {
	for ; s.pos < len(s.data); s.pos++ {
		switch c := s.data[s.pos]; c {
		case ' ', '\n', '\r', '\t':
		default:
			return c
		}
	}
	return 0
}

// end checks that nothing follows but white space.
func (s *scanner) end() bool {
	s.peek()
	return s.pos == len(s.data) || s.fail("the end of the message")
}

// value passes a value of any kind.
func (s *scanner) value() bool {
	switch c := s.peek(); c {
	case '"':
		return s.string()
	case '{':
		return s.nested('}')
	case '[':
		return s.nested(']')
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	}
	return s.fail("a value")
}

// enter passes the bracket that opens an object or array.
func (s *scanner) enter() bool {
	if s.depth++; s.depth > nestingMax {
		return s.fail(fmt.Sprintf("no more than %d levels of nesting", nestingMax))
	}
	s.pos++
	return true
}

// leave passes the bracket that closes an object or array, after an element without a comma.
func (s *scanner) leave(closing byte) bool {
	if !s.at(closing) {
		return s.fail("a comma or " + string(rune(closing)))
	}
	s.depth--
	s.pos++
	return true
}

// comma passes the comma after an element, if there is one.
func (s *scanner) comma() bool {
	if s.peek() != ',' {
		return false
	}
	s.pos++
	return true
}

// nested consumes an object or an array, up to its closing brace or bracket.
func (s *scanner) nested(closing byte) bool {
	if !s.enter() {
		return false
	}
	if s.peek() == closing {
		return s.leave(closing)
	}
	for {
		if closing == '}' {
			if _, ok := s.key(); !ok {
				return false
			}
		}
		if !s.value() {
			return false
		}
		if !s.comma() {
			return s.leave(closing)
		}
	}
}

// key passes a key and the colon after it, and the white space before the value. It returns what
// the key means, as far as that is needed to recognise the keys that count.
func (s *scanner) key() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, s.fail("a key in double quotes")
	}
	from, escapes := s.pos+1, s.escapes
	if !s.string() {
		return nil, false
	}
	key := s.data[from : s.pos-1]
	if s.peek() != ':' {
		return nil, s.fail("a colon after the key")
	}
	s.pos++
	s.peek()
	if s.escapes != escapes {
		key = unescape(key, &s.buf)
	}
	return key, true
}

func (s *scanner) literal(text string) bool {
	if rest := s.data[s.pos:]; len(rest) >= len(text) && string(rest[:len(text)]) == text {
		s.pos += len(text)
		return true
	}
	return s.fail(text)
}

// number passes a number: an optional minus, digits without a leading zero, an optional fraction,
// an optional exponent.
func (s *scanner) number() bool {
	if s.data[s.pos] == '-' {
		s.pos++
	}
	if s.at('0') {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.at('.') {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if s.at('e') || s.at('E') {
		s.exponents = true
		s.pos++
		if s.at('+') || s.at('-') {
			s.pos++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) at(c byte) bool { return s.pos < len(s.data) && s.data[s.pos] == c }

// digits passes one digit or more.
func (s *scanner) digits() bool {
	from, to := s.pos, s.pos
	for to < len(s.data) && s.data[to]-'0' <= 9 {
		to++
	}
	s.pos = to
	return to > from || s.fail("a digit")
}

// string passes a string, from quote to quote.
func (s *scanner) string() bool {
	s.pos++
	for {
		s.pos = plain(s.data, s.pos)
		switch {
		case s.pos == len(s.data):
			return s.fail("the closing quote of a string")
		case s.data[s.pos] == '"':
			s.pos++
			return true
		case s.data[s.pos] != '\\':
			return s.fail("no control character inside a string")
		case !s.escape():
			return false
		}
	}
}

// plain returns the offset, from i on, of the next byte that means something inside a string: a
// quote, a backslash, or a control character, which is an error.
//
// It looks at sixteen bytes at a time, since most strings are short, and after a few at 32, as long as
// nothing in them can mean anything. For a byte b below 0x80, b - n has the high bit set if b < n; a
// borrow can set it wrongly only above a byte where it is set rightly, so the lowest one that is set is
// right. Equality with a character is "less than 1" after an exclusive or.
func plain(data []byte, i int) int {
	for long := i + 32; i+16 <= len(data); i += 16 {
		if i >= long {
			if i = unsuspected(data, i); i+16 > len(data) {
				break
			}
		}
		words := data[i : i+16]
		low := special(binary.LittleEndian.Uint64(words))
		high := special(binary.LittleEndian.Uint64(words[8:]))
		if low|high != 0 {
			if low != 0 {
				return i + bits.TrailingZeros64(low)/8
			}
			return i + 8 + bits.TrailingZeros64(high)/8
		}
	}
	if i+8 <= len(data) {
		if found := special(binary.LittleEndian.Uint64(data[i:])); found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
		i += 8
	}
	for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return i
}

// unsuspected passes 32 bytes at a time in which nothing means something inside a string.
func unsuspected(data []byte, i int) int {
	for ; i+32 <= len(data); i += 32 {
		words := data[i : i+32]
		first, second := binary.LittleEndian.Uint64(words), binary.LittleEndian.Uint64(words[8:])
		third, fourth := binary.LittleEndian.Uint64(words[16:]), binary.LittleEndian.Uint64(words[24:])
		if (suspect(first)|suspect(second)|suspect(third)|suspect(fourth))&highs != 0 {
			break
		}
	}
	return i
}

// A byte in each of a word.
const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// suspect has the high bits of bytes of a word that mean something inside a string, and of some others
// that are beyond ASCII. With its second bit flipped, a quote comes right behind the control characters.
func suspect(word uint64) uint64 {
	flipped, backslash := word^2*ones, word^('\\'*ones)
	return (flipped - ('"'^2+1)*ones) | (backslash - ones)
}

// special returns the bytes of a word that mean something inside a string, as their high bits.
func special(word uint64) uint64 { return suspect(word) &^ word & highs }

// escape passes a backslash and what it escapes. Like encoding/json it accepts half of a surrogate
// pair.
func (s *scanner) escape() bool {
	s.escapes++
	s.pos++
	if s.pos == len(s.data) {
		return s.fail("an escaped character")
	}
	switch s.data[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.pos++
		return true
	case 'u':
		s.pos++
		for range 4 {
			if s.pos == len(s.data) || !isHex(s.data[s.pos]) {
				return s.fail("four hex digits after \\u")
			}
			s.pos++
		}
		return true
	}
	return s.fail(`one of "\/bfnrtu after a backslash`)
}

func isHex(c byte) bool { return hexValues[c] < 16 || 'A' <= c && c <= 'F' }

// hexValues holds the value of each lower-case hex digit, and more than 15 for other characters.
// Digits of an id are random, so a branch on each would be mispredicted half the time.
var hexValues = func() (values [256]byte) {
	for i := range values {
		values[i] = 0xff
	}
	for i, c := range []byte("0123456789abcdef") {
		values[c] = byte(i)
	}
	return values
}()
