package scenarios

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// String returns the scenario as YAML with everything filled in. Read accepts it.
func (s Scenario) String() string {
	text, err := yaml.MarshalWithOptions(s, yaml.IndentSequence(true))
	if err != nil {
		panic(fmt.Sprintf("scenario %q cannot be written as YAML: %v", s.Name, err))
	}
	return string(text)
}

// The forms that may be a bare number are written without the quotes that the encoder would put
// around a text.

// MarshalYAML writes the text form without quotes.
func (p Processes) MarshalYAML() ([]byte, error) { return p.MarshalText() }

// MarshalYAML writes the text form without quotes.
func (c Count) MarshalYAML() ([]byte, error) { return c.MarshalText() }

// MarshalYAML writes the text form without quotes.
func (s Spread) MarshalYAML() ([]byte, error) { return s.MarshalText() }
