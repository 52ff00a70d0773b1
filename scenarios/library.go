package scenarios

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"sluice/internal/options"
	"sluice/internal/yamlfile"
)

//go:embed library/*.yaml museum/*.yaml
var library embed.FS

// List returns the names of the library's scenarios, sorted.
func List() []string { return namesIn("library") }

// Museum returns the names of the scenarios that show a defect, which are called as it is. They are
// found by Load, too.
func Museum() []string { return namesIn("museum") }

func namesIn(dir string) []string {
	entries, err := library.ReadDir(dir)
	if err != nil {
		panic("the embedded library cannot be read: " + err.Error())
	}
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = strings.TrimSuffix(entry.Name(), ".yaml")
	}
	slices.Sort(names)
	return names
}

// Load returns the scenario of that name, of the library or the museum, or, if nameOrFile looks like a path (it has a
// slash or ends in .yaml or .yml), the one in that file, read by readFile. The error for an
// unknown name holds the names that are known; that for a bad file is yamlfile.Problems.
func Load(nameOrFile string, readFile func(path string) ([]byte, error)) (Scenario, error) {
	s, _, err := LoadWith(nameOrFile, readFile)
	return s, err
}

// LoadWith is Load with the changes of ReadWith.
func LoadWith(
	nameOrFile string, readFile func(path string) ([]byte, error), sets ...string,
) (Scenario, yamlfile.Places, error) {
	return Around{Restarts: true}.Load(nameOrFile, readFile, sets...)
}

// Load is LoadWith for a run of which more is known.
func (a Around) Load(
	nameOrFile string, readFile func(path string) ([]byte, error), sets ...string,
) (Scenario, yamlfile.Places, error) {
	ext := path.Ext(nameOrFile)
	if strings.Contains(nameOrFile, "/") || ext == ".yaml" || ext == ".yml" {
		text, err := readFile(nameOrFile)
		if err != nil {
			return Scenario{}, nil, fmt.Errorf("read scenario: %w", err)
		}
		return a.read(nameOrFile, text, sets)
	}
	dir := "library"
	if slices.Contains(Museum(), nameOrFile) {
		dir = "museum"
	} else if !slices.Contains(List(), nameOrFile) {
		return Scenario{}, nil, fmt.Errorf("unknown scenario %q%s, or the path of a .yaml file",
			nameOrFile, options.Hint(nameOrFile, List()))
	}
	file := dir + "/" + nameOrFile + ".yaml"
	text, err := library.ReadFile(file)
	if err != nil {
		return Scenario{}, nil, err
	}
	return a.read(file, text, sets)
}
