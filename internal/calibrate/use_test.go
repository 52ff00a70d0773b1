package calibrate

import (
	"errors"
	"strings"
	"testing"
)

// TestSigns names each sign of others, always in the same order, and none of what the calibration does
// itself.
func TestSigns(t *testing.T) {
	before := sight{commands: 1000, ends: map[string]int64{"a": 5, "b": 5, "c": 5}}
	quiet := sight{commands: 1000 + commandsMax, ends: before.ends}
	if err := quiet.signs(before); err != nil {
		t.Errorf("nobody else is there: %v", err)
	}
	busy := sight{clients: 1, keys: 2, commands: 1001 + commandsMax, members: map[string]int{"h": 4, "g": 3},
		ends: map[string]int64{"a": 5, "c": 6, "b": 7, "new": 8}}
	want := []string{"redis is in use: it has 1 other clients", "it holds 2 keys",
		"it has served 101 commands", "group g has 3 members", "group h has 4 members",
		"topic b has grown by 2", "topic c has grown by 1", "topic new has grown by 8"}
	err := busy.signs(before)
	if err == nil || !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d signs, want %d:\n%v", len(lines), len(want), err)
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			t.Errorf("%q, want %q", lines[i], want[i])
		}
	}
}
