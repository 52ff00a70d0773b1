package sim

// records is the memory of a worker's output records. What the broker has acknowledged is nobody's any
// more, and the next record is written there: while it is still in the processor's caches.
type records struct{ free [][]byte }

const (
	// recordsMax is how many are kept at the most, recordMax how large one is.
	recordsMax = 1 << 10
	recordMax  = 1 << 16
)

// room returns memory for a record of so many bytes.
func (r *records) room(size int) []byte {
	if last := len(r.free) - 1; last >= 0 && size <= recordMax {
		value := r.free[last]
		r.free = r.free[:last]
		if cap(value) >= size {
			return value
		}
	}
	return make([]byte, 0, size+size/4) // of the next ones some are larger
}

// done takes back a record, or nil.
func (r *records) done(value []byte) {
	if value != nil && cap(value) <= recordMax && len(r.free) < recordsMax {
		r.free = append(r.free, value[:0])
	}
}
