package buffer

// Chunks cuts spans of these sizes into chunks of at most limit bytes, in order: each chunk is a
// range [from, to) of indexes. If all sizes together are within the limit there is one chunk; a
// limit of NoSegmentLimit gives one chunk always, and no sizes give none.
//
// The cut is greedy: a chunk ends where the next span would no longer fit. A span that is over the
// limit by itself therefore travels alone, in the only chunk that may be over the limit. Since the
// cut follows from the sizes and their order alone, a flush that is repeated cuts the same.
func Chunks(sizes []int, limit Bytes) [][2]int {
	if len(sizes) == 0 {
		return nil
	}
	var chunks [][2]int
	from, sum := 0, Bytes(0)
	for i, size := range sizes {
		if i > from && limit != NoSegmentLimit && sum+Bytes(size) > limit {
			chunks = append(chunks, [2]int{from, i})
			from, sum = i, 0
		}
		sum += Bytes(size)
	}
	return append(chunks, [2]int{from, len(sizes)})
}
