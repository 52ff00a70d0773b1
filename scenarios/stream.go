package scenarios

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream returns the random stream of a named part of a run. Parts do not disturb each other: a
// part that draws once more changes nothing for the others.
func Stream(seed uint64, name string) *rand.Rand {
	var input [8]byte
	binary.BigEndian.PutUint64(input[:], seed)
	return rand.New(rand.NewChaCha8(sha256.Sum256(append(input[:], name...))))
}
