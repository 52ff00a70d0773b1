package compare

// Java compiles what a broker does often, so a broker that has just been started takes several times
// as much for a record as later. It is warm when a run takes it hardly less than the one before.
const (
	warmFrom = 0.9
	warmMax  = 5
)

// WarmUp makes runs, which count for nothing, until the broker does not get quicker any more: at least
// one, two where it is seen what the broker computes, and at most five.
func WarmUp(run func() (Run, error)) error {
	last := 0.0
	for range warmMax {
		one, err := run()
		if err != nil {
			return err
		}
		took, seen := one.Figures[KafkaTime]
		if !seen || took >= warmFrom*last && last > 0 {
			return nil
		}
		last = took
	}
	return nil
}
