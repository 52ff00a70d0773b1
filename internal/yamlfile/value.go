package yamlfile

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"sluice/buffer"
	"sluice/internal/options"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	bytesType    = reflect.TypeFor[buffer.Bytes]()
)

// value reads a node into v, in which the word off stands for what the parameter off says. Faults
// are collected, and the rest is read on.
func (r *reader) value(node ast.Node, path string, v reflect.Value, off string) {
	r.places[path] = r.place(node)
	switch {
	case isForm(v):
		r.scalar(node, path, v, off)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(node, path, v.Elem(), off)
	case v.Kind() == reflect.Slice:
		r.list(node, path, v)
	case v.Kind() == reflect.Struct:
		t := v.Type()
		known := keysOf(t)
		r.pairs(node, path, known, func(i int, value ast.Node) {
			r.value(value, join(path, known[i]), v.Field(i), offOf(t, i))
		})
	default:
		r.scalar(node, path, v, off)
	}
}

// isForm tells whether a value is one line of text with a grammar of its own.
func isForm(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

// keysOf returns the keys of a struct, in the order of its fields.
func keysOf(t reflect.Type) []string {
	keys := make([]string, t.NumField())
	for i := range keys {
		keys[i], _, _ = strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
	}
	return keys
}

func offOf(t reflect.Type, field int) string { return t.Field(field).Tag.Get(options.Off) }

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (r *reader) list(node ast.Node, path string, v reflect.Value) {
	v.SetZero()
	if isNull(node) {
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
		before := len(r.problems)
		r.value(entry, path+"["+strconv.Itoa(i)+"]", v.Index(i), "")
		if len(r.problems) > before && i > 0 && sequence.IsFlowStyle && isPlain(entry) {
			p := &r.problems[before]
			p.Message += "; a comma ends an entry between [ and ]: if it belongs to the entry, quote it"
			p.Unread = []string{path} // the entry before may be cut off
		}
	}
}

func (r *reader) scalar(node ast.Node, path string, v reflect.Value, off string) {
	text, ok := scalarText(node)
	if !ok {
		r.notSingle(node, path, "a single value")
		return
	}
	word := text
	if off != "" && text == options.Off {
		word = off
	}
	if err := parse(word, v); err != nil {
		message := err.Error()
		if off != "" {
			message += ", or " + options.Off
		}
		if isPlain(node) && strings.Contains(text, ": ") {
			message += colonHint
		}
		r.problem(node, path, "%s", message)
	}
}

// parse reads a word into v.
func parse(word string, v reflect.Value) error {
	if form, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return form.UnmarshalText([]byte(word))
	}
	switch v.Type() {
	case durationType:
		d, err := options.ParseDuration(word)
		v.SetInt(int64(d))
		return err
	case bytesType:
		b, err := options.ParseSize(word)
		v.SetInt(int64(b))
		return err
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(word)
	case reflect.Int, reflect.Int32, reflect.Int64:
		var n int64
		if n, err = strconv.ParseInt(word, 0, v.Type().Bits()); err != nil {
			return fmt.Errorf("%q is not a whole number without a unit", word)
		}
		v.SetInt(n)
	case reflect.Uint64:
		var n uint64
		if n, err = strconv.ParseUint(word, 0, 64); err != nil {
			return fmt.Errorf("%q is not a whole number of at least 0", word)
		}
		v.SetUint(n)
	case reflect.Bool:
		if word != "true" && word != "false" {
			return fmt.Errorf("%q is neither true nor false", word)
		}
		v.SetBool(word == "true")
	case reflect.Float64:
		var n float64
		n, err = options.ParseNumber(word)
		v.SetFloat(n)
	default:
		panic("a field of kind " + v.Kind().String() + " has no reader")
	}
	return err
}
