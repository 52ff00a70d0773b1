package moduleroot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	top := t.TempDir()
	below := filepath.Join(top, "a", "b")
	if err := os.MkdirAll(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(below)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if root, err := Find(); err == nil || !strings.Contains(err.Error(), here) {
		t.Errorf("without a go.mod: %q, %v; want an error that names %s", root, err, here)
	}
	if err := os.WriteFile(filepath.Join(top, "go.mod"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := Find()
	if want := filepath.Dir(filepath.Dir(here)); err != nil || root != want {
		t.Errorf("found %q, %v; want %s", root, err, want)
	}
}
