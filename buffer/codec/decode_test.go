package codec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/buffer"
)

// pair is a field of a message as it is written.
type pair struct{ key, value string }

// whole returns the fields that every span must have.
func whole() []pair {
	return []pair{
		{"organization_id", "1"}, {"project_id", "12"},
		{"trace_id", `"0123456789abcdef0123456789abcdef"`}, {"span_id", `"aaaaaaaaaaaaaaaa"`},
		{"start_timestamp", "1699999999.0"}, {"end_timestamp", "1700000000.0"},
		{"received", "1700000000.5"}, {"retention_days", "90"}, {"status", `"ok"`},
	}
}

// written returns the fields as a message.
func written(pairs []pair) string {
	var text []string
	for _, p := range pairs {
		text = append(text, `"`+p.key+`":`+p.value)
	}
	return "{" + strings.Join(text, ",") + "}"
}

// with returns a whole message with one field set.
func with(key, value string) string {
	pairs := whole()
	for i := range pairs {
		if pairs[i].key == key {
			pairs[i].value = value
			return written(pairs)
		}
	}
	return written(append(pairs, pair{key, value}))
}

// without returns a whole message that lacks a field.
func without(key string) string {
	var pairs []pair
	for _, p := range whole() {
		if p.key != key {
			pairs = append(pairs, p)
		}
	}
	return written(pairs)
}

// segmentIs returns a message of a child with that segment attribute.
func segmentIs(value string) string {
	return written(append(whole(), pair{"parent_span_id", `"cccccccccccccccc"`},
		pair{"attributes", `{"a":{"type":"integer","value":1},"sentry.segment.id":` + value + `}`}))
}

// nested returns a message whose deepest value lies so deep.
func nested(depth int) string {
	return with("extra", strings.Repeat("[", depth-1)+strings.Repeat("]", depth-1))
}

