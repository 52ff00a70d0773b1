package main

import (
	"strings"
	"testing"
)

// TestCompletion: what a shell gets that asks for the word after a line.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"simulate sw":                        "sweep",
		"simulate run ha":                    "hang",
		"simulate validate redis-d":          "redis-down",
		"simulate run hang --check":          "--check-determinism",
		"simulate run hang --defect kill":    "kill-skipped",
		"simulate sweep steady --world vi":   "virtual",
		"simulate run --servers start-":      "start-cluster",
		"simulate list de":                   "defects",
		"simulate completion f":              "fish",
		"simulate run hang --world real --q": "--quiet",
	} {
		t.Setenv("COMP_LINE", line)
		if code, out, errs := call(); code != 0 || strings.TrimSpace(out) != want {
			t.Errorf("%s: exit code %d, %q %q, want %q", line, code, out, errs, want)
		}
	}
}

func TestVersion(t *testing.T) {
	if code, out, errs := call("--version"); code != 0 || !strings.Contains(out, "go1.") {
		t.Errorf("exit code %d, %q %q", code, out, errs)
	}
}
