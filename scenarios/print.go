package scenarios

import (
	"fmt"
	"iter"
	"strings"

	"github.com/goccy/go-yaml"

	"sluice/buffer"
	"sluice/internal/options"
)

// String returns the scenario as YAML with everything filled in. Read accepts it.
func (s Scenario) String() string {
	// The forms that may be a bare number are written without the quotes that the encoder would put
	// around a text.
	text, err := yaml.MarshalWithOptions(s, yaml.IndentSequence(true),
		yaml.CustomMarshaler(Processes.MarshalText), yaml.CustomMarshaler(Count.MarshalText),
		yaml.CustomMarshaler(Spread.MarshalText),
		yaml.CustomMarshaler(func(b buffer.Bytes) ([]byte, error) {
			return []byte(options.FormatSize(b)), nil
		}))
	if err != nil {
		panic(fmt.Sprintf("scenario %q cannot be written as YAML: %v", s.Name, err))
	}
	return string(text)
}

// Brief is String without what has its default, for a reader. Read makes the same scenario of it.
func (s Scenario) Brief() string {
	usual := map[string]bool{}
	for path, lines := range keysOf(Default().String()) {
		usual[path+lines] = true
	}
	text, section := "", ""
	for path, lines := range keysOf(s.String()) {
		in, _, nested := strings.Cut(path, ".")
		switch {
		case usual[path+lines]:
			continue
		case nested && in != section:
			text += in + ":\n"
		}
		section = in
		text += lines
	}
	return text
}

// keysOf yields the path of each key of a printed scenario that has a value, with its lines.
func keysOf(text string) iter.Seq2[string, string] {
	return func(yield func(path, lines string) bool) {
		path, lines, section := "", "", ""
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			indent := len(line) - len(strings.TrimLeft(line, " "))
			begins := indent == 0 || indent == 2 && section != "" && !strings.HasPrefix(key, "-")
			if !begins {
				lines += line
				continue
			}
			if path != "" && !yield(path, lines) {
				return
			}
			path, lines = key, line
			switch {
			case indent > 0:
				path = section + "." + key
			case value == "":
				section = key
				if key != "faults" && key != "port_faults" {
					path, lines = "", "" // the keys follow
				} else {
					section = ""
				}
			default:
				section = ""
			}
		}
		if path != "" {
			yield(path, lines)
		}
	}
}
