package reports

import "testing"

func TestPlanted(t *testing.T) {
	faults := []string{"lose store.ack every 10", "refuse store.claim 3", "lose store.claim all", "refuse source.poll 1", "a fifth"}
	for _, c := range []struct {
		defect string
		faults []string
		costs  string
		want   string
	}{
		{"", nil, "", ""},
		{"kill-skipped", nil, "", "defect kill-skipped"},
		{"", faults[:1], "", "port fault lose store.ack every 10"},
		{"", faults[:2], "redis.call=60us", "port faults lose store.ack every 10; refuse store.claim 3, costs redis.call=60us"},
		{"kill-skipped", faults, "", "defect kill-skipped, port faults lose store.ack every 10; refuse store.claim 3; " +
			"lose store.claim all; and 2 more"},
	} {
		if got := Planted(c.defect, c.faults, c.costs); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
