package ledger

import "math/bits"

// bitset is a set of span numbers that grows as needed: 125 kB per million spans.
type bitset struct {
	words []uint64
	count int64
}

// set adds n and tells whether it was new.
func (b *bitset) set(n uint64) bool {
	word := int(n / 64)
	for word >= len(b.words) {
		b.words = append(b.words, 0)
	}
	bit := uint64(1) << (n % 64)
	if b.words[word]&bit != 0 {
		return false
	}
	b.words[word] |= bit
	b.count++
	return true
}

// unset removes n and tells whether it was there.
func (b *bitset) unset(n uint64) bool {
	if !b.has(n) {
		return false
	}
	b.words[n/64] &^= 1 << (n % 64)
	b.count--
	return true
}

func (b *bitset) has(n uint64) bool {
	return n/64 < uint64(len(b.words)) && b.words[n/64]&(1<<(n%64)) != 0
}

// upTo returns the greatest number in the set that is at most n.
func (b *bitset) upTo(n uint64) (uint64, bool) {
	if len(b.words) == 0 {
		return 0, false
	}
	n = min(n, uint64(len(b.words))*64-1)
	word := int(n / 64)
	for rest := b.words[word] << (63 - n%64) >> (63 - n%64); ; rest = b.words[word] {
		if rest != 0 {
			return uint64(word)*64 + uint64(bits.Len64(rest)) - 1, true
		}
		if word == 0 {
			return 0, false
		}
		word--
	}
}

// minus returns how many numbers are in b and in none of the others, and the first few of them.
func (b *bitset) minus(few int, others ...*bitset) (count int64, first []uint64) {
	for i, word := range b.words {
		word = without64(word, i, others)
		count += int64(bits.OnesCount64(word))
		for ; word != 0 && len(first) < few; word &= word - 1 {
			first = append(first, uint64(i)*64+uint64(bits.TrailingZeros64(word)))
		}
	}
	return count, first
}

// add adds the numbers of another set that are in none of the others, and returns how many of them
// are new.
func (b *bitset) add(from *bitset, but ...*bitset) (added int64) {
	for len(b.words) < len(from.words) {
		b.words = append(b.words, 0)
	}
	for i, word := range from.words {
		word = without64(word, i, but) &^ b.words[i]
		b.words[i] |= word
		added += int64(bits.OnesCount64(word))
	}
	b.count += added
	return added
}

// without64 takes the word of that index of each set out of a word.
func without64(word uint64, i int, sets []*bitset) uint64 {
	for _, set := range sets {
		if i < len(set.words) {
			word &^= set.words[i]
		}
	}
	return word
}
