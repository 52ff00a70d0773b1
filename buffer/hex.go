package buffer

import "encoding/binary"

// DecodeHex reads lower-case hex digits, two for each byte of dst, of which there are a multiple of four;
// it tells whether that is what digits are. It reads eight at a time: digits of an id are random, and a
// branch on each would be mispredicted half the time.
func DecodeHex(dst, digits []byte) bool {
	const (
		ones   = 0x0101010101010101
		nibble = 0x0f * ones
	)
	if len(digits) != 2*len(dst) {
		return false
	}
	wrong := uint64(0)
	for len(dst) >= 4 && len(digits) >= 8 {
		c := binary.LittleEndian.Uint64(digits)
		// Of letters, and of what is at 0x40 and above, the lowest four bits are less by 9.
		values := c&nibble + c>>6&ones*9
		letters := (values + 6*ones) >> 4 & ones
		wrong |= (values + '0'*ones + ('a'-'0'-10)*letters) ^ c // what these values are written as
		wrong |= values &^ nibble
		pairs := (values<<4 | values>>8) & 0x00ff00ff00ff00ff
		pairs = (pairs | pairs>>8) & 0x0000ffff0000ffff
		binary.LittleEndian.PutUint32(dst, uint32(pairs|pairs>>16))
		dst, digits = dst[4:], digits[8:]
	}
	return wrong == 0
}
