package scenarios

import (
	"fmt"

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
