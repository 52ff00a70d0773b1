package scenarios

import "sluice/internal/yamlfile"

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
	s := Default()
	places, err := yamlfile.Read(file, text, &s)
	if err == nil && places == nil {
		err = yamlfile.Problems{{Place: yamlfile.Place{File: file},
			Message: "the file is empty; a scenario has at least a name"}}
	}
	if err != nil {
		return Scenario{}, nil, err
	}
	for _, set := range sets {
		if err := places.Set(&s, set); err != nil {
			return Scenario{}, nil, err
		}
	}
	s.resolve()
	if err := s.Validate(); err != nil {
		return Scenario{}, nil, places.Of(err)
	}
	return s, places, nil
}
