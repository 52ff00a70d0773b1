package capacity

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestEveryFieldIsWrittenAndDocumented: a script may ask for each name of which docs/capacity.md speaks,
// whatever was asked of the command; and there is no other.
func TestEveryFieldIsWrittenAndDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/capacity.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "`capacity.json` has ")
	said, _, ok := strings.Cut(rest, "`points.csv`")
	if !ok {
		t.Fatal("the docs do not say what is in capacity.json")
	}
	bare, err := json.Marshal(&Report{})
	if err != nil {
		t.Fatal(err)
	}
	var written map[string]any
	if err := json.Unmarshal(bare, &written); err != nil {
		t.Fatal(err)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Report]()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" {
			continue // embedded, or not written
		}
		if _, ok := written[name]; !ok {
			t.Errorf("%s is left out of a report that has nothing to say of it", name)
		}
		if !strings.Contains(said, "`"+name+"`") {
			t.Errorf("%s is not in the docs", name)
		}
	}
}
