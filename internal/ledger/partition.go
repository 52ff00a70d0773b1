package ledger

import "encoding/binary"

// rightPlace tells whether a record stands on the partition that its key says, and which that is.
func (l *Ledger) rightPlace(r *Record) (partition int32, ok bool) {
	if l.Partitions == 0 {
		return r.Partition, true
	}
	partition = PartitionOf(r.Key, l.Partitions)
	return partition, partition == r.Partition
}

// PartitionOf returns the one of so many partitions that Kafka's own clients choose for a key.
func PartitionOf(key []byte, partitions int) int32 {
	return int32(murmur2(key)&0x7fffffff) % int32(partitions)
}

// murmur2 is the hash by which they choose, with their seed. A reader that joins by key relies on
// it.
func murmur2(key []byte) uint32 {
	const m, seed = 0x5bd1e995, 0x9747b28c
	h := seed ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i := len(key) - 1; i >= 0; i-- {
		h ^= uint32(key[i]) << (8 * i)
		if i == 0 {
			h *= m
		}
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
