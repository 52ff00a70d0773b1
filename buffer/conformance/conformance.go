// Package conformance is the cases that every Store has to pass, in any program: what is stored, in
// which steps, and what must come out. Package storetest runs them in tests.
package conformance

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"sluice/buffer"
)

// Store is a Store that can tell what it holds.
type Store interface {
	buffer.Store
	buffer.Inspector
	buffer.Auditor
}

// Codec reads and writes spans.
type Codec interface {
	buffer.Decoder
	buffer.Encoder
}

// Subject is what the cases are run against.
type Subject struct {
	// Open opens a Store that is empty.
	Open func(buffer.Options) (Store, error)
	// Codec makes the codec for a limit of segment bytes.
	Codec func(limit buffer.Bytes) Codec
	// ShardMap distributes shards over at most so many processes.
	ShardMap func(shards []buffer.Shard, processes int) ([][]buffer.Shard, error)
}

// File is a file of cases.
type File struct {
	Name  string
	Cases []Case
}

//go:embed cases
var embedded embed.FS

// Files returns the project's own cases.
func Files() ([]File, error) {
	cases, err := fs.Sub(embedded, "cases")
	if err != nil {
		return nil, err
	}
	return Read(cases)
}

// Read reads the files of a folder whose names end in .json.
func Read(folder fs.FS) ([]File, error) {
	names, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no *.json file of conformance cases is there")
	}
	var files []File
	for _, name := range names {
		text, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, err
		}
		file := File{Name: name}
		if err := json.Unmarshal(text, &file.Cases); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, file)
	}
	return files, nil
}

// Run runs a case in all its variants, each on an empty Store, up to the first one that fails, and
// returns how many it began. The error holds all that was wrong, and wraps the Store's own.
func (c *Case) Run(ctx context.Context, subject Subject) (variants int, err error) {
	for _, v := range c.variants() {
		variants++
		r, err := newRunner(ctx, subject, *c)
		if err == nil {
			err = r.run(v)
		}
		if err != nil {
			return variants, fmt.Errorf("%s (%s), %s: %w", c.Name, c.Note, v.name, err)
		}
	}
	return variants, nil
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
func (c *Case) variants() []variant {
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

// run returns all that was wrong.
func (r *runner) run(v variant) (err error) {
	defer func() {
		if p := recover(); p != nil && p != (givenUp{}) {
			panic(p)
		}
		err = errors.Join(r.faults...)
	}()
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
	return nil
}

func unmarshal[T any](r *runner, text json.RawMessage) T {
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		r.fatalf("cannot read %s: %v", text, err)
	}
	return value
}
