package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// mutant is a change that some test must notice.
type mutant struct {
	name  string
	hunks []hunk
	tests []test
	// virtual are arguments of simulate: that run, in virtual time, must notice it as well.
	virtual string
	// unseen says why no run in virtual time can, where that is known.
	unseen string
	// equivalent says why nothing can notice it, or is empty.
	equivalent string
}

// hunk replaces lines of a file. Lines are compared without the space around them, and must stand
// in the file once.
type hunk struct {
	file     string
	old, new []string
}

// test is what go test runs: the tests of a package whose names match.
type test struct{ pkg, run string }

func (t test) String() string { return t.pkg + " -run " + t.run }

// parse reads a list of mutants. Its form is that of list.txt, whose head describes it.
func parse(text string) ([]mutant, error) {
	var list []mutant
	names := make(map[string]bool)
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			if names[name] {
				return nil, fmt.Errorf("line %d: %q is listed twice", number, name)
			}
			names[name] = true
			list = append(list, mutant{name: name})
			continue
		}
		if len(list) == 0 || line == "" || line[0] == '#' {
			continue
		}
		if err := list[len(list)-1].add(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	for _, m := range list {
		if err := m.validate(); err != nil {
			return nil, fmt.Errorf("%q: %w", m.name, err)
		}
	}
	return list, nil
}

// add takes a line of the mutant.
func (m *mutant) add(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	if (word == "-" || word == "+") && len(m.hunks) == 0 {
		return errors.New("a changed line before the file's name")
	}
	switch word {
	case "file":
		m.hunks = append(m.hunks, hunk{file: rest})
	case "test":
		pkg, run, _ := strings.Cut(rest, " ")
		m.tests = append(m.tests, test{pkg, run})
	case "virtual":
		m.virtual = rest
	case "unseen":
		m.unseen = rest
	case "equivalent":
		m.equivalent = rest
	case "-":
		h := &m.hunks[len(m.hunks)-1]
		h.old = append(h.old, rest)
	case "+":
		h := &m.hunks[len(m.hunks)-1]
		h.new = append(h.new, rest)
	default:
		return fmt.Errorf("%q is none of ==, file, test, virtual, unseen, equivalent, - and +", word)
	}
	return nil
}

func (m *mutant) validate() error {
	empty := func(h hunk) bool { return len(h.old) == 0 }
	if len(m.hunks) == 0 || slices.ContainsFunc(m.hunks, empty) {
		return errors.New("it changes nothing: want a file and lines of it")
	}
	if (len(m.tests) > 0) == (m.equivalent != "") {
		return errors.New("want tests that notice it, or why none can")
	}
	if m.virtual != "" && m.equivalent != "" {
		return errors.New("nothing can notice it, so no run in virtual time either")
	}
	if m.virtual != "" && m.unseen != "" {
		return errors.New("a run in virtual time notices it, or none can: not both")
	}
	if slices.ContainsFunc(m.tests, func(t test) bool { return t.run == "" }) {
		return errors.New("want a package and the tests of it")
	}
	return nil
}

// apply returns the text with the hunk's change.
func (h hunk) apply(text string) (string, error) {
	lines := strings.SplitAfter(text, "\n")
	at := -1
	for i := range lines {
		if !h.stands(lines[i:]) {
			continue
		}
		if at >= 0 {
			return "", fmt.Errorf("%s has the old text on lines %d and %d", h.file, at+1, i+1)
		}
		at = i
	}
	if at < 0 {
		return "", fmt.Errorf("%s does not have the old text", h.file)
	}
	var changed strings.Builder
	for _, line := range h.new {
		changed.WriteString(line + "\n")
	}
	lines = slices.Replace(lines, at, at+len(h.old), changed.String())
	return strings.Join(lines, ""), nil
}

// stands tells whether the lines begin with the old ones.
func (h hunk) stands(lines []string) bool {
	if len(lines) < len(h.old) {
		return false
	}
	for i, old := range h.old {
		if strings.TrimSpace(lines[i]) != strings.TrimSpace(old) {
			return false
		}
	}
	return true
}
