// Package yamlfile reads the YAML that people write: scenarios, configuration, rules of the kill
// switch. It is strict, and an error has file, line, column and what would be right. In a key, a
// dash is as good as an underscore, since the same words are flags.
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Read reads a file into what target points to: structs with yaml tags, slices, and single values,
// which may be encoding.TextUnmarshalers. Every key must be known, written once, and hold a value
// of its kind; what is left out stays as it is. In a field with a tag off:"0s", the word off stands
// for that. The error is Problems, with everything that is wrong; the rest of the file was read all
// the same, unless there are no Places: then it is not YAML, or empty.
func Read(file string, text []byte, target any) (Places, error) {
	r := &reader{file: file, places: Places{}}
	root, err := r.parse(text)
	if err != nil || root == nil {
		return nil, err
	}
	r.value(root, "", reflect.ValueOf(target).Elem(), "")
	return r.places, r.problems.Err()
}

// Setting is a key of a file without further keys, and its values as they are written: one, or
// those of a list.
type Setting struct {
	Key    string
	Values []string
	// At is where the value begins.
	At Place
}

// ReadSettings reads a file of known keys to single values, or lists of them. The settings that are
// right are returned also with an error, which is Problems.
func ReadSettings(file string, text []byte, known []string) ([]Setting, error) {
	r := &reader{file: file}
	root, err := r.parse(text)
	if err != nil || root == nil {
		return nil, err
	}
	var settings []Setting
	r.pairs(root, "", known, func(i int, value ast.Node) {
		nodes := []ast.Node{value}
		if list, ok := value.(*ast.SequenceNode); ok {
			nodes = list.Values
		}
		s := Setting{Key: known[i], At: r.place(value)}
		for _, node := range nodes {
			word, ok := scalarText(node)
			if !ok {
				r.notSingle(node, known[i], "a single value, or a list of them,")
				return
			}
			s.Values = append(s.Values, word)
		}
		settings = append(settings, s)
	})
	return settings, r.problems.Err()
}

// reader collects the problems and the places of what was read.
type reader struct {
	file     string
	problems Problems
	places   Places
	// oneLine is true for a flag, whose problems have no line.
	oneLine bool
}

var byteOrderMark = []byte("\ufeff")

// parse returns the root of the file, nil if the file is empty.
func (r *reader) parse(text []byte) (ast.Node, error) {
	tree, err := parser.ParseBytes(bytes.TrimPrefix(text, byteOrderMark), 0,
		parser.AllowDuplicateMapKey()) // pairs has more to say of those
	if err != nil {
		return nil, r.syntax(err)
	}
	var root ast.Node
	for _, doc := range tree.Docs {
		switch doc.Body.(type) {
		case nil, *ast.NullNode, *ast.CommentGroupNode:
			continue
		}
		if root != nil {
			r.problem(doc.Body, "", "a second document begins here, but a file holds one")
			return nil, r.problems
		}
		root = doc.Body
	}
	return root, nil
}

// syntax is what is said of a text that is not YAML.
func (r *reader) syntax(err error) Problems {
	p := Problem{Place: Place{File: r.file}, Message: "not valid YAML: " + err.Error()}
	var syntax interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		p.Place = r.at(syntax.GetToken())
		p.Message = "not valid YAML: " + syntax.GetMessage()
		if strings.Contains(p.Message, "value is not allowed in this context") {
			p.Message += colonHint
		}
	}
	return Problems{p}
}

func (r *reader) problem(at ast.Node, path, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.place(at), path, fmt.Sprintf(format, args...),
		[]string{path}})
}

// unread says of which keys the last problem leaves the values unknown.
func (r *reader) unread(keys ...string) { r.problems[len(r.problems)-1].Unread = keys }

// place returns where a node begins: a mapping's own token is the colon of its first key.
func (r *reader) place(at ast.Node) Place {
	if node, ok := at.(*ast.MappingNode); ok && len(node.Values) > 0 && !node.IsFlowStyle {
		at = node.Values[0].Key
	}
	return r.at(at.GetToken())
}

func (r *reader) at(t *token.Token) Place {
	if r.oneLine {
		return Place{File: r.file}
	}
	return Place{r.file, t.Position.Line, t.Position.Column}
}
