package scenarios

import (
	_ "embed"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"sluice/buffer"
)

// Patterns of the one-line forms. They let an editor complain early; Read is what decides.
const (
	numberPattern   = `[0-9]+(\.[0-9]+)?`
	sharePattern    = numberPattern + `%?`
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
		` max [0-9]+)$`, "uniform 5..40"},
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
}

// Schema returns the JSON Schema of a scenario file, for editors: the keys with their descriptions,
// and the patterns of the one-line forms.
func Schema() ([]byte, error) {
	comments := fieldComments()
	reflector := jsonschema.Reflector{
		FieldNameTag: "yaml", DoNotReference: true, ExpandedStruct: true,
		RequiredFromJSONSchemaTags: true,
		Mapper:                     formSchema,
		LookupComment: func(t reflect.Type, field string) string {
			return comments[t.Name()+"."+field]
		},
	}
	schema := reflector.Reflect(&Scenario{})
	schema.ID, schema.Title = "", "Sluice scenario"
	schema.Required = []string{"name"}
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

//go:embed scenario.go
var source string

// fieldComments returns the comments of the fields in this package's own source, by "Type.Field",
// so that what an editor shows is what the documentation says.
func fieldComments() map[string]string {
	file, err := parser.ParseFile(token.NewFileSet(), "scenario.go", source, parser.ParseComments)
	if err != nil {
		panic("the package's own source does not parse: " + err.Error())
	}
	comments := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok {
			return true
		}
		if fields, ok := spec.Type.(*ast.StructType); ok {
			for _, field := range fields.Fields.List {
				for _, name := range field.Names {
					comments[spec.Name.Name+"."+name.Name] =
						strings.Join(strings.Fields(field.Doc.Text()), " ")
				}
			}
		}
		return true
	})
	return comments
}
