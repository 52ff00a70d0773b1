package redisstore

import (
	"slices"
	"sync"
)

// Redis allocates with jemalloc, whose sizes lie up to a quarter apart: a blob of some spans of
// one size wastes 60 bytes a span on average and 200 at worst. So a blob may be stored in two
// fields, the first of which just fills an allocation. Under another allocator the cut does no
// harm.
const (
	// fieldBytes is about what a field of a hash takes beside its value: entry, name, place.
	fieldBytes = 32 + 16 + 12
	// cutMin is the smallest first part that is considered.
	cutMin = 256
	// cutMax bounds the sizes that are known; larger blobs are cut there at the latest.
	cutMax = 1 << 27
)

// sizes are jemalloc's, ascending: 16 apart up to 128, then four for every doubling.
var sizes = sync.OnceValue(func() []int {
	var all []int
	for size := 16; size <= 128; size += 16 {
		all = append(all, size)
	}
	for base := 128; base < cutMax; base *= 2 {
		for quarter := 1; quarter <= 4; quarter++ {
			all = append(all, base+base/4*quarter)
		}
	}
	return all
})

// header is what Redis adds to a value of n bytes: its length, and a zero byte at its end.
func header(n int) int {
	switch {
	case n < 1<<8:
		return 3 + 1
	case n < 1<<16:
		return 5 + 1
	}
	return 9 + 1
}

// allocated is what a value of n bytes takes.
func allocated(n int) int {
	need := n + header(n)
	all := sizes()
	if at, _ := slices.BinarySearch(all, need); at < len(all) {
		return all[at]
	}
	return need
}

// bestCut returns where a blob of n bytes is best cut in two; n if it is better left whole.
func bestCut(n int) int {
	cut, least := n, allocated(n)
	all := sizes()
	for i := len(all) - 1; i >= 0 && all[i] >= cutMin && 2*all[i] > n; i-- {
		first := all[i] - header(all[i]-10)
		if first >= n {
			continue
		}
		if both := all[i] + fieldBytes + allocated(n-first); both < least {
			cut, least = first, both
		}
	}
	return cut
}
