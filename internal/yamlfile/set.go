package yamlfile

import (
	"fmt"
	"reflect"
	"strings"

	"sluice/internal/options"
)

// Set changes what target points to by one "path=value" of a command line, such as
// workload.rate=constant 9000/s, and makes that the place of the key. The value is written as in
// the file; a list replaces the whole list. The error is Problems.
func (p Places) Set(target any, text string) error {
	r := &reader{file: "--set " + text, places: Places{}, oneLine: true}
	keys, value, ok := strings.Cut(text, "=")
	if !ok || keys == "" {
		return r.fault("", "write path=value, such as workload.rate=constant 9000/s")
	}
	root, err := r.parse([]byte(value))
	if err != nil {
		return err
	}
	if root == nil {
		return r.fault(keys, "there is no value behind the =")
	}
	path, v, off := "", reflect.ValueOf(target).Elem(), ""
	for key := range strings.SplitSeq(keys, ".") {
		var known []string
		if v.Kind() == reflect.Struct && !isForm(v) {
			known = keysOf(v.Type())
		}
		i := index(known, key)
		if i < 0 {
			err := r.fault("", "unknown key %q in %q%s", key, keys, options.Hint(key, known)).(Problems)
			err[0].Unread = near(path, key, known)
			return err
		}
		path, v, off = join(path, known[i]), v.Field(i), offOf(v.Type(), i)
	}
	r.value(root, path, v, off)
	if err := r.problems.Err(); err != nil {
		return err
	}
	p.override(path, r.file)
	return nil
}

// fault is the only problem.
func (r *reader) fault(path, format string, args ...any) error {
	p := Problem{Place: Place{File: r.file}, Path: path, Message: fmt.Sprintf(format, args...)}
	if path != "" {
		p.Unread = []string{path}
	}
	return Problems{p}
}

// override makes a flag the place of a key and of all that is below it.
func (p Places) override(path, file string) {
	//order-free: each is judged by itself
	for key := range p {
		if strings.HasPrefix(key, path+".") || strings.HasPrefix(key, path+"[") {
			delete(p, key)
		}
	}
	p[path] = Place{File: file}
}
