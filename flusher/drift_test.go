package flusher_test

import (
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestDrift(t *testing.T) {
	at := buffer.Seconds
	// The input lags: at wall 1000, its clock was at 400. Leases moved the clock on to 450.
	lagging := buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7}
	seen := lagging
	seen.Seen = at(9000)
	tests := []struct {
		name    string
		fenced  buffer.ShardClock
		wall    int64 // of the fence
		adopted *buffer.ShardClock
		asked   int64 // the wall at which the shard's now is asked
		want    int64
	}{
		{"no input yet: the wall's time", buffer.ShardClock{}, 5000, nil, 5010, 5010},
		{"goes on where it was, however long nobody flushed", lagging, 9000, nil, 9010, 460},
		{"no news in what is known", lagging, 9000, &lagging, 9010, 460},
		{"new input tells the drift", lagging, 9000,
			&buffer.ShardClock{Now: at(460), Drift: -8000 * time.Second, Inputs: 8}, 9010, 1010},
		{"the first input", buffer.ShardClock{}, 5000,
			&buffer.ShardClock{Now: at(100), Drift: -4900 * time.Second, Inputs: 1}, 5010, 110},
		{"a store that began anew", lagging, 9000,
			&buffer.ShardClock{Now: at(9000), Drift: -time.Second, Inputs: 1}, 9010, 9009},
		{"the input is seen", seen, 9000,
			&buffer.ShardClock{Now: at(450), Inputs: 7, Seen: at(9001)}, 9002, 452},
		{"the input is not seen any more", seen, 9000,
			&buffer.ShardClock{Now: at(450), Inputs: 7, Seen: at(9001)}, 9100, 453},
		{"an outage of 100 s does not count", seen, 9000,
			&buffer.ShardClock{Now: at(450), Inputs: 7, Seen: at(9102)}, 9103, 453},
		{"new input after it tells the drift", seen, 9000,
			&buffer.ShardClock{Drift: -8900 * time.Second, Inputs: 8, Seen: at(9102)}, 9103, 203},
		{"the input was last seen by an earlier owner",
			buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(1050)},
			9000, nil, 9010, 450},
		{"and is seen again", buffer.ShardClock{
			Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(1050)},
			9000, &buffer.ShardClock{Now: at(450), Inputs: 7, Seen: at(9100)}, 9101, 451},
		{"an empty store that began anew", lagging, 9000, &buffer.ShardClock{}, 9010, 9010},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			drift := flusher.ResumeDrift(test.fenced, at(test.wall), 2*time.Second)
			if test.adopted != nil {
				drift.Adopt(*test.adopted)
			}
			if got := drift.Now(at(test.asked)); got != at(test.want) {
				t.Errorf("now %d, want %d", got/1000, test.want)
			}
		})
	}
}
