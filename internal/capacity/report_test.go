package capacity

import (
	"fmt"
	"testing"

	"sluice/internal/judge"
)

// TestLimitsOfRepeats: a repeat whose search ended at its greatest rate names no limit, unless none does.
func TestLimitsOfRepeats(t *testing.T) {
	none, redis := Point{}, Point{Limit: judge.RedisThread}
	for _, c := range []struct {
		repeats []Point
		want    string
	}{
		{[]Point{redis, none}, "[{" + string(judge.RedisThread) + " 1}]"},
		{[]Point{redis, redis, none, none, none}, "[{" + string(judge.RedisThread) + " 2}]"},
		{[]Point{none, none}, "[{ 2}]"},
	} {
		if got := fmt.Sprint(limitsOf(c.repeats)); got != c.want {
			t.Errorf("limits %s, want %s", got, c.want)
		}
	}
}
