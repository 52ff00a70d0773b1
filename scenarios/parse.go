package scenarios

import (
	"errors"

	"sluice/internal/yamlfile"
)

// Read reads a scenario file; file is its name in errors. Every key must be known, written once,
// and hold a value of its kind. What is left out gets its default. The error is yamlfile.Problems,
// with everything that is wrong.
func Read(file string, text []byte) (Scenario, error) {
	s, _, err := ReadWith(file, text)
	return s, err
}

// ReadWith reads a scenario file and changes it by lines "path=value", as a command line gives
// them: "workload.rate=constant 9000/s". It also returns where each key was written.
func ReadWith(file string, text []byte, sets ...string) (Scenario, yamlfile.Places, error) {
	return Around{Restarts: true}.read(file, text, sets)
}

// read reads and checks in one go, so that all that is wrong is said at once.
func (a Around) read(file string, text []byte, sets []string) (Scenario, yamlfile.Places, error) {
	s := Default()
	var problems yamlfile.Problems
	places, err := yamlfile.Read(file, text, &s)
	switch {
	case places == nil && err == nil:
		return Scenario{}, nil, yamlfile.Problems{{Place: yamlfile.Place{File: file},
			Message: "the file is empty; a scenario has at least a name"}}
	case places == nil || err != nil && !errors.As(err, &problems):
		return Scenario{}, nil, err
	}
	for _, set := range sets {
		var more yamlfile.Problems
		if errors.As(places.Set(&s, set), &more) {
			problems = append(problems, more...)
		}
	}
	s.resolve()
	found := a.check(&s, places, problems.Unread())
	places.Of(found)
	if err := append(problems, found...).Err(); err != nil {
		return Scenario{}, nil, err
	}
	return s, places, nil
}
