package yamlfile

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sluice/buffer"
)

type file struct {
	Name  string        `yaml:"name"`
	Wait  time.Duration `yaml:"wait_max" off:"0s"`
	Size  buffer.Bytes  `yaml:"size"`
	Share float64       `yaml:"share" off:"1"`
	Count int           `yaml:"count"`
	Seed  uint64        `yaml:"seed"`
	Inner inner         `yaml:"inner"`
	Rules []inner       `yaml:"rules"`
	Words []string      `yaml:"words"`
	Known bool          `yaml:"known"`
}

type inner struct {
	ID *int64 `yaml:"id,omitempty"`
}

func TestRead(t *testing.T) {
	seven := int64(7)
	for text, want := range map[string]file{
		"":                                {Count: 3},
		"# nothing\n":                     {Count: 3},
		"---\nname: a\n---\n":             {Name: "a", Count: 3},
		"\ufeffname: a\n":                 {Name: "a", Count: 3},
		"\ufeff# first\nname: a\n":        {Name: "a", Count: 3},
		"\ufeff{name: a}":                 {Name: "a", Count: 3},
		"wait_max: 90s\nsize: 512KB":      {Wait: 90 * time.Second, Size: 512_000, Count: 3},
		"wait-max: off\nshare: off":       {Share: 1, Count: 3},
		"share: 80%\ncount: 1_000":        {Share: 0.8, Count: 1000},
		"seed: 0x10\nname: 'off'":         {Seed: 16, Name: "off", Count: 3},
		"inner: {id: 7}\nname: 007":       {Inner: inner{&seven}, Name: "007", Count: 3},
		"rules: [{id: 7}, {}]\nwords: []": {Rules: []inner{{&seven}, {}}, Count: 3},
		"words: [a, 'b, c']\nrules:":      {Words: []string{"a", "b, c"}, Count: 3},
		"words:\n- >-\n  a\n  b\n":        {Words: []string{"a b"}, Count: 3},
		"known: true":                     {Known: true, Count: 3},
		"known: false":                    {Count: 3},
	} {
		got := file{Count: 3}
		if _, err := Read("x", []byte(text), &got); err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: -want +got:\n%s", text, diff)
		}
	}
}

func TestReadNamesThePlace(t *testing.T) {
	for text, want := range map[string]string{
		"name: a\nnam: b":            `x:2:1: unknown key "nam"; did you mean name? Known: name, wait_max,`,
		"\ufeffnam: b":               `x:1:1: unknown key "nam"; did you mean name?`,
		"wait_max: 5":                `x:1:11: wait_max: duration "5" has no unit: write 5s`,
		"size: off":                  `x:1:7: size: "off" is not a size`,
		"share: much":                `x:1:8: share: "much" is not a number without a unit: write for example 0.8 or 80%, or off`,
		"count: 9223372036854775808": `x:1:8: count: "9223372036854775808" is not a whole number`,
		strings.Repeat("long ", 99):  `not "` + strings.Repeat("long ", 12) + `"...`,
		"inner: 5":                   `x:1:8: inner: keys belong here (id), not "5"`,
		"rules:\n- id: a":            `x:2:7: rules[0].id: "a" is not a whole number`,
		"words: a":                   `x:1:8: words: a list belongs here`,
		"name: [a]":                  `x:1:7: name: a single value belongs here, not a list`,
		"name: *a":                   `x:1:7: name: a single value belongs here, not a YAML alias`,
		"name:":                      `not nothing`,
		"- name: a":                  `x:1:1: keys belong here (name, wait_max,`,
		"name: a\n---\n- b":          `x:3:1: a second document begins here`,
		"known: yes":                 `x:1:8: known: "yes" is neither true nor false`,
		"count: 1\ncount: 2":         `x:2:1: key "count" stands here a second time; the first is at x:1:1`,
		"wait-max: 1s\nwait_max: 2s": `x:2:1: key "wait_max" stands here a second time; ` +
			`the first is at x:1:1`,
		// What flow style takes from a value.
		"{name: a, b c, d, count: 5}": `x:1:11: unknown key "b c"; a comma ends a value between { and }: ` +
			`if it belongs to the value, quote it: "a, b c, d"`,
		"{name: a, cuont}":            `x:1:11: unknown key "cuont"; did you mean count?`,
		"{count: a: b}":               `not a whole number without a unit; a colon makes a key`,
		"{count: 'a: b'}":             `not a whole number without a unit`,
		"words: [a, b: c]":            `quote it: "b: c"`,
		"words: [a, {b: c}]":          `x:1:12: words[1]: a single value belongs here, not keys`,
		"name: a: b":                  `x:1:7: not valid YAML: mapping value is not allowed in this context; a colon makes`,
		"{rules: [{id: 7}, {id: b}]}": `x:1:24: rules[1].id: "b" is not a whole number without a unit`,
	} {
		_, err := Read("x", []byte(text), &file{})
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want one problem with %s", text, err, want)
			continue
		}
		quoted := strings.Contains(text, "'") || strings.Contains(text, "{b")
		if quoted && strings.Contains(err.Error(), "quote it") {
			t.Errorf("%q: %v tells to quote what needs none", text, err)
		}
	}
}

