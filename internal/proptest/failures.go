package proptest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/internal/moduleroot"
)

// failures is the file of the failing cases of one test: a line "seed:size property" each.
type failures struct {
	dir, test string
}

func (f failures) path() string {
	return filepath.Join(f.dir, strings.NewReplacer("/", "_", " ", "_").Replace(f.test)+".txt")
}

// read returns the cases of a property, in the order in which they were found.
func (f failures) read(property string) ([]Case, error) {
	file, err := os.Open(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read saved failures: %w", err)
	}
	defer file.Close()
	var cases []Case
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, of, _ := strings.Cut(line, " ")
		one, err := ParseCase(text)
		if err != nil {
			return nil, fmt.Errorf("saved failures %s:%d: %w", f.path(), n, err)
		}
		if of == property {
			cases = append(cases, one)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read saved failures: %w", err)
	}
	return cases, nil
}

// add appends a case unless the file has it already.
func (f failures) add(property string, one Case) error {
	known, err := f.read(property)
	if err != nil || slices.Contains(known, one) {
		return err
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(f.path(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%v %s\n", one, property)
	return errors.Join(err, file.Close())
}

// command returns what runs one case alone, to be pasted at the root of the module.
func (c *checker) command(one Case) string {
	// Each level of a subtest is a pattern of its own.
	levels := strings.Split(c.t.Name(), "/")
	for i, level := range levels {
		levels[i] = "^" + level + "$"
	}
	return fmt.Sprintf("%s=%v go test %s -count=1 -run '%s'",
		SeedVariable, one, packagePattern(), strings.Join(levels, "/"))
}

// packagePattern names the package under test, whose folder is the working directory of a test.
func packagePattern() string {
	root, err := moduleroot.Find()
	if err != nil {
		return "."
	}
	here, err := os.Getwd()
	if err != nil {
		return "."
	}
	below, err := filepath.Rel(root, here)
	if err != nil {
		return "."
	}
	return "./" + filepath.ToSlash(below)
}
