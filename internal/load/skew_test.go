package load

import (
	"testing"
	"time"

	"sluice/scenarios"
)

// TestSkewedTimestamps: as many traces as asked for have wrong ones, no more wrong than asked for
// and no more ahead than Kafka takes, and the others have good ones.
func TestSkewedTimestamps(t *testing.T) {
	s := scenarios.Default()
	s.Duration = 20 * time.Second
	s.Workload.Skew = scenarios.Skew{Share: 0.1, By: 720 * time.Hour}
	g := NewGenerator(s)
	var m Message
	now := time.Unix(1_700_000_000, 0)
	count := map[string]int{}
	for g.Next(&m) {
		count["all"]++
		off := m.Timestamp(now).Sub(now)
		switch {
		case !m.Skewed && off != 0:
			t.Fatalf("message %d is %v off", m.Seq, off)
		case !m.Skewed:
		case m.Timeless:
			count["timeless"]++
		case off > aheadMax || -off > s.Workload.Skew.By || off == 0:
			t.Fatalf("message %d is %v off", m.Seq, off)
		case off > 0:
			count["ahead"]++
		default:
			count["behind"]++
		}
	}
	skewed := count["timeless"] + count["ahead"] + count["behind"]
	if share := float64(skewed) / float64(count["all"]); share < 0.07 || share > 0.13 {
		t.Errorf("%.3f of the messages are skewed, want about 0.1", share)
	}
	for _, kind := range []string{"timeless", "ahead", "behind"} {
		if count[kind] == 0 {
			t.Errorf("none is %s: %v", kind, count)
		}
	}
}
