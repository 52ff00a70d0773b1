package kafkaio

import "time"

// failing are the partitions that could not be read when they were asked for last, with when that was; what
// was read of them meanwhile has ended that.
type failing map[int32]time.Time

// failedPause is how long such a partition is not asked for. The client itself would ask again at once, as
// fast as the broker answers, and with it for all others of the broker.
const failedPause = metadataAgeMin

// fail notes partitions that could not be read.
func (s *Source) fail(partitions []int32) {
	if len(partitions) == 0 {
		return
	}
	for _, number := range partitions {
		s.failing[number] = time.Now()
	}
	s.touch.fail(partitions)
	s.silence = silence{} // as of now
	s.assignment.fail(partitions, true)
}

// retry has partitions fetched again that failed a while ago.
func (s *Source) retry() {
	var again []int32
	for number, at := range s.failing { //order-free: one by one
		if time.Since(at) >= failedPause {
			again = append(again, number)
		}
	}
	s.assignment.fail(again, false)
}

// settle ends the trouble of fetching if it has not failed again for a while, and the brokers answer:
// there is only nothing to read.
func (s *Source) settle() {
	for number, at := range s.failing { //order-free: one by one
		if time.Since(at) >= s.touch.failedMax {
			s.assignment.fail([]int32{number}, false)
			delete(s.failing, number)
		}
	}
	for _, t := range s.troubles.All() {
		if t.Operation == fetching && len(s.failing) == 0 && !s.touch.refuses() &&
			time.Since(t.Last) >= s.touch.fetchAgeMax && s.touch.well() {
			s.troubles.Works(fetching)
		}
	}
}
