package codec

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// buffered is room for a short string that is written with escapes: for every key that counts and
// for an id, and for one more character of four bytes, so that what is cut off is longer than all
// of them.
type buffered [40]byte

// unescape returns what a string's text between the quotes means. Text without escapes is returned
// as it is; of other text no more than fits into the buffer.
func unescape(text []byte, buf *buffered) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	out := buf[:0]
	for i := 0; i < len(text) && len(out) <= len(buf)-utf8.UTFMax; {
		if text[i] != '\\' {
			out = append(out, text[i])
			i++
			continue
		}
		if text[i+1] != 'u' {
			out = append(out, shortEscape(text[i+1]))
			i += 2
			continue
		}
		r := hex4(text[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			low := rune(utf8.RuneError)
			if len(text) >= i+6 && text[i] == '\\' && text[i+1] == 'u' {
				low = hex4(text[i+2:])
			}
			if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
				i += 6
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func shortEscape(c byte) byte {
	if at := strings.IndexByte("bfnrt", c); at >= 0 {
		return "\b\f\n\r\t"[at]
	}
	return c
}

func hex4(digits []byte) (r rune) {
	for _, c := range digits[:4] {
		if 'A' <= c && c <= 'F' {
			c |= 0x20
		}
		r = r<<4 | rune(hexValues[c])
	}
	return r
}
