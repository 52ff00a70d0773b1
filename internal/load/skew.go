package load

import (
	"math"
	"time"
)

// aheadMax is how far ahead of its clock Kafka takes a message, by default, with some to spare.
const aheadMax = 50 * time.Minute

// Skewed tells whether the messages of the trace with that root have wrong timestamps.
func (r *Recipe) Skewed(root uint64) bool {
	share := r.work.Skew.Share
	return share > 0 && unit(r.random(keySkewed, root)) < share
}

// skew returns how wrong the timestamp of a message is. The clock of a whole trace may be wrong, or
// that of each of its messages in its own way; seconds are as likely as days.
func (r *Recipe) skew(seq, root uint64) (by time.Duration, none bool) {
	draw := r.random(keySkew, root)
	if draw&1 == 0 {
		draw = r.random(keySkew, seq)
	}
	draw >>= 1
	most := max(r.work.Skew.By, time.Second)
	by = time.Duration(float64(time.Second) * math.Pow(most.Seconds(), unit(draw<<8)))
	switch draw & 7 {
	case 0:
		return 0, true
	case 1, 2, 3:
		return min(by, aheadMax), false
	}
	return -by, false
}

// Timestamp returns what a message that is sent at a time says of it, by its own account.
func (m *Message) Timestamp(at time.Time) time.Time {
	switch {
	case m.Timeless:
		return time.UnixMilli(-int64(m.Seq & 1))
	case m.Skewed:
		return at.Add(m.Skew)
	}
	return at
}
