package pipeline

import (
	"testing"
	"time"
)

// TestSilenceIsInsideOfTheTimeOuts: until a partition that nobody hears of counts as silent its clock runs,
// and a little beyond; together that must not make due what is younger than the shortest time-out.
func TestSilenceIsInsideOfTheTimeOuts(t *testing.T) {
	for _, shortest := range []time.Duration{time.Second, 3 * time.Second, 10 * time.Second, time.Hour} {
		c := DefaultConfig()
		c.Options.RootTimeout, c.Options.Timeout = shortest, 6*shortest
		s := c.source()
		if unseen := s.FetchWait + s.FetchLateMax + c.own().Worker.UnseenMax; unseen > shortest*3/4 {
			t.Errorf("with a time-out of %v the clock runs for %v", shortest, unseen)
		}
		if s.FetchWait <= 0 || s.FetchLateMax <= 0 {
			t.Errorf("with a time-out of %v: %+v", shortest, s)
		}
	}
}