// accepted are messages with the span's effective parent.
var accepted = []struct {
	name, message, parent string
	root                  bool
}{
	{"root", with("name", `"x"`), "aaaaaaaaaaaaaaaa", true},
	{"child", with("parent_span_id", `"cccccccccccccccc"`), "cccccccccccccccc", false},
	{"null parent", with("parent_span_id", "null"), "aaaaaaaaaaaaaaaa", true},
	{"empty parent", with("parent_span_id", `""`), "aaaaaaaaaaaaaaaa", false},
	{"null flag", with("is_segment", "null"), "aaaaaaaaaaaaaaaa", true},
	{"no flag", with("is_segment", "false"), "aaaaaaaaaaaaaaaa", true},
	{"flagged child", written(append(whole(), pair{"parent_span_id", `"cccccccccccccccc"`},
		pair{"is_segment", "true"})), "aaaaaaaaaaaaaaaa", true},
	{"null attributes", with("attributes", "null"), "aaaaaaaaaaaaaaaa", true},
	{"empty attributes", with("attributes", "{}"), "aaaaaaaaaaaaaaaa", true},
	{"null name", with("name", "null"), "aaaaaaaaaaaaaaaa", true},
	{"int times", with("received", "1"), "aaaaaaaaaaaaaaaa", true},
	{"times with exponent", with("received", "17E+8"), "aaaaaaaaaaaaaaaa", true},
	{"time with many digits", with("received", strings.Repeat("1", 308)), "aaaaaaaaaaaaaaaa", true},
	{"largest ids", with("project_id", "9223372036854775807"), "aaaaaaaaaaaaaaaa", true},
	{"smallest ids", with("project_id", "-9223372036854775808"), "aaaaaaaaaaaaaaaa", true},
	{"minus zero", with("organization_id", "-0"), "aaaaaaaaaaaaaaaa", true},
	{"empty status", with("status", `""`), "aaaaaaaaaaaaaaaa", true},
	{"segment in value form", segmentIs(`{"type":"string","value":"dddddddddddddddd"}`),
		"dddddddddddddddd", false},
	{"segment in value form with more",
		segmentIs(`{"unit":[{"value":1}],"value":"dddddddddddddddd","type":"string"}`),
		"dddddddddddddddd", false},
	{"segment without type", segmentIs(`{"value":"dddddddddddddddd"}`), "dddddddddddddddd", false},
	{"segment as string", segmentIs(`"dddddddddddddddd"`), "dddddddddddddddd", false},
	{"segment null", segmentIs(`null`), "cccccccccccccccc", false},
	{"segment empty", segmentIs(`""`), "cccccccccccccccc", false},
	{"segment value null", segmentIs(`{"type":"string","value":null}`), "cccccccccccccccc", false},
	{"segment value empty", segmentIs(`{"type":"string","value":""}`), "cccccccccccccccc", false},
	{"segment value absent", segmentIs(`{}`), "cccccccccccccccc", false},
	{"segment at the top is another field", with("sentry.segment.id", "1"),
		"aaaaaaaaaaaaaaaa", true},
	{"the last of two fields counts", written(append([]pair{{"span_id", "1"}}, whole()...)),
		"aaaaaaaaaaaaaaaa", true},
	{"the last of two attributes counts", written(append(whole(),
		pair{"parent_span_id", `"cccccccccccccccc"`},
		pair{"attributes", `{"sentry.segment.id":"dddddddddddddddd"}`},
		pair{"attributes", `{}`})), "cccccccccccccccc", false},
	{"the last of two segments counts",
		segmentIs(`5,"sentry.segment.id":"dddddddddddddddd"`), "dddddddddddddddd", false},
	{"escaped keys", strings.NewReplacer("span_id", `\u0073pan\u005Fid`, "status", `st\u0061tus`).
		Replace(with("name", `"x"`)), "aaaaaaaaaaaaaaaa", true},
	{"escaped segment key", strings.Replace(segmentIs(`{"v\u0061lue":"dddddddddddddddd"}`),
		"sentry.", `sentry\u002e`, 1), "dddddddddddddddd", false},
	{"escaped ids", with("span_id", `"\u0061aaaaaaaaaaaaa\u0061a"`), "aaaaaaaaaaaaaaaa", true},
	{"escaped type", segmentIs(`{"type":"\u0073tring","value":"dddddddddddddddd"}`),
		"dddddddddddddddd", false},
	{"white space", " \t\r\n" + strings.NewReplacer(":", " : ", ",", " ,\n", "}", "\t}").
		Replace(with("attributes", `{"a":[1,2,{}]}`)) + "\n", "aaaaaaaaaaaaaaaa", true},
	{"all kinds of values", with("extra",
		`[true,false,null,-1.5e-7,0,"\"\\\/\b\f\n\r\t\uD800é",{},[]]`),
		"aaaaaaaaaaaaaaaa", true},
	{"bytes that are not UTF-8", with("status", "\"\xff\xc0\""), "aaaaaaaaaaaaaaaa", true},
	{"deepest nesting", nested(nestingMax), "aaaaaaaaaaaaaaaa", true},
}

func TestDecodeAccepts(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) {
			got, err := New(0).Decode([]byte(c.message))
			if err != nil {
				t.Fatal(err)
			}
			if got.Parent.String() != c.parent || got.Root != c.root {
				t.Errorf("parent %v, root %v; want %v, %v", got.Parent, got.Root, c.parent, c.root)
			}
			want, err := twinDecode([]byte(c.message))
			got.Marks = want.Marks // which are checked by what is written after them
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, want %+v, %v", got, want, err)
			}
		})
	}
}

func TestDecodeReturnsTheMessageItself(t *testing.T) {
	value := []byte(" " + with("project_id", "-7"))
	got, err := New(0).Decode(value)
	if err != nil {
		t.Fatal(err)
	}
	if &got.Payload[0] != &value[0] || len(got.Payload) != len(value) || got.Size != len(value) {
		t.Errorf("payload %q, size %d; want the %d bytes of the message",
			got.Payload, got.Size, len(value))
	}
	if got.Organization != 1 || got.Project != -7 || got.ID.String() != "aaaaaaaaaaaaaaaa" ||
		got.Trace.String() != "0123456789abcdef0123456789abcdef" ||
		got.Position != (buffer.Position{}) {
		t.Errorf("got %+v", got)
	}
}

// What errors want.
const (
	wantInt     = "want an integer of 64 bits, without fraction and exponent"
	want16      = "want a string of 16 lower-case hex digits"
	wantSegment = `want a string or {"type":"string","value":"..."}`
)

