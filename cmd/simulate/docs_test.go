package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/portfault"
	"sluice/internal/worlds/wall/fakes"
	"sluice/internal/worlds/wall/real"
	"sluice/scenarios"
	"sluice/sim"
)

var update = flag.Bool("update", false, "write the generated parts of docs/scenarios.md anew")

const docs = "../../docs/scenarios.md"

func readDocs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDocsTables compares what the docs list of keys, faults and scenarios with what there is.
func TestDocsTables(t *testing.T) {
	text := readDocs(t)
	fresh := between(t, text, "| key | unit |", keyRows())
	fresh = between(t, fresh, "| fault | virtual |", faultRows(t))
	fresh = between(t, fresh, "| fault | what happens |", portFaultRows())
	fresh = between(t, fresh, "| scenario | worlds |", scenarioRows(t))
	if *update {
		if err := os.WriteFile(docs, []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(fresh, text); diff != "" {
		t.Errorf("run go test ./cmd/simulate -run DocsTables -update: -want +got:\n%s", diff)
	}
}

// between replaces the rows of the table whose head begins like that.
func between(t *testing.T, text, head, rows string) string {
	t.Helper()
	before, rest, ok := strings.Cut(text, head)
	title, rest, ok2 := strings.Cut(rest, "\n")
	ruler, rest, ok3 := strings.Cut(rest, "\n")
	if !ok || !ok2 || !ok3 {
		t.Fatalf("the docs have no table that begins %q", head)
	}
	for strings.HasPrefix(rest, "|") {
		_, rest, _ = strings.Cut(rest, "\n")
	}
	return before + head + title + "\n" + ruler + "\n" + rows + rest
}

func keyRows() string {
	var rows strings.Builder
	code := func(text string) string {
		if text == "" || text == "none" {
			return text
		}
		return "`" + text + "`"
	}
	for _, key := range scenarios.Keys() {
		if key.IsSection() {
			continue
		}
		means := key.Means
		if key.Zero != "" {
			means += "; 0: " + key.Zero
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s | %s | %s | %s |\n", key.Path, key.Unit, code(key.Default()),
			key.Limits(), code(key.Example), means)
	}
	return rows.String()
}

func faultRows(t *testing.T) string {
	var rows strings.Builder
	for _, use := range scenarios.Uses() {
		var fault scenarios.Fault
		if err := fault.UnmarshalText([]byte(use.Example)); err != nil {
			t.Fatal(err)
		}
		form := strings.ReplaceAll(use.Form(), "|", ", ")
		fmt.Fprintf(&rows, "| `%s` |", form)
		for _, w := range []harness.World{
			sim.World{}, fakes.World{}, real.World{Servers: real.StartCluster}, real.World{},
		} {
			if w.Can(fault) == nil {
				rows.WriteString(" yes |")
			} else {
				rows.WriteString(" |")
			}
		}
		fmt.Fprintf(&rows, " %s `%s` |\n", use.Means, use.Example)
	}
	return rows.String()
}

func portFaultRows() string {
	var rows strings.Builder
	for _, form := range portfault.Forms() {
		fmt.Fprintf(&rows, "| `%s` | %s |\n", form.Form, form.Means)
	}
	return rows.String()
}

// TestDocsNameTheEngines: each engine that scripts/engines.sh tries has its row in docs/operations.md, with
// where it is from and which runs beside it, and no other has.
func TestDocsNameTheEngines(t *testing.T) {
	list, err := os.ReadFile("../../scripts/engines.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| engine | from | tested with it |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")
	title := strings.NewReplacer("redis-", "Redis ", "valkey-", "Valkey ", "kafka-", "Kafka ")
	engines := 0
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		engines++
		words := strings.Fields(line)
		name, kind, what, beside := words[0], words[1], words[2], words[3]
		want := []string{"| " + title.Replace(name) + "."}
		switch kind {
		case "pip":
			packageName, version, _ := strings.Cut(what, "==")
			// A fourth part of a version counts packagings alone.
			want = append(want, "PyPI `"+packageName+"` "+strings.Join(strings.Split(version, ".")[:3], "."))
		case "maven":
			want = append(want, "Maven", " "+what)
		}
		if beside != "-" && kind != "tools" {
			want = append(want, "with "+title.Replace(beside))
		}
		if !slices.ContainsFunc(rows, func(row string) bool {
			return !slices.ContainsFunc(want, func(w string) bool { return !strings.Contains(row, w) })
		}) {
			t.Errorf("no row of the table has %q", want)
		}
	}
	if len(rows) != engines {
		t.Errorf("%d rows of %d engines", len(rows), engines)
	}
}

// TestDocsExplainPortFaults in the words of list faults, but for how they wrap.
func TestDocsExplainPortFaults(t *testing.T) {
	text := strings.Join(strings.Fields(readDocs(t)), " ")
	if !strings.Contains(text, portfault.Words()) {
		t.Errorf("the docs do not say %q", portfault.Words())
	}
}

func scenarioRows(t *testing.T) string {
	var rows strings.Builder
	for _, name := range scenarios.List() {
		s, err := scenarios.Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&rows, "| `%s` | %s | %s |\n", name, strings.Join(worldsOf(s), ", "),
			strings.TrimSpace(s.Description))
	}
	return rows.String()
}

// TestDocsCommandsCanBePasted: what stands in a block of code is a command as a shell in a fresh clone has
// it, and there is no simulate there.
func TestDocsCommandsCanBePasted(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range strings.Split(string(text), "```") {
			for line := range strings.Lines(part) {
				if i%2 == 1 && strings.HasPrefix(line, "simulate ") {
					t.Errorf("%s: write go run ./cmd/simulate or bin/simulate: %s", page, line)
				}
			}
		}
	}
}

// TestListedCommandsCanBePasted: the command of a defect begins with the program as it was started.
func TestListedCommandsCanBePasted(t *testing.T) {
	for _, e := range defectList() {
		if d := e.(defectEntry); !strings.HasPrefix(d.Command, program()+" run ") {
			t.Errorf("%s: %s", d.Defect, d.Command)
		}
	}
}

// TestDocsExamplesRun runs each whole scenario that stands in the docs.
func TestDocsExamplesRun(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(name:.*?)```").FindAllStringSubmatch(readDocs(t), -1)
	if len(blocks) == 0 {
		t.Fatal("the docs have no example")
	}
	for _, block := range blocks {
		code, out, errs := call("run", scenarioFile(t, block[1]), "--out",
			filepath.Join(t.TempDir(), "out"))
		if code != judge.ExitPassed {
			t.Errorf("exit code %d\n%s\n%s", code, out, errs)
		}
	}
}
