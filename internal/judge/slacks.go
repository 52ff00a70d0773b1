package judge

// Slacks are what a world grants the system, or the harness, beyond what the contract says, because
// its clock keeps running while neither can do anything about it: a loaded machine, a message on
// its way, a look that is a little old. All are in seconds; 0 grants nothing.
type Slacks struct {
	// Gate is how much later than its cause a gate may close or open.
	Gate float64
	// Told is how far apart two transitions may be that happen at once, by the times at which the supervisor
	// says that they did.
	Told float64
	// Handover is how long a shard may be seen with workers of two consumers: what they say of
	// themselves is a little old, and the one that lets go tells the group before its workers have
	// ended.
	Handover float64
	// Uncovered is how long a shard may be seen without a worker after a fault that hit more than a
	// worker: the group waits for a member that fell silent, and then everything is assigned and
	// started. While a fault lasts that keeps it from that, nothing is expected.
	Uncovered float64
	// Silence is how old what a consumer says of itself may be before it may have lost its
	// partitions.
	Silence float64
	// Orphan is how long a worker may outlive its consumer.
	Orphan float64
	// Reading is how long after it came out a record may be read.
	Reading float64
	// Behind is how late the generator may be before its load is not the one that was asked for.
	Behind float64
	// Rereads is true where a message may be read again for a reason that is not seen: a session that
	// ran out, or a commit that came too late.
	Rereads bool
}

// spell is since when something has held, by one look after the other.
type spell struct {
	from float64
	on   bool
}

// lasts enters whether it holds at a time, and tells whether that is longer than is allowed; if 0
// is, whether it holds at all.
func (s *spell) lasts(holds bool, t, allowed float64) bool {
	if holds && !s.on {
		s.from = t
	}
	s.on = holds
	return holds && (t-s.from > allowed || allowed == 0)
}
