package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// node is as much of JSON Schema as the scenario's schema uses.
type node struct {
	Type        string
	Properties  map[string]*node
	Additional  any `json:"additionalProperties"`
	Items       *node
	AnyOf       []*node
	Pattern     string
	Description string
	Required    []string
}

func schema(t *testing.T) *node {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	root := &node{}
	if err := json.Unmarshal(text, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// check returns what is wrong with a value.
func (n *node) check(path string, value any) []string {
	if len(n.AnyOf) > 0 {
		var all []string
		for _, option := range n.AnyOf {
			faults := option.check(path, value)
			if len(faults) == 0 {
				return nil
			}
			all = append(all, faults...)
		}
		return all
	}
	var faults []string
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			property := n.Properties[key]
			if property == nil {
				faults = append(faults, fmt.Sprintf("%s.%s is unknown", path, key))
				continue
			}
			faults = append(faults, property.check(path+"."+key, inner)...)
		}
	case []any:
		for i, inner := range v {
			if n.Items == nil {
				return []string{path + " is no list"}
			}
			faults = append(faults, n.Items.check(fmt.Sprintf("%s[%d]", path, i), inner)...)
		}
	case string:
		if n.Type != "string" || n.Pattern != "" && !regexp.MustCompile(n.Pattern).MatchString(v) {
			faults = append(faults, fmt.Sprintf("%s: %q does not match %s %s", path, v, n.Type, n.Pattern))
		}
	case nil:
	default:
		if n.Type != "number" && n.Type != "integer" {
			faults = append(faults, fmt.Sprintf("%s: %v is no %s", path, v, n.Type))
		}
	}
	return faults
}

// TestTheLibraryMatchesTheSchema checks the library, as it is written and as it is printed.
func TestTheLibraryMatchesTheSchema(t *testing.T) {
	root := schema(t)
	for _, name := range List() {
		written, err := library.ReadFile("library/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		s, err := Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(written), s.String()} {
			var value map[string]any
			if err := yaml.Unmarshal([]byte(text), &value); err != nil {
				t.Fatal(err)
			}
			if faults := root.check(name, value); len(faults) > 0 {
				t.Errorf("%s", strings.Join(faults, "\n"))
			}
		}
	}
}

// TestTheSchemaSeesWhatTheReaderSees: what is wrong by its form alone is wrong in the schema, too.
func TestTheSchemaSeesWhatTheReaderSees(t *testing.T) {
	root := schema(t)
	for _, name := range []string{"unknown-key", "wrong-unit", "faults", "ports", "shape", "rate", "kinds"} {
		text, err := os.ReadFile(filepath.Join("testdata", "errors", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var value map[string]any
		if err := yaml.Unmarshal(text, &value); err != nil {
			t.Fatal(err)
		}
		if len(root.check(name, value)) == 0 {
			t.Errorf("%s matches the schema", name)
		}
	}
}

// TestEveryKeyIsDescribed: an editor shows of each key what it is, its unit, what 0 means and its
// default. What counts something has bounds or a word for its zero.
func TestEveryKeyIsDescribed(t *testing.T) {
	described := map[string]Key{}
	for _, key := range Keys() {
		described[key.Path] = key
	}
	numbers := regexp.MustCompile("^[0-9.]+([a-z%/].*)?$")
	var walk func(path string, n *node)
	walk = func(path string, n *node) {
		if n.Properties != nil && n.Additional != false {
			t.Errorf("%q takes other keys: %v", path, n.Additional)
		}
		for name, property := range n.Properties {
			walk(strings.TrimPrefix(path+"."+name, "."), property)
		}
		if path == "" {
			return
		}
		key, known := described[path]
		delete(described, path)
		if !known || n.Description != key.Describe() || key.Means == "" {
			t.Errorf("%s is described as %q", path, n.Description)
		}
		if key.IsSection() != (n.Properties != nil) {
			t.Errorf("%s has example %q, and keys %v", path, key.Example, n.Properties)
		}
		isText := path == "name" || path == "description"
		if key.IsSection() || isText {
			return
		}
		if !strings.Contains(n.Description, "Default: "+key.Default()) || key.Default() == "" {
			t.Errorf("%s does not say its default: %q", path, n.Description)
		}
		if !numbers.MatchString(key.Default()) {
			return
		}
		of := strings.TrimLeft(key.Default(), "0123456789.")
		if of != "" && key.Unit == "" {
			t.Errorf("%s has no unit, but its default is %q", path, key.Default())
		}
		zero := reflect.Zero(new(Scenario).at(path).Type())
		c := &checker{}
		key.bound(c, zero)
		isSpread := path == "workload.spans_per_trace" || path == "workload.span_bytes"
		if len(c.problems) == 0 && key.Zero == "" && !isSpread {
			t.Errorf("%s takes 0, but does not say what it means", path)
		}
	}
	root := schema(t)
	walk("", root)
	for path := range described {
		t.Errorf("%s is described, but not in the schema", path)
	}
	if !slices.Equal(root.Required, []string{"name"}) || len(root.Properties) != 10 {
		t.Errorf("%d keys, required %v", len(root.Properties), root.Required)
	}
}

// TestEveryExampleIsRight, and is another value than the default.
func TestEveryExampleIsRight(t *testing.T) {
	for _, key := range Keys() {
		if key.IsSection() {
			continue
		}
		s, _, err := ReadWith("x", []byte("name: x\nexpectations: {drain_max: 2m}"), key.Path+"="+key.Example)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		fresh := Default()
		if reflect.DeepEqual(s.at(key.Path).Interface(), fresh.at(key.Path).Interface()) {
			t.Errorf("%s: %s is the default", key.Path, key.Example)
		}
	}
}

// TestTheSchemaTakesTheWordsOfOptions: an editor must not complain of what the reader accepts.
func TestTheSchemaTakesTheWordsOfOptions(t *testing.T) {
	const text = `
name: words
pipeline: {max_memory: 80%, max_segment_bytes: 512KB, max_segment_age: off}
topology: {output_record_max: 1.5 kib}
workload: {disorder: 10%, late: 1% by 300ms, bad: 0.1}
expectations: {freshness_p99_max: off, worker_memory_max: 1000000}
`
	if _, err := Read("words", []byte(text)); err != nil {
		t.Error(err)
	}
	var value map[string]any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	if faults := schema(t).check("words", value); len(faults) > 0 {
		t.Error(strings.Join(faults, "\n"))
	}
}
