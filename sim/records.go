package sim

// records is the memory of a worker's output records. What the broker has acknowledged is nobody's any
// more, and a later record is written there: while it is still in the processor's caches.
type records struct {
	free [recordMax / recordStep][][]byte // by size, in steps
	kept int                              // of all sizes
}

const (
	// recordStep is how much larger than a record its memory may be: no more than that is given away, and
	// what is for smaller ones stays for those.
	recordStep = 1 << 12
	// recordsMax is how many are kept at the most, recordMax how large one is.
	recordsMax = 1 << 10
	recordMax  = 1 << 16
)

// room returns memory for a record of so many bytes.
func (r *records) room(size int) []byte {
	steps := (size + recordStep - 1) / recordStep
	if size == 0 || size > recordMax {
		return make([]byte, 0, size)
	}
	free := &r.free[steps-1]
	if last := len(*free) - 1; last >= 0 {
		value := (*free)[last]
		*free = (*free)[:last]
		r.kept--
		return value
	}
	return make([]byte, 0, steps*recordStep)
}

// done takes back a record, or nil.
func (r *records) done(value []byte) {
	steps := cap(value) / recordStep
	if steps == 0 || cap(value) > recordMax || cap(value)%recordStep > 0 {
		return
	}
	if r.kept < recordsMax {
		r.free[steps-1] = append(r.free[steps-1], value[:0])
		r.kept++
	}
}