func TestSettingsAreWordsAsTheyAreWritten(t *testing.T) {
	known := []string{"max-batch", "redis", "tls"}
	got, err := ReadSettings("x", []byte("\ufeffmax_batch: 1_0\nredis: [a:1, b:2]\ntls: true\n"), known)
	want := []Setting{
		{"max-batch", []string{"1_0"}, Place{"x", 1, 12}},
		{"redis", []string{"a:1", "b:2"}, Place{"x", 2, 8}},
		{"tls", []string{"true"}, Place{"x", 3, 6}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	got, err = ReadSettings("x", []byte("{radis: hunter2, word}\n"), known)
	if err == nil || len(got) > 0 || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, %v: want an error without the value of an unknown key", got, err)
	}
	got, err = ReadSettings("x", []byte("redis: [a, [b]]\ntls: no\n"), known)
	if len(got) != 1 || got[0].Key != "tls" || err == nil ||
		err.Error() != "x:1:12: redis: a single value, or a list of them, belongs here, not a list" {
		t.Errorf("%v, %v: want tls, and what is wrong with redis", got, err)
	}
}

func TestSet(t *testing.T) {
	for text, want := range map[string]string{
		"count=7":             "",
		"wait-max=off":        "",
		"inner.id=7":          "",
		"words=[a, b]":        "",
		"words=[]":            "",
		"count":               "--set count: write path=value",
		"count=":              "--set count=: count: there is no value behind the =",
		"inner.di=7":          `--set inner.di=7: unknown key "di" in "inner.di"; did you mean id? Known: id`,
		"name.a=7":            `--set name.a=7: unknown key "a" in "name.a"`,
		"share=much":          `--set share=much: share: "much" is not a number`,
		"name=a: b":           `--set name=a: b: name: a single value belongs here, not keys; a colon makes a key`,
		"name=[":              "--set name=[: not valid YAML",
		"words=[a, {b: c}]":   "--set words=[a, {b: c}]: words[1]: a single value belongs here",
		"wait_max=1s\n---\n2": "second document begins here, but a file holds one",
	} {
		f := file{Wait: time.Second, Words: []string{"before"}}
		places, err := Read("x", []byte("count: 1"), &f)
		if err != nil {
			t.Fatal(err)
		}
		err = places.Set(&f, text)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) &&
			!strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if text == "words=[]" && len(f.Words) > 0 {
			t.Errorf("an empty list left %q", f.Words)
		}
	}
}

func TestPlacesFollowAFlag(t *testing.T) {
	var f file
	places, err := Read("x", []byte("inner: {id: 1}\nrules:\n- {id: 1}\n"), &f)
	if err == nil {
		err = places.Set(&f, "rules=[{id: 5}]")
	}
	if err != nil {
		t.Fatal(err)
	}
	err = places.Of(Problems{{Path: "inner.id", Message: "a"}, {Path: "inner.other", Message: "b"},
		{Path: "rules[0].id", Message: "c"}, {Path: "count", Message: "d"}})
	want := "x:1:13: inner.id: a\nx:1:8: inner.other: b\n--set rules=[{id: 5}]: rules[0].id: c\n" +
		"x:1:1: count: d"
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	if other := errors.New("other"); places.Of(other) != other {
		t.Error("another error is changed")
	}
}
