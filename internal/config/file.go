package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"sluice/internal/editdistance"
)

// fileBytesMax bounds a configuration file.
const fileBytesMax = 1 << 20

// setting is one key of the file.
type setting struct {
	flag   string
	values []string // one, or those of a list
	at     string   // "file:line:column" of the key
}

// readFile reads a YAML mapping of flag names to scalars or lists of them. In a name "_" is as good
// as "-". known are the flags. The error names every fault with its place; what is right is returned
// all the same.
func readFile(path string, known []string) ([]setting, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlError(path, err)
	}
	var settings []setting
	var faults []error
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		pairs, err := pairsOf(path, doc.Body)
		faults = append(faults, err)
		for _, pair := range pairs {
			s, err := readPair(path, pair, known)
			twice := slices.IndexFunc(settings, func(o setting) bool { return o.flag == s.flag })
			if err == nil && twice >= 0 {
				err = fmt.Errorf("%s: %q stands there already, at %s", s.at, s.flag, settings[twice].at)
			}
			if err != nil {
				faults = append(faults, err)
				continue
			}
			settings = append(settings, s)
		}
	}
	return settings, errors.Join(faults...)
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > fileBytesMax {
		return nil, fmt.Errorf("%s has %d bytes: want at most %d", path, info.Size(), fileBytesMax)
	}
	return os.ReadFile(path)
}

// yamlError puts the place first, as in the other errors.
func yamlError(path string, err error) error {
	var syntax interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &syntax) && syntax.GetToken() != nil {
		return fmt.Errorf("%s: %s", place(path, syntax.GetToken()), syntax.GetMessage())
	}
	return fmt.Errorf("%s: %w", path, err)
}

func place(path string, t *token.Token) string {
	return fmt.Sprintf("%s:%d:%d", path, t.Position.Line, t.Position.Column)
}

func pairsOf(path string, body ast.Node) ([]*ast.MappingValueNode, error) {
	switch node := body.(type) {
	case *ast.MappingNode:
		return node.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{node}, nil
	case *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	}
	return nil, fmt.Errorf("%s: want flags by name, as \"timeout: 60s\"", place(path, body.GetToken()))
}

func readPair(path string, pair *ast.MappingValueNode, known []string) (setting, error) {
	key := pair.Key.GetToken()
	s := setting{
		flag: strings.ReplaceAll(key.Value, "_", "-"),
		at:   place(path, key),
	}
	if !slices.Contains(known, s.flag) {
		return s, fmt.Errorf("%s: unknown key %q%s", s.at, key.Value, didYouMean(s.flag, known))
	}
	nodes := []ast.Node{pair.Value}
	if list, ok := pair.Value.(*ast.SequenceNode); ok {
		nodes = list.Values
	}
	for _, node := range nodes {
		value, ok := scalar(node)
		if !ok {
			return s, fmt.Errorf("%s: %q wants a single value, or a list of them",
				place(path, node.GetToken()), key.Value)
		}
		s.values = append(s.values, value)
	}
	return s, nil
}

// scalar returns a value as it is written.
func scalar(node ast.Node) (string, bool) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.NullNode:
		return "", false
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// didYouMean returns ", did you mean ...?" with the nearest words, or nothing.
func didYouMean(word string, known []string) string {
	var near []string
	for _, k := range known {
		if strings.HasPrefix(k, word) || editdistance.Of(word, k) <= 1+len(word)/5 {
			near = append(near, fmt.Sprintf("%q", k))
		}
	}
	if len(near) == 0 || len(near) > 5 {
		return ""
	}
	return ", did you mean " + strings.Join(near, " or ") + "?"
}
