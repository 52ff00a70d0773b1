package purity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// listed is what `go list` says of a package; Imports leave out those of test files.
type listed struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
	Deps       []string
	Export     string
}

// list asks `go list` in dir with further flags and patterns.
func list(dir string, args ...string) ([]listed, error) {
	cmd := exec.Command("go", append([]string{"list", "-json"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %v: %w\n%s", args, err, &stderr)
	}
	var all []listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list %v: %w", args, err)
		}
		all = append(all, p)
	}
}

// typed is a package with its syntax and what each name in it means.
type typed struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// typecheck loads the packages' non-test files. Imports come from the compiler's export data,
// which `go list -export` makes where it is missing.
func typecheck(dir string, paths ...string) ([]typed, error) {
	all, err := list(dir, append([]string{"-export", "-deps"}, paths...)...)
	if err != nil {
		return nil, err
	}
	byPath := make(map[string]listed, len(all))
	for _, p := range all {
		byPath[p.ImportPath] = p
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(byPath[path].Export)
	})
	var out []typed
	for _, path := range paths {
		p, ok := byPath[path]
		if !ok {
			return nil, fmt.Errorf("package %s is not there: was it renamed?", path)
		}
		t, err := check(p, fset, imports)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func check(p listed, fset *token.FileSet, imports types.Importer) (typed, error) {
	t := typed{path: p.ImportPath, fset: fset, info: &types.Info{
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
		Types: map[ast.Expr]types.TypeAndValue{},
	}}
	for _, name := range append(p.GoFiles, p.CgoFiles...) {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			return t, fmt.Errorf("parse: %w", err)
		}
		t.files = append(t.files, f)
	}
	conf := types.Config{Importer: imports}
	if _, err := conf.Check(p.ImportPath, fset, t.files, t.info); err != nil {
		return t, fmt.Errorf("type check %s: %w", p.ImportPath, err)
	}
	return t, nil
}
