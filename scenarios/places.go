package scenarios

import (
	"errors"
	"reflect"
	"strings"
)

// Places says where each key of a scenario was written, so that what is found out later can name
// the place. The zero value knows no place.
type Places map[string]Place

// Place is a place in a file; Line 0 means that the file has no lines (a flag of the command line).
type Place struct {
	File         string
	Line, Column int
}

// Of gives Problems the place of the key they name, or of the nearest key above it if that was left
// out. Other errors stay as they are.
func (p Places) Of(err error) error {
	var problems Problems
	if !errors.As(err, &problems) {
		return err
	}
	for i := range problems {
		for path := problems[i].Path; ; {
			if at, ok := p[path]; ok {
				problems[i].File, problems[i].Line, problems[i].Column = at.File, at.Line, at.Column
				break
			}
			if path == "" {
				break
			}
			path = path[:max(0, strings.LastIndexAny(path, ".["))]
		}
	}
	return problems
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

// field returns the field that a path of keys leads to.
func (s *Scenario) field(path string) (reflect.Value, error) {
	v := reflect.ValueOf(s).Elem()
	for key := range strings.SplitSeq(path, ".") {
		var known []string
		if v.Kind() == reflect.Struct && !isForm(v) {
			known = keysOf(v.Type())
		}
		at := -1
		for i, name := range known {
			if name == key {
				at = i
			}
		}
		if at < 0 {
			return v, unknownKey(key, path, known)
		}
		v = v.Field(at)
	}
	return v, nil
}
