// Package storetest is what every Store has to pass: the conformance cases, and a differential
// property against the reference in memory.
package storetest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"sluice/buffer"
	"sluice/buffer/conformance"
	"sluice/internal/moduleroot"
)

// Store is a Store that can tell what it holds.
type Store = conformance.Store

// Codec reads and writes spans.
type Codec = conformance.Codec

// Factory opens an empty store that is gone when the test ends.
type Factory func(tb testing.TB, options buffer.Options) Store

// CasesVariable names the environment variable that points to another folder of cases.
const CasesVariable = "SLUICE_CASES"

// readCases reads the folder of CasesVariable, or the project's own cases. A test runs in the folder
// of its package, so a relative folder is looked up from the module's root too, where whoever typed it
// most likely stood.
func readCases() ([]conformance.File, error) {
	dir := os.Getenv(CasesVariable)
	if dir == "" {
		return conformance.Files()
	}
	root, err := moduleroot.Find()
	if err != nil {
		return nil, err
	}
	for _, candidate := range []string{dir, filepath.Join(root, dir)} {
		if info, err := os.Stat(candidate); err == nil && info.IsDir() {
			return conformance.Read(os.DirFS(candidate))
		}
	}
	return nil, fmt.Errorf("%s=%s is no folder, neither from here nor from %s",
		CasesVariable, dir, root)
}

// Subject is what the cases are run against.
type Subject struct {
	// Name of the Store, as it stands in the report.
	Name string
	// Open opens the Store.
	Open Factory
	// Codec makes the codec for a limit of segment bytes.
	Codec func(limit buffer.Bytes) Codec
	// ShardMap distributes shards over at most so many processes.
	ShardMap func(shards []buffer.Shard, processes int) ([][]buffer.Shard, error)
}

// Conformance runs every case of the project, or of the folder that CasesVariable names, against
// the subject, and logs one line per file.
func Conformance(t *testing.T, subject Subject) {
	t.Helper()
	files, err := readCases()
	if err != nil {
		t.Fatalf("read conformance cases: %v", err)
	}
	for _, file := range files {
		runs := 0
		for _, c := range file.Cases {
			t.Run(file.Name+"/"+c.Name, func(t *testing.T) {
				n, err := c.Run(t.Context(), conformance.Subject{
					Open:  func(o buffer.Options) (Store, error) { return subject.Open(t, o), nil },
					Codec: subject.Codec, ShardMap: subject.ShardMap,
				})
				runs += n
				if err != nil {
					t.Fatal(err)
				}
			})
		}
		t.Logf("%s on %s: %d cases in %d variants", file.Name, subject.Name, len(file.Cases), runs)
	}
}
