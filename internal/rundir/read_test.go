package rundir_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sluice/internal/rundir"
)

// TestReadersSayWhatIsWrong: what is not there, and of what is no file of results, which one and where.
func TestReadersSayWhatIsWrong(t *testing.T) {
	for name, read := range map[string]func(dir string) error{
		rundir.FileResult:   func(dir string) error { _, err := rundir.ReadResult(dir); return err },
		rundir.FileEvents:   func(dir string) error { _, err := rundir.ReadEvents(dir); return err },
		rundir.FileSamples:  func(dir string) error { _, err := rundir.ReadSamples(dir); return err },
		rundir.FileScenario: func(dir string) error { _, _, err := rundir.ReadScenario(dir); return err },
	} {
		dir := t.TempDir()
		err := read(dir)
		if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, rundir.ErrNotARun) != (name == rundir.FileResult) {
			t.Errorf("%s that is not there: %v", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("t,sent\n1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := read(dir); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s that is something else: %v", name, err)
		}
	}
}
