// Package moduleroot finds the folder of this module's go.mod, for tests and for tools: they run in the
// folder of a package, and what they look for lies beside go.mod.
package moduleroot

import (
	"fmt"
	"os"
	"path/filepath"
)

// Find walks up from the working directory.
func Find() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in %s or above", start)
		}
	}
}
