package yamlfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Problem is one fault of a file.
type Problem struct {
	// Place says where, as far as it is known.
	Place
	// Path names the key, such as topology.partitions or faults[0].
	Path string
	// Message says what is wrong and what would be right.
	Message string
	// Unread are the keys whose values are not known because of it: that of Path, or those that an
	// unknown key was probably meant to be. Nothing can be said of them but this.
	Unread []string
}

// String returns "file:line:column: path: message".
func (p Problem) String() string {
	text := p.Place.String()
	if text != "" {
		text += ": "
	}
	if p.Path != "" {
		text += p.Path + ": "
	}
	return text + p.Message
}

// Problems is the error of a file that cannot be used: everything that is wrong with it.
type Problems []Problem

// Err returns the problems as an error, in the order of the file and each once, flags last; nil if
// there are none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	sorted := slices.Clone(p)
	slices.SortStableFunc(sorted, func(a, b Problem) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(min(b.Line, 1), min(a.Line, 1))
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(sorted, func(a, b Problem) bool { return a.String() == b.String() })
}

// Unread returns the keys whose values are not known.
func (p Problems) Unread() []string {
	var keys []string
	for i := range p {
		keys = append(keys, p[i].Unread...)
	}
	return keys
}

// Error returns one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// Place is a place in a file; Line 0 means that the file has no lines (a flag of the command line).
type Place struct {
	File         string
	Line, Column int
}

// String returns "file:line:column".
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Places says where the value of each key of a file was written, by its path, so that what is found
// out later can name the place. The zero value knows no place.
type Places map[string]Place

// Of gives Problems the place of the key they name, or of the nearest key above it if that was left
// out. Other errors stay as they are.
func (p Places) Of(err error) error {
	var problems Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i := range problems {
		for path := problems[i].Path; ; {
			if at, ok := p[path]; ok {
				problems[i].Place = at
				break
			}
			if path == "" {
				break
			}
			path = path[:max(0, strings.LastIndexAny(path, ".["))]
		}
	}
	return problems
}
