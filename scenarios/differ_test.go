package scenarios

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDifferences: every key in which two scenarios differ, by its path, and no other.
func TestDifferences(t *testing.T) {
	load := func(sets ...string) Scenario {
		s, _, err := LoadWith("hang", nil, sets...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	usual, other := load(), load("pipeline.timeout=7s", "seed=4", "faults=[at 5s hang worker 1]")
	want := []Difference{
		{"faults", "- at 4s hang worker 1 - when 8000 spans flushed hang worker 2 for 500ms",
			"- at 5s hang worker 1"},
		{"pipeline.timeout", "6s", "7s"},
		{"seed", "1", "4"},
	}
	if diff := cmp.Diff(want, Differences(usual, other)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	same := usual
	same.Description = "in other words"
	if got := Differences(usual, same); got != nil {
		t.Errorf("%+v", got)
	}
	none := load("faults=[]", "expectations.restarts_min=0")
	if got := Differences(none, usual); len(got) != 3 || got[2].Key != "faults" || got[2].A != "[]" {
		t.Errorf("%+v", got)
	}
}
