package scenarios

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// set changes the scenario by one "path=value" of a command line: workload.rate=constant 9000/s, or
// faults=[at 5s crash worker 1]. The value is written as in the file; a list replaces the whole
// list.
func (s *Scenario) set(text string, places Places) error {
	path, value, ok := strings.Cut(text, "=")
	if !ok || path == "" {
		return Problems{{File: "--set " + text,
			Message: "write path=value, such as workload.rate=constant 9000/s"}}
	}
	tree, err := parser.ParseBytes([]byte(value), 0)
	if err != nil {
		return syntaxProblem("--set "+text, err)
	}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return Problems{{File: "--set " + text, Path: path, Message: "there is no value behind the ="}}
	}
	r := &reader{file: "--set " + text, places: map[string]*token.Position{}}
	field, err := s.field(path)
	if err != nil {
		return Problems{{File: "--set " + text, Message: err.Error()}}
	}
	r.value(tree.Docs[0].Body, path, field)
	if len(r.problems) > 0 {
		for i := range r.problems {
			r.problems[i].Line, r.problems[i].Column = 0, 0 // there is but one line
		}
		return r.problems
	}
	places.override(path, r.file)
	return nil
}

// unknownKey is what is said of a key in a path that does not exist.
func unknownKey(key, path string, known []string) error {
	return fmt.Errorf("unknown key %q in %q%s", key, path, hint(key, known))
}
