package load

import "math/bits"

const (
	mixA = 0xbf58476d1ce4e5b9
	mixB = 0x94d049bb133111eb
)

var unmixA, unmixB = inverse(mixA), inverse(mixB)

// inverse returns the multiplicative inverse of an odd number modulo 2^64, by Newton's iteration:
// each round doubles the number of low bits that are right, from 3 on.
func inverse(a uint64) uint64 {
	x := a
	for range 5 {
		x *= 2 - a*x
	}
	return x
}

// mix is the finaliser of SplitMix64, a bijection of 64 bits in which every input bit changes half
// of the output bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * mixA
	x = (x ^ x>>27) * mixB
	return x ^ x>>31
}

// unmix is the inverse of mix.
func unmix(x uint64) uint64 {
	x = unshift(x, 31) * unmixB
	x = unshift(x, 27) * unmixA
	return unshift(x, 30)
}

// unshift inverts x ^ x>>n for n of at least 22: y>>n is right in the upper n bits, the next two
// rounds put the rest right.
func unshift(y uint64, n int) uint64 { return y ^ y>>n ^ y>>(2*n) }

// below scales 64 random bits to [0, n).
func below(random, n uint64) uint64 {
	hi, _ := bits.Mul64(random, n)
	return hi
}

// unit scales 64 random bits to [0, 1).
func unit(random uint64) float64 { return float64(random>>11) / (1 << 53) }
