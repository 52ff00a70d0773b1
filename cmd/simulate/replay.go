package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"sluice/internal/process"
	"sluice/internal/rundir"
	"sluice/internal/worlds/wall/real"
)

// replay returns the flags that name the same world again.
func (f worldFlags) replay() string {
	text := " --world " + f.World + f.sameServers() + f.words()
	if f.Defect != "" {
		text += " --defect " + f.Defect
	}
	for _, fault := range f.Ports {
		text += " --port-fault " + quote(strings.ReplaceAll(fault, "\n", ", "))
	}
	return text
}

// sameServers returns the flags that name the same servers again; only world real has any.
func (f worldFlags) sameServers() string {
	switch {
	case f.Servers != "":
		return " --servers " + f.Servers
	case f.World == real.World{}.Name():
		return " --redis " + quote(strings.Join(f.Redis, ",")) + " --kafka " + quote(strings.Join(f.Kafka, ",")) +
			f.loginFlags.replay()
	}
	return ""
}

// replay returns the command that runs the same scenario again: the flags that were given, with
// the seed, if there is one more than that.
func (f scenarioFlags) replay(seed uint64) string {
	return " " + quote(f.Scenario) + " --seed " + strconv.FormatUint(seed, 10) + f.changes()
}

// changes returns the flags that change the scenario, but for the seed.
func (f scenarioFlags) changes() string {
	text := ""
	if f.Duration != nil {
		text += " --duration " + f.Duration.String()
	}
	if f.Rate != nil {
		text += " --rate " + quote(f.Rate.String())
	}
	if f.NoFaults {
		text += " --no-faults"
	}
	for _, set := range f.Set {
		text += " --set " + quote(set)
	}
	return text
}

// replayScript is a shell script that runs a scenario again which lies beside it, with the costs that
// do if they are not the built-in ones, from any working directory. It goes back to where this program
// was started: go run needs its module, and started servers are looked for from there.
func replayScript(world worldFlags) string {
	costs := ""
	if world.flag() != "" {
		costs, world.costFlags = flagCosts+`"$here/`+rundir.FileCosts+`"`, costFlags{}
	}
	start, _ := os.Getwd() // an error is one of the script, too
	command := program()
	if self, err := os.Executable(); err == nil && !byGoRun(self) {
		command = quote(self)
	}
	return fmt.Sprintf(`#!/bin/sh
# The same load and the same faults again: replay.sh [FLAG...]
# Made by simulate %s.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit
cd %s || exit
exec %s run "$here/%s"%s%s --out "$here-replay" "$@"
`, process.Version(), quote(start), command, rundir.FileScenario, world.replay(), costs)
}

// program is how this program was started, as a command for the working directory.
func program() string {
	self, err := os.Executable()
	if err == nil && !byGoRun(self) {
		return quote(os.Args[0])
	}
	const here = "./cmd/simulate"
	if _, err := os.Stat(here); err == nil {
		return "go run " + here
	}
	return "go run sluice/cmd/simulate"
}

// goRun finds the places where go run and go test keep a program: a folder for the moment, or the
// build cache.
var goRun = regexp.MustCompile(`/go-build|/[0-9a-f]{64}-d/`)

func byGoRun(self string) bool { return goRun.MatchString(filepath.ToSlash(self)) }

// plain words mean themselves to a shell.
var plain = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// quote writes a word for a shell.
func quote(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
