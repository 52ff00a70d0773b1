package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sluice/buffer"
)

// CasesVariable names the environment variable that points to another folder of cases.
const CasesVariable = "SLUICE_CASES"

// casesDir returns the folder of cases to run: that of CasesVariable, or the project's own. A test
// runs in the folder of its package, so a relative folder is looked up from the module's root too,
// where whoever typed it most likely stood.
func casesDir() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := os.Getenv(CasesVariable)
	if dir == "" {
		return filepath.Join(root, "buffer", "storetest", "testdata", "conformance"), nil
	}
	for _, candidate := range []string{dir, filepath.Join(root, dir)} {
		if info, err := os.Stat(candidate); err == nil && info.IsDir() {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("%s=%s is no folder, neither from here nor from %s",
		CasesVariable, dir, root)
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in this folder or above")
		}
		dir = filepath.Dir(dir)
	}
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

// Codec reads and writes spans.
type Codec interface {
	buffer.Decoder
	buffer.Encoder
}

// Conformance runs every case of the project, or of the folder that CasesVariable names, against
// the subject, and logs one line per file.
func Conformance(t *testing.T, subject Subject) {
	t.Helper()
	dir, err := casesDir()
	if err != nil {
		t.Fatal(err)
	}
	files, err := readCases(dir)
	if err != nil {
		t.Fatalf("read conformance cases: %v", err)
	}
	for _, file := range files {
		runs := 0
		for _, c := range file.Cases {
			t.Run(file.Name+"/"+c.Name, func(t *testing.T) {
				for _, variant := range c.variants() {
					runs++
					r := newRunner(t, subject, c)
					r.run(variant)
					if t.Failed() {
						t.Fatalf("%s (%s), %s", c.Name, c.Note, variant.name)
					}
				}
			})
		}
		t.Logf("%s on %s: %d cases in %d variants", file.Name, subject.Name, len(file.Cases), runs)
	}
}

// variant is a case with the spans of its steps in one order and one cut.
type variant struct {
	name  string
	steps []step
	// oneByOne gives every span a batch of its own.
	oneByOne bool
}

// variants returns the case as it stands and, if it is to be permuted, with every order of the
// spans inside a step, in one batch and one by one.
func (c *testCase) variants() []variant {
	if !c.Permute {
		return []variant{{name: "as it stands", steps: c.Steps}}
	}
	all := [][]step{nil}
	for _, s := range c.Steps {
		orders := [][]caseSpan{s.Spans}
		if s.Op == "ingest" {
			orders = permutations(s.Spans)
		}
		var longer [][]step
		for _, steps := range all {
			for _, order := range orders {
				next := s
				next.Spans = order
				longer = append(longer, append(slices.Clone(steps), next))
			}
		}
		all = longer
	}
	var variants []variant
	for _, steps := range all {
		name := "order"
		for _, s := range steps {
			for _, span := range s.Spans {
				name += fmt.Sprintf(" %.2s", span.SpanID)
			}
		}
		variants = append(variants,
			variant{name: name + " in one batch", steps: steps},
			variant{name: name + " one by one", steps: steps, oneByOne: true})
	}
	return variants
}

func permutations(spans []caseSpan) [][]caseSpan {
	if len(spans) <= 1 {
		return [][]caseSpan{spans}
	}
	var all [][]caseSpan
	for i := range spans {
		rest := slices.Delete(slices.Clone(spans), i, i+1)
		for _, tail := range permutations(rest) {
			all = append(all, append([]caseSpan{spans[i]}, tail...))
		}
	}
	return all
}

func (r *runner) run(v variant) {
	for i, s := range v.steps {
		r.at = fmt.Sprintf("step %d (%s), %s", i+1, s.Op, v.name)
		switch s.Op {
		case "ingest":
			r.ingest(s, v.oneByOne)
		case "flush":
			r.flush(s)
		case "ack":
			r.ack(s)
		case "take_over":
			r.takeOver(s)
		case "assign":
			r.assigned = toShards(s.Shards)
		case "expect_empty":
			r.expectEmpty()
		case "chunk":
			r.chunk(s)
		case "decode":
			r.decode(s)
		case "shard_map":
			r.shardMap(s)
		default:
			r.fatalf("unknown step %q", s.Op)
		}
	}
}

func unmarshal[T any](r *runner, text json.RawMessage) T {
	r.t.Helper()
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		r.fatalf("cannot read %s: %v", text, err)
	}
	return value
}
