package ledger

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzMembers compares the splitting of valid objects with encoding/json, and only asks of others
// that they do no harm.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":1}`, ` { "a" : "x\"}" , "b" : [1,{"c":"]"}] , "d" : null } `, `{"a":{}}x`, `{"a"}`,
		`{"a":}`, `{"a":1,}`, `{,}`, `[1]`, `{"a":"`, `{1:2}`, `{"a":1 2}`, `{"a":1}}`, `{"a`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := members(nil, text)
		if !json.Valid(text) || !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
		for i := 0; decoder.More(); i++ {
			if _, err := decoder.Token(); err != nil {
				t.Fatal(err)
			}
			var value json.RawMessage
			if err := decoder.Decode(&value); err != nil {
				t.Fatal(err)
			}
			if i >= len(list) || !bytes.Equal(list[i].value, value) {
				t.Fatalf("%q: member %d is not %s", text, i, value)
			}
		}
	})
}

func TestStringField(t *testing.T) {
	for text, want := range map[string]string{
		`{"x":{"span_id":"no"},"span_id":"yes"}`: "yes",
		`{ "span_id" : "yes" }`:                  "yes",
		`{"span_id":1}`:                          "",
		`{"a":1}`:                                "",
		`{`:                                      "",
		``:                                       "",
	} {
		if got, _ := stringField([]byte(text), "span_id"); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if _, err := elements(nil, []byte("["+strings.Repeat("[", 100))); err == nil {
		t.Error("an open array was accepted")
	}
}
