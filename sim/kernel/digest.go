package kernel

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// digest is a running 128-bit hash of words: two lanes, each of which is a bijection of its state
// for a given word, and of the word for a given state, so no difference dies away by itself. It is
// made for speed (about a nanosecond a word), not against an adversary.
type digest struct{ a, b uint64 }

const (
	prime1 = 0x9E3779B185EBCA87
	prime2 = 0xC2B2AE3D27D4EB4F
	prime3 = 0x165667B19E3779F9
)

func newDigest() digest { return digest{prime1, prime2} }

func (d *digest) add(word uint64) {
	d.a = bits.RotateLeft64(d.a^word, 29) * prime1
	d.b = bits.RotateLeft64((d.b+word)*prime2, 31) ^ prime3
}

func (d *digest) text(s string) {
	d.add(uint64(len(s)))
	var last [8]byte
	for len(s) >= len(last) {
		copy(last[:], s)
		d.add(binary.LittleEndian.Uint64(last[:]))
		s = s[len(last):]
	}
	if len(s) > 0 {
		last = [8]byte{}
		copy(last[:], s)
		d.add(binary.LittleEndian.Uint64(last[:]))
	}
}

// Note adds to the digest that something happened now. Every event is in the digest already, by its
// instant and number; a note adds what a model did in it.
func (k *Kernel) Note(what string, numbers ...int64) {
	k.digest.add(uint64(k.now))
	k.digest.text(what)
	k.digest.add(uint64(len(numbers)))
	for _, n := range numbers {
		k.digest.add(uint64(n))
	}
}

// Digest returns a text that stands for everything that happened so far, in its order: two runs of
// one world with one seed have the same.
func (k *Kernel) Digest() string {
	d := k.digest
	for range 4 { // the last words have reached every bit
		d.add(d.a ^ d.b>>32)
	}
	return fmt.Sprintf("%016x%016x", d.a, d.b)
}
