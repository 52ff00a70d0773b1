package purity

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const architecture = "docs/architecture.md"

var quoted = regexp.MustCompile("`([^`]+)`")

// documented returns the packages that the first column of the table of packages names, without
// the module's name.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleDir, architecture))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n| package |")
	if !found {
		t.Fatalf("%s has no table that begins with a column named package", architecture)
	}
	rows, _, _ := strings.Cut(rest, "\n\n")
	named := make(map[string]bool)
	for row := range strings.Lines(rows) {
		cells := strings.SplitN(row, "|", 3)
		if len(cells) < 3 || cells[0] != "" {
			continue // what Cut left of the head
		}
		for _, match := range quoted.FindAllStringSubmatch(cells[1], -1) {
			named[match[1]] = true
		}
	}
	return named
}

// TestDocsNameEveryPackage: the table names each package of the module, and no other.
func TestDocsNameEveryPackage(t *testing.T) {
	all, err := list(moduleDir, "./...")
	if err != nil {
		t.Fatal(err)
	}
	named := documented(t)
	for _, p := range all {
		path, _ := inModule(p.ImportPath)
		if !named[path] {
			t.Errorf("the table of packages in %s has no %s", architecture, path)
		}
		delete(named, path)
	}
	for path := range named {
		t.Errorf("%s names the package %s, which is not there", architecture, path)
	}
}
