package scenarios

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sluice/buffer"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[buffer.Bytes]()
	modeType     = reflect.TypeFor[Mode]()
	endType      = reflect.TypeFor[End]()
)

// into reads a node into what target points to. Faults are collected, and the rest is read on.
func (r *reader) into(node ast.Node, path string, target any) {
	r.value(node, path, reflect.ValueOf(target).Elem())
}

func (r *reader) value(node ast.Node, path string, v reflect.Value) {
	r.places[path] = startOf(node)
	switch {
	case isForm(v) || v.Kind() != reflect.Struct && v.Kind() != reflect.Slice:
		r.scalar(node, path, v)
	case v.Kind() == reflect.Slice:
		r.list(node, path, v)
	default:
		r.mapping(node, path, v)
	}
}

// isForm tells whether a value is one line of text with a grammar of its own.
func isForm(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func (r *reader) mapping(node ast.Node, path string, v reflect.Value) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		r.problem(node, path, "keys belong here (%s), not %s", strings.Join(keysOf(v.Type()), ", "),
			describe(node))
		return
	}
	known := keysOf(v.Type())
	seen := make(map[string]bool, len(pairs))
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		field := -1
		for i, name := range known {
			if name == key {
				field = i
			}
		}
		switch {
		case field < 0:
			r.problem(pair.Key, path, "unknown key %q%s", key, hint(key, known))
		case seen[key]:
			r.problem(pair.Key, path, "key %q stands here a second time", key)
		default:
			r.value(pair.Value, join(path, key), v.Field(field))
		}
		seen[key] = true
	}
}

// keysOf returns the keys of a struct, in the order of its fields.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i] = t.Field(i).Tag.Get("yaml")
	}
	return keys
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (r *reader) list(node ast.Node, path string, v reflect.Value) {
	if _, ok := node.(*ast.NullNode); ok {
		return
	}
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		r.problem(node, path, "a list belongs here, each entry on a line of its own after a dash, not %s",
			describe(node))
		return
	}
	if len(sequence.Values) == 0 {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values)))
	for i, entry := range sequence.Values {
		r.value(entry, path+"["+strconv.Itoa(i)+"]", v.Index(i))
	}
}

func (r *reader) scalar(node ast.Node, path string, v reflect.Value) {
	text, ok := scalarText(node)
	if !ok {
		r.problem(node, path, "a single value belongs here, not %s", describe(node))
		return
	}
	var err error
	switch into, isText := v.Addr().Interface().(encoding.TextUnmarshaler); {
	case isText:
		err = into.UnmarshalText([]byte(text))
	case v.Type() == durationType:
		var d time.Duration
		d, err = parseDuration(text)
		v.SetInt(int64(d))
	case v.Type() == bytesType:
		var b buffer.Bytes
		b, err = parseBytes(text)
		v.SetInt(int64(b))
	case v.Type() == modeType:
		w := &words{list: []string{text}}
		v.SetString(w.choice("mode", string(ModeProcess), string(ModeGoroutine)))
		err = w.err
	case v.Type() == endType:
		w := &words{list: []string{text}}
		v.SetString(w.choice("end", string(EndDrained), string(EndBudget)))
		err = w.err
	default:
		r.plain(node, path, text, v)
	}
	if err != nil {
		r.problem(node, path, "%v", err)
	}
}

// plain reads numbers and strings.
func (r *reader) plain(node ast.Node, path, text string, v reflect.Value) {
	var err error
	want := ""
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		var n int64
		n, err = strconv.ParseInt(text, 10, 32)
		v.SetInt(n)
		want = "a whole number without a unit"
	case reflect.Uint64:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		v.SetUint(n)
		want = "a whole number of at least 0"
	case reflect.Float64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v.SetFloat(f)
		want = "a number without a unit"
	default:
		panic("scenario field of kind " + v.Kind().String() + " has no reader")
	}
	if err != nil {
		r.problem(node, path, "%q is not %s", text, want)
	}
}

func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func describe(node ast.Node) string {
	switch node.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys"
	case *ast.NullNode:
		return "nothing"
	}
	if text, ok := scalarText(node); ok {
		return strconv.Quote(text)
	}
	return "a " + strings.ToLower(node.Type().String())
}
