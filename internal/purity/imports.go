package purity

import (
	"fmt"
	"slices"
	"strings"
)

// checkImports says, one line each, which imports among the project's packages break a rule. Deps
// are the imports of imports, all the way.
func checkImports(packages []listed) []string {
	var faults []string
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Sprintf(format, args...))
	}
	for _, p := range packages {
		own, inProject := inModule(p.ImportPath)
		if !inProject {
			continue
		}
		if layerOf(own) < 0 {
			fault("%s is in no layer: give it one in rules.go", own)
			continue
		}
		for _, imported := range p.Imports {
			why := badDirection(own, imported)
			if why == "" {
				why = impureImport(own, imported)
			}
			if why != "" {
				fault("%s imports %s: %s", own, imported, why)
			}
		}
		if p.ImportPath == production {
			for _, dep := range p.Deps {
				if within(dep, notInProduction) {
					fault("%s reaches %s: production has nothing of simulator, harness or tests",
						own, dep)
				}
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// badDirection says what is wrong with one import between the project's packages, or nothing.
func badDirection(own, imported string) string {
	target, inProject := inModule(imported)
	switch {
	case !inProject:
		return ""
	case layerOf(target) > layerOf(own):
		return fmt.Sprintf("layer %d must not know layer %d", layerOf(own), layerOf(target))
	case within(target, []string{"cmd"}) && programOf(target) != programOf(own):
		return "what is below a program is its own"
	case within(target, []string{worlds}) && !within(own, []string{"cmd", target}) &&
		!within(target, []string{own}):
		return "only programs and tests know a world; another world does not"
	}
	return ""
}

// impureImport says what is wrong with one import if the package is to be pure, or nothing.
func impureImport(own, imported string) string {
	target, inProject := inModule(imported)
	switch {
	case !slices.Contains(purePackages, own):
		return ""
	case inProject && !slices.Contains(purePackages, target) && target != alsoImported[own]:
		return "a pure package imports of the project only pure ones"
	case inProject:
		return ""
	case within(imported, impureStd):
		return "a pure package reaches the machine through ports only"
	case isStandard(imported), within(imported, pureThirdParty):
		return ""
	}
	return "a pure package imports no third-party package outside pureThirdParty"
}

// inModule cuts the module's name off.
func inModule(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// programOf cuts "cmd/run/internal/x" to "cmd/run".
func programOf(path string) string {
	elements := strings.SplitN(path, "/", 3)
	return strings.Join(elements[:min(2, len(elements))], "/")
}

// isStandard tells the standard library by Go's own rule: no dot in the first element.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// layerOf is the layer of the longest entry that path starts with, or -1.
func layerOf(path string) int {
	best, layer := "", -1
	for entry, l := range layers {
		if within(path, []string{entry}) && len(entry) > len(best) {
			best, layer = entry, l
		}
	}
	return layer
}
