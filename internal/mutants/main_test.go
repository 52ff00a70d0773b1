package main

import (
	"strings"
	"testing"
)

// A change whose place is gone would notice nothing for ever, so the list follows the program.
func TestEveryMutantApplies(t *testing.T) {
	t.Chdir("../..")
	list, err := parse(listText)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		if _, err := m.overlay(t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	const whole = "== a\nfile main.go\n- x\n+ y\ntest ./internal/mutants Parse\n"
	if list, err := parse("# words\n\n" + whole); err != nil || len(list) != 1 {
		t.Fatalf("%d mutants, %v, want one", len(list), err)
	}
	for text, want := range map[string]string{
		whole + whole:                 "listed twice",
		"== a\n- x\n":                 "before the file's name",
		"== a\nfiles x\n":             "is none of",
		"== a\nfile x\ntest p T\n":    "changes nothing",
		"== a\nfile x\n- y\n":         "want tests",
		"== a\nfile x\n- y\ntest p\n": "a package and the tests",
		"== a\nfile x\n- y\nequivalent z\nvirtual run hang\n":       "nothing can notice it",
		"== a\nfile x\n- y\ntest p T\nvirtual run hang\nunseen z\n": "not both",
	} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestApplyWantsOnePlace(t *testing.T) {
	const text = "a\n\tb\nc\n\tb\nd"
	h := hunk{file: "f", old: []string{"b", "c"}, new: []string{"x"}}
	if got, err := h.apply(text); err != nil || got != "a\nx\n\tb\nd" {
		t.Errorf("%q, %v", got, err)
	}
	for old, want := range map[string]string{"b": "lines 2 and 4", "e": "does not have"} {
		h.old = []string{old}
		if _, err := h.apply(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", old, err, want)
		}
	}
}
