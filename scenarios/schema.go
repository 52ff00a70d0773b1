package scenarios

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"sluice/buffer"
	"sluice/internal/portfault"
)

// Patterns of the one-line forms. They let an editor complain early; Read is what decides.
const (
	numberPattern   = `[0-9]+(\.[0-9]+)?`
	sharePattern    = numberPattern + `%?`
	mixPart         = sharePattern + ` [0-9]+(\.\.[0-9]+)?`
	durationPattern = `([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+`
	perSecond       = numberPattern + `/s`
)

// forms are the types that are one line of text, with what they may look like.
var forms = map[reflect.Type]struct{ pattern, example string }{
	reflect.TypeFor[time.Duration](): {`^(0|off|` + durationPattern + `)$`, "10s"},
	reflect.TypeFor[buffer.Bytes](): {
		`^(off|` + numberPattern + ` ?(([KkMmGg][Ii]?)?[Bb])?)$`, "10MiB"},
	reflect.TypeFor[float64]():   {`^(off|` + sharePattern + `)$`, "0.8"},
	reflect.TypeFor[Mode]():      {`^(process|goroutine)$`, string(ModeProcess)},
	reflect.TypeFor[Processes](): {`^([1-9][0-9]*|per-shard)$`, "per-shard"},
	reflect.TypeFor[Count]():     {`^([0-9]+|unlimited)$`, "unlimited"},
	reflect.TypeFor[PerSecond](): {`^` + perSecond + `$`, "2000/s"},
	reflect.TypeFor[Late](): {
		`^(never|` + sharePattern + ` by ` + durationPattern + `)$`, "0.01 by 300ms"},
	reflect.TypeFor[Skew](): {
		`^(never|` + sharePattern + ` by ` + durationPattern + `)$`, "0.1 by 720h"},
	reflect.TypeFor[Spread](): {`^([0-9]+|uniform [0-9]+\.\.[0-9]+|geometric mean ` + numberPattern +
		` max [0-9]+|mix ` + mixPart + `( ?, ?` + mixPart + `)*)$`, "uniform 5..40"},
	reflect.TypeFor[Rate](): {`^(constant ` + perSecond + `|ramp ` + perSecond + ` to ` + perSecond +
		`|step ` + perSecond + `( ?, ?` + perSecond + ` at ` + durationPattern + `)*` +
		`|sine ` + perSecond + ` \+- ` + perSecond + ` every ` + durationPattern +
		`|burst ` + perSecond + ` to ` + perSecond + ` for ` + durationPattern + ` every ` +
		durationPattern + `)$`, "constant 2000/s"},
	reflect.TypeFor[End]():   {`^(drained|budget)$`, string(EndDrained)},
	reflect.TypeFor[Limit](): {`^[a-z0-9_.*-]+ (<=|>=|<|>|=) \S+$`, "ledger.lost = 0"},
	reflect.TypeFor[Fault](): {`^(at ` + durationPattern +
		`|(randomly )?every ` + durationPattern + `( from ` + durationPattern + `)?` +
		`|when ([0-9]+ spans (sent|flushed)|worker [0-9]+ restarted)) (` +
		strings.Join(Verbs(), "|") + `)( .*)?$`, "at 5s hang worker 1"},
	reflect.TypeFor[portfault.Fault](): {`^(refuse|lose|slow|crash (before|after)) (` + ports() +
		`)( .*)?$`, "lose store.ack every 10"},
}

// ports is a pattern of any port.
func ports() string {
	var names []string
	for _, port := range portfault.Ports() {
		names = append(names, regexp.QuoteMeta(string(port)))
	}
	return strings.Join(names, "|")
}

// Schema returns the JSON Schema of a scenario file, for editors: the keys with their descriptions,
// and the patterns of the one-line forms.
func Schema() ([]byte, error) {
	reflector := jsonschema.Reflector{
		FieldNameTag: "yaml", DoNotReference: true, ExpandedStruct: true,
		RequiredFromJSONSchemaTags: true,
		Mapper:                     formSchema,
	}
	schema := reflector.Reflect(&Scenario{})
	schema.ID, schema.Title = "", "Sluice scenario"
	schema.Required = []string{"name"}
	for _, key := range Keys() {
		at := schema
		for name := range strings.SplitSeq(key.Path, ".") {
			at, _ = at.Properties.Get(name)
		}
		at.Description = key.Describe()
		if at.Type != "array" && !key.IsSection() {
			at.Examples = []any{key.Example}
		}
	}
	return json.MarshalIndent(schema, "", "  ")
}

// formSchema is the schema of a one-line form. YAML reads some of them as numbers, so these may
// stand there, too; a pattern says nothing of numbers.
func formSchema(t reflect.Type) *jsonschema.Schema {
	form, ok := forms[t]
	if !ok {
		return nil
	}
	text := &jsonschema.Schema{Type: "string", Pattern: form.pattern, Examples: []any{form.example}}
	if !regexp.MustCompile(form.pattern).MatchString("7") {
		return text
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{text, {Type: "number"}}}
}
