package buffer

import (
	"encoding/hex"
	"testing"
)

// TestDecodeHex reads each byte in each place among good digits.
func TestDecodeHex(t *testing.T) {
	for at := range 16 {
		for c := range 256 {
			digits := []byte("0189abcdef765432")
			digits[at] = byte(c)
			got, want := SpanID{}, SpanID{}
			_, err := hex.Decode(want[:], digits)
			good := err == nil && (c < 'A' || c > 'F')
			if ok := DecodeHex(got[:], digits); ok != good || ok && got != want {
				t.Errorf("%q is %v %v, want %v %v", digits, got, ok, want, good)
			}
		}
	}
	var got SpanID
	for _, digits := range []string{"", "0189abcdef76543", "0189abcdef7654321", "0189abcdef76543210"} {
		if DecodeHex(got[:], []byte(digits)) {
			t.Errorf("%q is taken for an id of %d bytes", digits, len(got))
		}
	}
}
