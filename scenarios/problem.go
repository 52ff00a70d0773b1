package scenarios

import (
	"fmt"
	"strings"
)

// Problem is one fault of a scenario file.
type Problem struct {
	// File, Line and Column say where; Line 0 means that the place is not known.
	File         string
	Line, Column int
	// Path names the key, such as topology.partitions or faults[0].
	Path string
	// Message says what is wrong and what would be right.
	Message string
}

// String returns "file:line:column: path: message".
func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	if text != "" {
		text += ": "
	}
	if p.Path != "" {
		text += p.Path + ": "
	}
	return text + p.Message
}

// Problems is the error of a scenario that cannot be run: everything that is wrong with it.
type Problems []Problem

// Error returns one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}
