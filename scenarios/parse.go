package scenarios

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Read reads a scenario file; file is its name in errors. Every key must be known, written once,
// and hold a value of its kind. What is left out gets its default. The error is Problems, with
// everything that is wrong.
func Read(file string, text []byte) (Scenario, error) {
	s, _, err := ReadWith(file, text)
	return s, err
}

// ReadWith reads a scenario file and changes it by lines "path=value", as a command line gives them:
// "workload.rate=constant 9000/s". It also returns where each key was written.
func ReadWith(file string, text []byte, sets ...string) (Scenario, Places, error) {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Scenario{}, nil, syntaxProblem(file, err)
	}
	r := &reader{file: file, places: map[string]*token.Position{}}
	s := Default()
	switch {
	case len(tree.Docs) > 1:
		r.problem(tree.Docs[1].Body, "", "a file holds one scenario, but a second document begins here")
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil:
		r.problems = append(r.problems, Problem{File: file, Message: "the file is empty; " +
			"a scenario has at least a name"})
	default:
		r.into(tree.Docs[0].Body, "", &s)
	}
	if len(r.problems) > 0 {
		return Scenario{}, nil, r.problems
	}
	places := Places{"": {File: file}}
	//order-free: each goes to its own place
	for path, at := range r.places {
		places[path] = Place{file, at.Line, at.Column}
	}
	for _, set := range sets {
		if err := s.set(set, places); err != nil {
			return Scenario{}, nil, err
		}
	}
	s.resolve()
	if err := s.Validate(); err != nil {
		return Scenario{}, nil, places.Of(err)
	}
	return s, places, nil
}

// reader collects the problems and the places of what was read.
type reader struct {
	file     string
	problems Problems
	places   map[string]*token.Position
}

func (r *reader) problem(at ast.Node, path, format string, args ...any) {
	position := startOf(at)
	r.problems = append(r.problems, Problem{
		File: r.file, Line: position.Line, Column: position.Column,
		Path: path, Message: fmt.Sprintf(format, args...),
	})
}

// startOf returns where a node begins: a mapping's own token is the colon of its first key.
func startOf(at ast.Node) *token.Position {
	switch node := at.(type) {
	case *ast.MappingNode:
		if len(node.Values) > 0 && !node.IsFlowStyle {
			return startOf(node.Values[0])
		}
	case *ast.MappingValueNode:
		return node.Key.GetToken().Position
	}
	return at.GetToken().Position
}

var syntaxPlace = regexp.MustCompile(`(?s)^\[(\d+):(\d+)\] ([^\n]*)`)

// syntaxProblem turns "[line:column] message" and the source excerpt below it into a problem.
func syntaxProblem(file string, err error) error {
	p := Problem{File: file, Message: err.Error()}
	if m := syntaxPlace.FindStringSubmatch(err.Error()); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Column, _ = strconv.Atoi(m[2])
		p.Message = m[3]
	}
	p.Message = "not valid YAML: " + p.Message
	return Problems{p}
}