// refused are messages with the whole error.
var refused = []struct{ name, message, want string }{
	{"nothing", "", "message ends after 0 bytes, want a value"},
	{"white space", " \n", "message ends after 2 bytes, want a value"},
	{"array", ` [{}]`, "message is [{}], want an object"},
	{"string", `"x"`, `message is "x", want an object`},
	{"null", "null", "message is null, want an object"},
	{"half a string", `"x`, "message ends after 2 bytes, want the closing quote of a string"},
	{"no fields", "{}", "field organization_id is missing, want an integer"},
	{"cut off", `{"a":1`, "message ends after 6 bytes, want a comma or }"},
	{"cut off after a key", `{"a"`, "message ends after 4 bytes, want a colon after the key"},
	{"cut off in an array", `{"a":[1`, "message ends after 7 bytes, want a comma or ]"},
	{"cut off in a literal", `{"a":tru`, `message has 't' at offset 5, want true`},
	{"cut off in an escape", `{"a":"\`, "message ends after 7 bytes, want an escaped character"},
	{"trailing comma", `{"a":1,}`, `message has '}' at offset 7, want a key in double quotes`},
	{"trailing comma in an array", `{"a":[1,]}`, `message has ']' at offset 8, want a value`},
	{"two messages", "{} {}", `message has '{' at offset 3, want the end of the message`},
	{"single quotes", `{'a':1}`, `message has '\'' at offset 1, want a key in double quotes`},
	{"no value", `{"a":}`, `message has '}' at offset 5, want a value`},
	{"wrong bracket", `{"a":[1}}`, `message has '}' at offset 7, want a comma or ]`},
	{"leading zero", `{"a":01}`, `message has '1' at offset 6, want a comma or }`},
	{"leading plus", `{"a":+1}`, `message has '+' at offset 5, want a value`},
	{"leading zero of a field", with("organization_id", "01"),
		`message has '1' at offset 20, want a comma or }`},
	{"no digit after the point of a field", with("organization_id", "1.,"),
		`message has ',' at offset 21, want a digit`},
	{"half a word before a field", strings.Replace(with("name", `"x"`), `"start`, `"is_segment":nul,"start`, 1),
		`message has 'n' at offset 125, want null`},
	{"no digit after the point", `{"a":1.}`, `message has '}' at offset 7, want a digit`},
	{"no digit in the exponent", `{"a":1e+}`, `message has '}' at offset 8, want a digit`},
	{"minus alone", `{"a":-}`, `message has '}' at offset 6, want a digit`},
	{"infinity", `{"a":Infinity}`, `message has 'I' at offset 5, want a value`},
	{"NaN", `{"a":NaN}`, `message has 'N' at offset 5, want a value`},
	{"bad escape", `{"a":"\x"}`,
		`message has 'x' at offset 7, want one of "\/bfnrtu after a backslash`},
	{"short code", `{"a":"\u12"}`, `message has '"' at offset 10, want four hex digits after \u`},
	{"control character as hex digit", "{\"a\":\"\\u\x10000\"}",
		`message has '\x10' at offset 8, want four hex digits after \u`},
	{"line feed in a string", "{\"a\":\"long enough\n\"}",
		`message has '\n' at offset 17, want no control character inside a string`},
	{"zero byte", "{\x00}", `message has '\x00' at offset 1, want a key in double quotes`},
	{"byte order mark", "\ufeff{}", `message has 'ï' at offset 0, want a value`},
	{"too deep", nested(nestingMax + 1),
		`message has '[' at offset 10235, want no more than 9998 levels of nesting`},
	{"bool as string", with("is_segment", `"true"`),
		`field is_segment is "true", want true, false or null`},
	{"bool as number", with("is_segment", `1`), `field is_segment is 1, want true, false or null`},
	{"id with fraction", with("project_id", "12.0"),
		"field project_id is 12.0, " + wantInt},
	{"id with exponent", with("project_id", "12e0"),
		"field project_id is 12e0, " + wantInt},
	{"id too large", with("organization_id", "9223372036854775808"), "field organization_id is " +
		"9223372036854775808, " + wantInt},
	{"id as string", with("organization_id", `"1"`),
		`field organization_id is "1", ` + wantInt},
	{"days null", with("retention_days", "null"),
		"field retention_days is null, " + wantInt},
	{"short trace", with("trace_id", `"0123"`),
		`field trace_id is "0123", want a string of 32 lower-case hex digits`},
	{"long id", with("span_id", `"`+strings.Repeat("a", 200)+`"`), `field span_id is "` +
		strings.Repeat("a", 79) + `... (202 bytes), ` + want16},
	{"long id with escapes", with("span_id", `"`+strings.Repeat(`\u0061`, 40)+`"`),
		`field span_id is "` +
			strings.Repeat(`\u0061`, 14)[:79] + `... (242 bytes), ` + want16},
	{"upper case", with("span_id", `"AAAAAAAAAAAAAAAA"`),
		`field span_id is "AAAAAAAAAAAAAAAA", ` + want16},
	{"empty id", with("span_id", `""`), `field span_id is "", ` + want16},
	{"null id", with("span_id", `null`), `field span_id is null, ` + want16},
	{"id of digits", with("span_id", `1234567890123456`),
		`field span_id is 1234567890123456, ` + want16},
	{"last of two ids is null", written(append(whole(), pair{"span_id", "null"})),
		`field span_id is null, ` + want16},
	{"parent no hex", with("parent_span_id", `"zzzzzzzzzzzzzzzz"`),
		`field parent_span_id is "zzzzzzzzzzzzzzzz", ` + want16},
	{"parent of a wrong type", with("parent_span_id", `false`),
		`field parent_span_id is false, ` + want16},
	{"time as string", with("received", `"1.5"`),
		`field received is "1.5", want a number (an integer will do)`},
	{"time null", with("end_timestamp", `null`),
		`field end_timestamp is null, want a number (an integer will do)`},
	{"time too large", with("start_timestamp", `1e400`),
		`field start_timestamp is 1e400, want a number (an integer will do) that fits into a float64`},
	{"status as number", with("status", "200"), "field status is 200, want a string"},
	{"status null", with("status", "null"), "field status is null, want a string"},
	{"name as number", with("name", "1"), "field name is 1, want a string or null"},
	{"attributes as array", with("attributes", "[]"),
		"field attributes is [], want an object or null"},
	{"attributes as string", with("attributes", `"{}"`),
		`field attributes is "{}", want an object or null`},
	{"segment as number", segmentIs("5"),
		`field attributes.sentry.segment.id is 5, ` + wantSegment},
	{"segment of another type", segmentIs(`{"type":"integer","value":5}`),
		`field attributes.sentry.segment.id is {"type":"integer","value":5}, ` + wantSegment},
	{"segment said to be of another type", segmentIs(`{"type":"integer","value":"dddddddddddddddd"}`),
		`field attributes.sentry.segment.id is {"type":"integer","value":"dddddddddddddddd"}, ` +
			wantSegment},
	{"segment in an array", segmentIs(`["dddddddddddddddd"]`),
		`field attributes.sentry.segment.id is ["dddddddddddddddd"], ` + wantSegment},
	{"segment that is no id", segmentIs(`{"type":"string","value":"abc"}`),
		`field attributes.sentry.segment.id is "abc", ` + want16},
	{"segment of a root is checked too", with("attributes", `{"sentry.segment.id":"x"}`),
		`field attributes.sentry.segment.id is "x", ` + want16},
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			_, err := New(0).Decode([]byte(c.message))
			if err == nil {
				t.Fatalf("accepted, want %q", c.want)
			}
			if err.Error() != c.want {
				t.Errorf("got  %s\nwant %s", err, c.want)
			}
			if _, typed := errors.AsType[*Error](err); !typed {
				t.Errorf("the error is %T, want *Error", err)
			}
			if _, err := twinDecode([]byte(c.message)); err == nil {
				t.Error("the twin accepts it")
			}
		})
	}
}

