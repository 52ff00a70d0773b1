package load

import (
	"slices"
	"testing"
)

// TestCrowds: five of eight next to each other in a partition are one, with those before it and eight
// after it; of another partition, or further apart, they are none.
func TestCrowds(t *testing.T) {
	send := func(c *Crowds, partition int32, from, to uint64, skewed bool) (harmed []uint64) {
		for root := from; root < to; root++ {
			harmed = append(harmed, c.Sent(&Message{Root: root, Partition: partition, Skewed: skewed})...)
		}
		slices.Sort(harmed)
		return slices.Compact(harmed)
	}
	want := func(what string, got []uint64, from, to uint64) {
		t.Helper()
		var roots []uint64
		for ; from < to; from++ {
			roots = append(roots, from)
		}
		if !slices.Equal(got, roots) {
			t.Errorf("%s: the traces %v, want %v", what, got, roots)
		}
	}
	var c Crowds
	want("good ones", send(&c, 0, 0, 20, false), 0, 0)
	want("four", send(&c, 0, 20, 24, true), 0, 0)
	want("as many of another partition", send(&c, 1, 50, 54, true), 0, 0)
	want("the fifth", send(&c, 0, 24, 25, true), 17, 25)
	// The next three are among eight of which five are skewed, and then come eight more.
	want("those after it", send(&c, 0, 25, 60, false), 18, 36)
	want("the first of a partition", send(&c, 2, 100, 105, true), 100, 105)
	if c.Count != 5 {
		t.Errorf("%d messages, want 5", c.Count)
	}
	var sparse Crowds
	for n := range uint64(10) {
		want("every other one", append(send(&sparse, 0, 2*n, 2*n+1, true), send(&sparse, 0, 2*n+1, 2*n+2, false)...), 0, 0)
	}
}