func TestDecodeRefusesWithoutAnyRequiredField(t *testing.T) {
	for _, p := range whole() {
		_, err := New(0).Decode([]byte(without(p.key)))
		wrong, typed := errors.AsType[*Error](err)
		if !typed || wrong.Field != p.key || !strings.HasPrefix(wrong.Reason, "is missing, want ") {
			t.Errorf("without %s: %v", p.key, err)
		}
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	value := []byte(segmentIs(`{"type":"string","value":"dddddddddddddddd"}`))
	codec := New(0)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := codec.Decode(value); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// addShort adds a seed, unless it is so long that the fuzzer would do little else.
func addShort(f *testing.F, message string, more ...any) {
	const longMax = 2000
	if len(message) <= longMax {
		f.Add(append([]any{[]byte(message)}, more...)...)
	}
}

// TestUsualFields puts each value where one is mostly written in another way: Decode says what its twin
// says.
func TestUsualFields(t *testing.T) {
	fields := [...][2]string{
		{"organization_id", "1"}, {"project_id", "23"},
		{"trace_id", `"0123456789abcdef0123456789abcdef"`}, {"span_id", `"0123456789abcdef"`},
		{"parent_span_id", `"fedcba9876543210"`}, {"is_segment", "false"},
		{"start_timestamp", "1700000000.001"}, {"end_timestamp", "1700000000.002"},
		{"received", "1700000004.001"}, {"retention_days", "90"}, {"status", `"ok"`}, {"name", `"a"`},
		{"attributes", "{}"},
	}
	values := []string{
		"0", "00", "1", "-1", "1.5", "1.", ".5", "1e3", "1e400", "12345678", "123456789", "12345678.25",
		"1234567a", "123456789012345678", "1234567890123456789", "12345678901234567890",
		strings.Repeat("9", shortMax-1), strings.Repeat("9", shortMax+10), strings.Repeat("9", 400),
		"true", "false", "null", "truex", "nul", `""`, `"ok"`, `"o`, `"\u0041"`, "\"\x01\"", "[]", "{}", " 1", "1 ",
		`"0123456789abcdef"`, `"0123456789ABCDEF"`, `"0123456789abcdef0"`,
		`"0123456789abcdef0123456789abcdef"`, `"0123456789abcdef0123456789abcdeg"`, "",
		"0700000000.123", "1700000000.1234", "1700000000.12a", "1700000000,123", `"a\"b"`, `"a\x"`, `"a\`,
		`{"sentry.segment.id":"0123456789abcdef"}`, `{"sentry.segment.id":{"type":"string","value":"x"}}`,
	}
	check := func(message string) {
		t.Helper()
		got, err := New(0).Decode([]byte(message))
		want, twinErr := twinDecode([]byte(message))
		got.Marks = want.Marks
		if (err == nil) != (twinErr == nil) || err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v, %v", message, got, err, want, twinErr)
		}
	}
	for at, field := range fields {
		for _, value := range values {
			var alone, twice, again, cut strings.Builder
			for i, f := range fields {
				if i == at {
					f[1] = value
				}
				fmt.Fprintf(&alone, `,"%s":%s`, f[0], f[1])
			}
			fmt.Fprintf(&twice, `%s,"%s":%s`, &alone, field[0], field[1])
			for _, f := range fields {
				fmt.Fprintf(&again, `,"%s":%s`, f[0], f[1])
			}
			fmt.Fprintf(&again, `,"%s":%s`, field[0], value)
			fmt.Fprintf(&cut, `%s,"%s":%s`, strings.Split(alone.String(), `,"`+field[0])[0], field[0], value)
			check("{" + alone.String()[1:] + "}")
			check("{" + twice.String()[1:] + "}")
			check("{" + again.String()[1:] + "}")
			check("{" + cut.String()[1:]) // which ends in the middle
		}
	}
}

// TestPlain finds what means something at each place of strings of any length, and nothing else.
func TestPlain(t *testing.T) {
	for size := range 150 {
		for at := range size {
			for c, means := range map[byte]bool{
				'"': true, '\\': true, 0: true, 0x1f: true, ' ': false, '!': false, '#': false, '[': false,
				0x7f: false, 0x80: false, 0xa2: false, 0xdc: false, 0xff: false,
			} {
				text := bytes.Repeat([]byte("x"), size)
				text[at] = c
				want := size
				if means {
					want = at
				}
				if got := plain(text, 0); got != want {
					t.Fatalf("%q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}

// FuzzDecode compares Decode with its twin, and the grammar alone with encoding/json.
func FuzzDecode(f *testing.F) {
	for _, c := range accepted {
		addShort(f, c.message)
	}
	for _, c := range refused {
		addShort(f, c.message)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		s := scanner{data: value}
		valid := json.Valid(value) && depthOf(value) <= nestingMax
		if got := s.value() && s.end(); got != valid {
			t.Errorf("grammar of %q is right: %v, want %v", value, got, valid)
		}
		got, err := New(0).Decode(value)
		want, twinErr := twinDecode(value)
		if (err == nil) != (twinErr == nil) {
			t.Fatalf("%q: got %v, the twin %v", value, err, twinErr)
		}
		got.Marks = want.Marks
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, want %+v", value, got, want)
		}
	})
}
